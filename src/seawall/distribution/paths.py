"""From a raw request path to what is meant, read from its end; the rest is the repository.

Nothing is percent-decoded: no valid name, tag or digest needs it, and `%2f`, `%00` or `..` would
mean one thing to us and another to whoever stands before or behind.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from seawall.oci.names import RepositoryName


class Endpoint(enum.StrEnum):
    PING = "ping"
    CATALOG = "catalog"
    TAGS = "tags"
    MANIFEST = "manifest"
    REFERRERS = "referrers"
    BLOB = "blob"
    UPLOADS = "uploads"
    UPLOAD = "upload"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`name` is empty for PING and CATALOG; `item` is a tag, digest or upload id, unparsed."""

    endpoint: Endpoint
    name: RepositoryName
    item: str = ""


NOWHERE: Final = RepositoryName("")

_FIXED: Final = {
    "/v2": Endpoint.PING,
    "/v2/": Endpoint.PING,
    "/v2/_catalog": Endpoint.CATALOG,
}

_ITEMS: Final = {
    "manifests": Endpoint.MANIFEST,
    "referrers": Endpoint.REFERRERS,
    "blobs": Endpoint.BLOB,
}


def parse(raw_path: str) -> Target | None:
    """Return what a path without its query means; None when there is no such endpoint.

    Raises InvalidInputError when the repository's name is malformed.
    """
    if raw_path in _FIXED:
        return Target(endpoint=_FIXED[raw_path], name=NOWHERE)
    match raw_path.split("/"):
        case ["", "v2", *name, "tags", "list"]:
            return Target(endpoint=Endpoint.TAGS, name=_name(name))
        case ["", "v2", *name, "blobs", "uploads", ""] | ["", "v2", *name, "blobs", "uploads"]:
            return Target(endpoint=Endpoint.UPLOADS, name=_name(name))
        case ["", "v2", *name, "blobs", "uploads", upload]:
            return Target(endpoint=Endpoint.UPLOAD, name=_name(name), item=upload)
        case ["", "v2", *name, "manifests" | "referrers" | "blobs" as kind, item]:
            return Target(endpoint=_ITEMS[kind], name=_name(name), item=item)
    return None


def _name(parts: list[str]) -> RepositoryName:
    return RepositoryName.parse("/".join(parts))
