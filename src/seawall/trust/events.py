"""What the trust room announces."""

from __future__ import annotations

from seawall import audit


class KeyTrusted(audit.Event, frozen=True, kw_only=True):
    """A key is trusted from now on, for the repositories that the patterns match.

    `former_patterns` are those that these replace; empty for a new key.
    """

    key_id: str
    name: str
    patterns: tuple[str, ...]
    former_patterns: tuple[str, ...] = ()


class KeyDistrusted(audit.Event, frozen=True, kw_only=True):
    """A key is no longer trusted: what only it vouched for is vouched for by nobody.

    `patterns` are those that it was trusted for.
    """

    key_id: str
    name: str
    patterns: tuple[str, ...]


class AuthorityTrusted(audit.Event, frozen=True, kw_only=True):
    """An authority may name signers from now on, for the repositories that the patterns match.

    `sha256` is that of its certificates or trusted root. `former_patterns` are those that these
    replace; empty for a new authority.
    """

    name: str
    kind_of_authority: str
    sha256: str
    identities: tuple[str, ...]
    patterns: tuple[str, ...]
    former_patterns: tuple[str, ...] = ()


class AuthorityDistrusted(audit.Event, frozen=True, kw_only=True):
    """An authority names nobody any more. `patterns` are those that it was trusted for."""

    name: str
    kind_of_authority: str
    patterns: tuple[str, ...]


class ImageSigned(audit.Event, frozen=True, kw_only=True):
    """A valid signature by a trusted key was found on an image. `tag` is the one it names."""

    key_id: str
    key: str
    tag: str | None = None
