"""What the trust room announces."""

from __future__ import annotations

import msgspec

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


class ImageSigned(audit.Event, frozen=True, kw_only=True):
    """A valid signature by a trusted key was found on an image. `tag` is the one it names."""

    key_id: str
    key: str
    tag: str | None = None


class TagChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a role says of a tag: the digest before and after; None where it says nothing."""

    tag: str
    was: str | None
    now: str | None


class KeyChange(msgspec.Struct, frozen=True, kw_only=True):
    """A key that may, or may no longer, sign for a role. `key_id` is the bare key's id."""

    role: str
    key_id: str
    is_added: bool


class TreePublished(audit.Event, frozen=True, kw_only=True):
    """A tree has new files. `roles` maps each uploaded role to its version."""

    gun: str
    roles: dict[str, int]
    timestamp: int
    keys: tuple[KeyChange, ...] = ()


class TreeTagsChanged(audit.Event, frozen=True, kw_only=True):
    """A role of a tree says something else of these tags. Long lists come in several events."""

    gun: str
    role: str
    version: int
    changes: tuple[TagChange, ...]


class TreeRefreshed(audit.Event, frozen=True, kw_only=True):
    """The server signed its own statements anew because they grew old. Nothing else changed."""

    gun: str
    roles: dict[str, int]


class TreeDeleted(audit.Event, frozen=True, kw_only=True):
    """A tree is gone with all its versions, and with the server's keys for it."""

    gun: str


class TreeKeyIssued(audit.Event, frozen=True, kw_only=True):
    """The server made a key for a role of a tree; a root may name it from now on."""

    gun: str
    role: str
    key_id: str
