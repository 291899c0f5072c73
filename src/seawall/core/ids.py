"""Random identifiers, given as an argument wherever a test must know them."""

from __future__ import annotations

import secrets


def new_id() -> str:
    """Return 128 random bits as 32 lower-case hex digits."""
    return secrets.token_hex(16)
