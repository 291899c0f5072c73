"""Image manifests and indexes (OCI image-spec manifest.md, image-index.md; Docker v2.2).

`parse` reads the bytes strictly (no duplicate keys, bounded) and keeps what Seawall decides on.
Unknown fields are allowed by the spec; the stored bytes, never a re-encoding, are what is served.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from seawall.core import limits, strictjson
from seawall.core.errors import InvalidInputError
from seawall.core.strictjson import Json
from seawall.oci import media
from seawall.oci.digest import Digest

MAX_DESCRIPTORS: Final = 10_000
"""Layers or index entries in one manifest."""


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(msgspec.Struct, frozen=True, kw_only=True):
    media_type: str
    digest: Digest
    size: int  # bytes
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    artifact_type: str = ""
    platform: Platform | None = None
    urls: tuple[str, ...] = ()


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """An image or artifact manifest."""

    media_type: str
    artifact_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    subject: Descriptor | None
    annotations: dict[str, str]

    @property
    def is_image(self) -> bool:
        """Tell a runnable image from an artifact (signature, SBOM …) by its config's type."""
        return self.config.media_type in media.IMAGE_CONFIGS and not self.artifact_type


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """An image index (manifest list)."""

    media_type: str
    artifact_type: str
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None
    annotations: dict[str, str]


ParsedManifest: TypeAlias = Manifest | Index


def parse(content: bytes, content_type: str = "") -> ParsedManifest:
    """Parse the bytes of a manifest or index.

    `content_type` is an outside claim: when both it and the document's `mediaType` are present
    they must agree (image-spec GHSA-77vh-xpmg-72qh: type confusion). Raises InvalidInputError or
    LimitError.
    """
    document = strictjson.decode_object(
        content, max_bytes=limits.MANIFEST_MAX_BYTES, max_depth=limits.JSON_MAX_DEPTH
    )
    if document.get("schemaVersion") != 2:
        raise InvalidInputError("manifest: schemaVersion must be 2")
    declared = _text(document, "mediaType")
    if declared and content_type and declared != content_type:
        raise InvalidInputError(
            f"manifest: mediaType {declared!r} differs from Content-Type {content_type!r}"
        )
    kind = declared or content_type or _guess(document)
    if kind in media.MANIFESTS:
        if "manifests" in document:
            raise InvalidInputError("manifest: an image manifest must not hold 'manifests'")
        return Manifest(
            media_type=kind,
            artifact_type=_text(document, "artifactType"),
            config=_descriptor(document.get("config"), "config"),
            layers=_descriptors(document.get("layers"), "layers"),
            subject=_subject(document),
            annotations=_annotations(document.get("annotations")),
        )
    if kind in media.INDEXES:
        if "layers" in document or "config" in document:
            raise InvalidInputError("manifest: an index must not hold 'layers' or 'config'")
        return Index(
            media_type=kind,
            artifact_type=_text(document, "artifactType"),
            manifests=_descriptors(document.get("manifests"), "manifests"),
            subject=_subject(document),
            annotations=_annotations(document.get("annotations")),
        )
    raise InvalidInputError(f"manifest: media type {kind[:100]!r} is not supported")


def _guess(document: dict[str, Json]) -> str:
    return media.OCI_INDEX if "manifests" in document else media.OCI_MANIFEST


def _subject(document: dict[str, Json]) -> Descriptor | None:
    value = document.get("subject")
    return None if value is None else _descriptor(value, "subject")


def _descriptors(value: Json, where: str) -> tuple[Descriptor, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise InvalidInputError(f"manifest: {where} must be a list")
    if len(value) > MAX_DESCRIPTORS:
        raise InvalidInputError(f"manifest: more than {MAX_DESCRIPTORS} entries in {where}")
    return tuple(_descriptor(item, where) for item in value)


def _descriptor(value: Json, where: str) -> Descriptor:
    if not isinstance(value, dict):
        raise InvalidInputError(f"manifest: {where} must be a descriptor")
    size = value.get("size")
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise InvalidInputError(f"manifest: size in {where} must be a non-negative integer")
    urls = value.get("urls") or []
    if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
        raise InvalidInputError(f"manifest: urls in {where} must be a list of texts")
    return Descriptor(
        media_type=_text(value, "mediaType"),
        digest=Digest.parse(_text(value, "digest")),
        size=size,
        annotations=_annotations(value.get("annotations")),
        artifact_type=_text(value, "artifactType"),
        platform=_platform(value.get("platform")),
        urls=tuple(str(url) for url in urls),
    )


def _platform(value: Json) -> Platform | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidInputError("manifest: platform must be an object")
    return Platform(
        os=_text(value, "os"),
        architecture=_text(value, "architecture"),
        variant=_text(value, "variant"),
    )


def _annotations(value: Json) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInputError("manifest: annotations must be an object of texts")
    result: dict[str, str] = {}
    for key, item in value.items():
        if not isinstance(item, str):
            raise InvalidInputError("manifest: annotations must be an object of texts")
        result[key] = item
    return result


def _text(document: dict[str, Json], key: str) -> str:
    value = document.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidInputError(f"manifest: {key} must be a text")
    return value
