"""How evidence stands in a file that people carry: bytes as base64, every member named.

Whoever hands such a file over may have written anything. So: strict JSON within bounds, no member
too many or too few, and a manifest only together with a digest that it fits. What is signed in it
is for others to verify.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from seawall.cli.registry_client import Fetched
from seawall.core import clock, strictjson
from seawall.core.errors import (
    IntegrityError,
    InvalidInputError,
    LimitError,
    NotFoundError,
    UnavailableError,
)
from seawall.core.strictjson import Json
from seawall.oci.digest import Digest
from seawall.trust.model import SignatureFormat, UnverifiedSignature
from seawall.trust.tuf.chain import Tree
from seawall.trust.tuf.names import Role

MAX_FILES: Final = 1024
"""Of one tree; a server keeps no more than 512 roles."""


def write(path: Path, document: dict[str, Json]) -> None:
    """Write a file whole, in place of an older one. Raises UnavailableError."""
    try:
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(number, "wb") as file:
                file.write(strictjson.encode(document))
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UnavailableError(f"cannot write {path}: {error.strerror}") from error


def read(
    path: Path, media_type: str, members: set[str], *, made_by: str, max_bytes: int
) -> dict[str, Json]:
    """Return the object in a file that has these members. Raises NotFoundError, LimitError,
    InvalidInputError."""
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise NotFoundError(f"cannot read {path}: {error.strerror}") from error
    document = strictjson.decode_object(content, max_bytes=max_bytes)
    if document.get("mediaType") != media_type or document.keys() != {"mediaType", *members}:
        raise InvalidInputError(f"{path} is not a file that `{made_by}` wrote")
    return document


def manifest_json(manifest: Fetched) -> dict[str, Json]:
    return {
        "digest": str(manifest.digest),
        "mediaType": manifest.media_type,
        "content": encode(manifest.content),
    }


def parse_manifest(value: Json) -> Fetched:
    """Raises IntegrityError unless the bytes are those of the digest."""
    entry = parse_object(value, {"digest", "mediaType", "content"})
    digest, content = Digest.parse(parse_text(entry["digest"])), decode(entry["content"])
    if not digest.is_of(content):
        raise IntegrityError(f"the manifest in the file is not what {digest} names")
    return Fetched(content=content, media_type=parse_text(entry["mediaType"]), digest=digest)


def tree_json(tree: Tree) -> dict[str, Json]:
    return {
        "roots": [encode(one) for one in tree.roots],
        "timestamp": encode(tree.timestamp),
        "snapshot": encode(tree.snapshot),
        "targets": {str(role): encode(content) for role, content in tree.targets.items()},
    }


def parse_tree(value: Json) -> Tree:
    entry = parse_object(value, {"roots", "timestamp", "snapshot", "targets"})
    return Tree(
        roots=tuple(decode(one) for one in parse_list(entry["roots"])),
        timestamp=decode(entry["timestamp"]),
        snapshot=decode(entry["snapshot"]),
        targets=parse_files(entry["targets"]),
    )


def parse_files(value: Json) -> dict[Role, bytes]:
    """Return the files of roles, unverified."""
    if not isinstance(value, dict):
        raise InvalidInputError("the files of roles are not an object")
    if len(value) > MAX_FILES:
        raise LimitError(f"files of more than {MAX_FILES} roles")
    return {Role.parse(role): decode(content) for role, content in value.items()}


def parse_format(value: Json) -> SignatureFormat:
    try:
        return SignatureFormat(parse_text(value))
    except ValueError as error:
        raise InvalidInputError("a signature of an unknown format") from error


def signature_json(signature: UnverifiedSignature) -> dict[str, Json]:
    return {
        "format": signature.format.value,
        "content": encode(signature.content),
        "signature": signature.signature,
        "certificate": signature.certificate,
        "log_promise": signature.log_promise,
        "source": signature.source,
    }


def parse_signature(value: Json) -> UnverifiedSignature:
    entry = parse_object(
        value, {"format", "content", "signature", "certificate", "log_promise", "source"}
    )
    return UnverifiedSignature(
        format=parse_format(entry["format"]),
        content=decode(entry["content"]),
        signature=parse_text(entry["signature"]),
        certificate=parse_text(entry["certificate"]),
        log_promise=parse_text(entry["log_promise"]),
        source=parse_text(entry["source"]),
    )


def encode(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def decode(value: Json) -> bytes:
    try:
        return base64.b64decode(parse_text(value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInputError("something in the file is not base64") from error


def parse_time(value: Json) -> dt.datetime:
    try:
        return clock.from_text(parse_text(value))
    except ValueError as error:
        raise InvalidInputError("a time in the file does not parse") from error


def parse_object(value: Json, members: set[str]) -> dict[str, Json]:
    if not isinstance(value, dict) or value.keys() != members:
        raise InvalidInputError(f"an entry of the file has other members than {sorted(members)}")
    return value


def parse_list(value: Json) -> Sequence[Json]:
    if not isinstance(value, list):
        raise InvalidInputError("something in the file is not a list")
    return value


def parse_text(value: Json) -> str:
    if not isinstance(value, str):
        raise InvalidInputError("something in the file is not a text")
    return value
