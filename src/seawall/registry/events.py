"""What the registry announces, each in the transaction of the change itself.

Fields are plain texts: the log's encoder takes no `Digest` or `RepositoryName`.
"""

from __future__ import annotations

from seawall import audit


class ManifestPushed(audit.Event, frozen=True, kw_only=True):
    """A manifest or index was stored; `tags` are those it was pushed with.

    `is_image` tells a runnable image from an artifact or an index; `size` is that of the manifest
    itself, in bytes; `artifact_type` is empty for an image.
    """

    media_type: str
    tags: list[str]
    size: int
    subject: str | None
    artifact_type: str
    is_image: bool


class TagMoved(audit.Event, frozen=True, kw_only=True):
    """A tag was made (`previous` is None) or now names another digest."""

    tag: str
    previous: str | None


class TagDeleted(audit.Event, frozen=True, kw_only=True):
    """`digest` is what the tag named."""

    tag: str


class ManifestDeleted(audit.Event, frozen=True, kw_only=True):
    """The manifest and all its tags are gone from the repository."""


class BlobDeleted(audit.Event, frozen=True, kw_only=True):
    """The repository no longer links to the blob."""


class BlobCorrupted(audit.Event, frozen=True, kw_only=True):
    """Stored bytes are not what their digest says; they are in quarantine."""
