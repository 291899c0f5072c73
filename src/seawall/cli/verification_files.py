"""One file that holds all that a proof of an image needs: for `seawall verify --offline`.

It holds evidence, no trust: the keys and pins of whoever verifies decide. What is in it is parsed
as if it came over the network.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seawall.cli import image_signatures
from seawall.cli.own_trees import Site
from seawall.cli.registry_client import Fetched
from seawall.core import limits, strictjson
from seawall.core.errors import IntegrityError, InvalidInputError, NotFoundError, UnavailableError
from seawall.core.strictjson import Json
from seawall.oci.digest import Digest
from seawall.oci.names import Reference
from seawall.trust.model import SignatureFormat, UnverifiedSignature
from seawall.trust.tuf.chain import Tree
from seawall.trust.tuf.names import Role

MEDIA_TYPE: Final = "application/vnd.seawall.verification.v1+json"
MAX_BYTES: Final = 128 * limits.MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was found of one image. Nothing of it is verified, but the manifest fits its digest."""

    image: Reference
    manifest: Fetched
    signatures: tuple[UnverifiedSignature, ...]
    tree: Tree | None
    made_at: dt.datetime

    @property
    def digest(self) -> Digest:
        return self.manifest.digest


def collect(site: Site, image: Reference, now: dt.datetime) -> Evidence:
    """Fetch the manifest, all its signatures and the tree, with all roots that are still there:
    others may have pinned an older one than we have."""
    manifest = site.http.get_manifest(image.repository, image.target)
    signatures = image_signatures.collect(site.http, image.repository, manifest.digest).artifacts
    return Evidence(
        image=image,
        manifest=manifest,
        signatures=signatures,
        tree=site.trees.fetch_with_all_roots(),
        made_at=now,
    )


def write(path: Path, evidence: Evidence) -> None:
    """Write the file, in place of an older one."""
    try:
        path.write_bytes(strictjson.encode(_document(evidence)))
    except OSError as error:
        raise UnavailableError(f"cannot write {path}: {error.strerror}") from error


def read(path: Path) -> Evidence:
    """Parse a file strictly. Raises NotFoundError, InvalidInputError, IntegrityError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise NotFoundError(f"cannot read {path}: {error.strerror}") from error
    document = strictjson.decode_object(content, max_bytes=MAX_BYTES)
    wanted = {"mediaType", "image", "made_at", "manifest", "signatures", "tree"}
    if document.get("mediaType") != MEDIA_TYPE or document.keys() != wanted:
        raise InvalidInputError(f"{path} is not a file that `seawall trust export` wrote")
    try:
        made_at = dt.datetime.fromisoformat(_text(document["made_at"]))
    except ValueError as error:
        raise InvalidInputError("made_at is not a time") from error
    return Evidence(
        image=Reference.parse(_text(document["image"])),
        manifest=_manifest(document["manifest"]),
        signatures=tuple(_signature(one) for one in _list(document["signatures"])),
        tree=None if document["tree"] is None else _tree(document["tree"]),
        made_at=made_at,
    )


def _document(evidence: Evidence) -> dict[str, Json]:
    tree = evidence.tree
    return {
        "mediaType": MEDIA_TYPE,
        "image": str(evidence.image),
        "made_at": evidence.made_at.isoformat(),
        "manifest": {
            "digest": str(evidence.digest),
            "mediaType": evidence.manifest.media_type,
            "content": _encoded(evidence.manifest.content),
        },
        "signatures": [
            {
                "format": one.format.value,
                "content": _encoded(one.content),
                "signature": one.signature,
                "source": one.source,
            }
            for one in evidence.signatures
        ],
        "tree": None if tree is None else _tree_document(tree),
    }


def _tree_document(tree: Tree) -> dict[str, Json]:
    return {
        "roots": [_encoded(one) for one in tree.roots],
        "timestamp": _encoded(tree.timestamp),
        "snapshot": _encoded(tree.snapshot),
        "targets": {str(role): _encoded(content) for role, content in tree.targets.items()},
    }


def _manifest(value: Json) -> Fetched:
    entry = _object(value, {"digest", "mediaType", "content"})
    digest, content = Digest.parse(_text(entry["digest"])), _decoded(entry["content"])
    if not digest.is_of(content):
        raise IntegrityError(f"the manifest in the file is not what {digest} names")
    return Fetched(content=content, media_type=_text(entry["mediaType"]), digest=digest)


def _signature(value: Json) -> UnverifiedSignature:
    entry = _object(value, {"format", "content", "signature", "source"})
    try:
        kind = SignatureFormat(_text(entry["format"]))
    except ValueError as error:
        raise InvalidInputError("a signature of an unknown format") from error
    return UnverifiedSignature(
        format=kind,
        content=_decoded(entry["content"]),
        signature=_text(entry["signature"]),
        source=_text(entry["source"]),
    )


def _tree(value: Json) -> Tree:
    entry = _object(value, {"roots", "timestamp", "snapshot", "targets"})
    targets = entry["targets"]
    if not isinstance(targets, dict):
        raise InvalidInputError("targets is not an object")
    return Tree(
        roots=tuple(_decoded(one) for one in _list(entry["roots"])),
        timestamp=_decoded(entry["timestamp"]),
        snapshot=_decoded(entry["snapshot"]),
        targets={Role.parse(role): _decoded(content) for role, content in targets.items()},
    )


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _decoded(value: Json) -> bytes:
    try:
        return base64.b64decode(_text(value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInputError("something in the file is not base64") from error


def _object(value: Json, members: set[str]) -> dict[str, Json]:
    if not isinstance(value, dict) or value.keys() != members:
        raise InvalidInputError(f"an entry of the file has other members than {sorted(members)}")
    return value


def _list(value: Json) -> Sequence[Json]:
    if not isinstance(value, list):
        raise InvalidInputError("something in the file is not a list")
    return value


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise InvalidInputError("something in the file is not a text")
    return value
