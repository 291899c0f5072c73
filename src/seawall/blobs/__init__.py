"""Bytes by digest: staged while they are hashed, then committed whole or not at all."""

from seawall.blobs.ports import BlobStore, Staging

__all__ = ["BlobStore", "Staging"]
