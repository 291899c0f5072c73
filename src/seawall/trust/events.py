"""What the trust room announces."""

from __future__ import annotations

import msgspec

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


class SignatureLogged(audit.Event, frozen=True, kw_only=True):
    """A signer entered a signature into the transparency log, as entry `number`."""

    key_id: str
    number: int


class WitnessAccepted(audit.Event, frozen=True, kw_only=True):
    """Co-signatures of the log's checkpoints by this key are kept from now on."""

    name: str
    key: str


class WitnessDropped(audit.Event, frozen=True, kw_only=True):
    """Co-signatures by this witness are kept no longer."""

    name: str


class CheckpointCosigned(audit.Event, frozen=True, kw_only=True):
    """A witness co-signed the log's checkpoint of `size` entries."""

    witness: str
    size: int


class TreeSignatureAdded(audit.Event, frozen=True, kw_only=True):
    """A file that waits for its threshold got a signature. `waits_for` is how many it lacks."""

    gun: str
    role: str
    version: int
    key_ids: tuple[str, ...]
    waits_for: int


class TreeChangeWithdrawn(audit.Event, frozen=True, kw_only=True):
    """A file that waited for signatures waits no longer, and was not published."""

    gun: str
    role: str
    version: int
