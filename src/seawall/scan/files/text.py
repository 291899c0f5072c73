"""Texts from hostile files, made fit to be kept."""

from __future__ import annotations

from seawall.scan.readers import MAX_TEXT


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Return `text` cut to `limit` characters, each control character replaced."""
    text = text[:limit]
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else "\ufffd" for mark in text)


def decode(content: bytes, limit: int = MAX_TEXT) -> str:
    """Return the text of `content` up to its first zero byte, cleaned."""
    return clean(content.partition(b"\0")[0].decode("utf-8", "replace"), limit)
