"""What can go wrong in this room; each kind has its own answer at the registry's door.

NotFoundError
├── RepositoryUnknownError
├── ManifestUnknownError    no such tag or manifest in the repository
├── BlobUnknownError        no such blob, or not linked to the repository
└── UploadUnknownError      never begun, finished, expired, or of another repository
InvalidInputError
├── ManifestInvalidError    the manifest does not parse, or contradicts itself or the request
├── DigestMismatchError     content and digest disagree
├── SizeMismatchError       a descriptor's size is not that of the stored content
└── ContentMissingError     the manifest names blobs or manifests that are not here
ConflictError
├── OffsetError             a chunk does not begin where the upload stands
└── StillReferencedError    something that is kept needs what was to be deleted
LimitError
├── TooLargeError           a blob or manifest above its bound
└── TooManyUploadsError     one actor has too many uploads open
"""

from __future__ import annotations

from seawall.core.errors import (
    ConflictError,
    IntegrityError,
    InvalidInputError,
    LimitError,
    NotFoundError,
)


class RepositoryUnknownError(NotFoundError):
    code = "repository-unknown"


class ManifestUnknownError(NotFoundError):
    code = "manifest-unknown"


class BlobUnknownError(NotFoundError):
    code = "blob-unknown"


class UploadUnknownError(NotFoundError):
    code = "upload-unknown"


class ManifestInvalidError(InvalidInputError):
    code = "manifest-invalid"


class DigestMismatchError(InvalidInputError):
    code = "digest-mismatch"


class SizeMismatchError(InvalidInputError):
    code = "size-mismatch"


class ContentMissingError(InvalidInputError):
    code = "content-missing"


class OffsetError(ConflictError):
    """`offset` is where the upload stands, in bytes: the next chunk must begin there."""

    code = "wrong-offset"

    def __init__(self, message: str, *, offset: int) -> None:
        super().__init__(message, remedy=f"send the bytes from {offset} on")
        self.offset = offset


class StillReferencedError(ConflictError):
    code = "still-referenced"


class ManifestDamagedError(IntegrityError):
    code = "manifest-damaged"


class TooLargeError(LimitError):
    code = "too-large"


class TooManyUploadsError(LimitError):
    code = "too-many-uploads"
