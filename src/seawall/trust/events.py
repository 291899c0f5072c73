"""What the trust room announces."""

from __future__ import annotations

from seawall import audit


class KeyTrusted(audit.Event, frozen=True, kw_only=True):
    """A key is trusted from now on, for the repositories that the patterns match.

    `former_patterns` are those that these replace; empty for a new key. `hardware` is what a proven
    attestation says of the device that keeps it; empty when there is none.
    """

    key_id: str
    name: str
    patterns: tuple[str, ...]
    former_patterns: tuple[str, ...] = ()
    hardware: str = ""


class KeyDistrusted(audit.Event, frozen=True, kw_only=True):
    """A key is no longer trusted: what only it vouched for is vouched for by nobody.

    `patterns` are those that it was trusted for.
    """

    key_id: str
    name: str
    patterns: tuple[str, ...]


class ImageSigned(audit.Event, frozen=True, kw_only=True):
    """A valid signature by a trusted key was found on an image. `tag` is the one it names."""

    key_id: str
    key: str
    tag: str | None = None
