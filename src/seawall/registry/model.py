"""The values of this room."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName, Tag


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredManifest:
    """A manifest or index, byte for byte as it was pushed."""

    digest: Digest
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Referrer:
    """A manifest that names another as its subject; its bytes come from `Registry.manifest`.

    `artifact_type` is that of the manifest, or else its config's media type (distribution-spec,
    "Listing Referrers").
    """

    digest: Digest
    media_type: str
    size: int  # bytes of the manifest
    artifact_type: str
    annotations: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """What a pull of a manifest has to find."""

    blobs: tuple[tuple[Digest, int], ...]
    """Each with its size in bytes."""
    unknown: tuple[Digest, ...]
    """Named, and neither a manifest here nor a blob that the repository links to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedDigest:
    tag: Tag
    digest: Digest
    pushed_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedImage:
    """One line of an overview. `size` is the sum of what a pull fetches, in bytes."""

    repository: RepositoryName
    tag: Tag
    digest: Digest
    media_type: str
    is_image: bool
    pushed_at: dt.datetime
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A blob on its way in; `offset` is how many bytes are safely here."""

    id: str
    repository: RepositoryName
    offset: int
