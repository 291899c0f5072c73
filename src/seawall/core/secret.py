"""Secrets that do not leak through logs, tracebacks or timing."""

from __future__ import annotations

import hmac


class Secret:
    """Holds a secret text; it shows itself only where `reveal` is written."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __str__(self) -> str:
        return "…"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return is_same(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash(self._text)


def is_same(left: bytes, right: bytes) -> bool:
    """Compare two secrets in a time that does not depend on where they differ."""
    return hmac.compare_digest(left, right)
