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


class ImageSigned(audit.Event, frozen=True, kw_only=True):
    """A valid signature by a trusted key was found on an image. `tag` is the one it names."""

    key_id: str
    key: str
    tag: str | None = None


class RootPinned(audit.Event, frozen=True, kw_only=True):
    """Somebody said which root the repository's tree must grow from. The keys are canonical ids.

    `former_root_keys` are those that these replace; empty for a first pin.
    """

    root_keys: tuple[str, ...]
    root_version: int | None = None  # None: only keys were named, no file
    former_root_keys: tuple[str, ...] = ()


class RootUnpinned(audit.Event, frozen=True, kw_only=True):
    """The repository's tree is asked no longer."""

    root_keys: tuple[str, ...]


class TreeAdvanced(audit.Event, frozen=True, kw_only=True):
    """A proven tree went on: nothing older is believed from now on.

    `seen` holds the highest version of each role.
    """

    root_keys: tuple[str, ...]
    seen: dict[str, int]


class TreeRefused(audit.Event, frozen=True, kw_only=True):
    """The tree of a pinned repository does not verify: it was rolled back, mixed, or forged."""

    step: str
    why: str
