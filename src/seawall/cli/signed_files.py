"""One file that holds what was signed offline, until somebody uploads it.

It needs no trust: every signature in it is held against the image and the key that it names when
it is read, and the tree's files against the tree that is published when they are uploaded. What the
file says beyond that is not said by anybody.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seawall.cli import evidence_json as parts
from seawall.cli import image_signatures
from seawall.core import clock, limits
from seawall.core.errors import IntegrityError, InvalidInputError, LimitError
from seawall.core.strictjson import Json
from seawall.oci.digest import Digest
from seawall.oci.names import Reference
from seawall.trust import detached, keys
from seawall.trust.keys import PublicKey
from seawall.trust.model import SignatureFormat, UnverifiedSignature
from seawall.trust.tuf import metadata, rules
from seawall.trust.tuf.model import File
from seawall.trust.tuf.names import SNAPSHOT, Role

MEDIA_TYPE: Final = "application/vnd.seawall.signed.v1+json"
MAX_BYTES: Final = 64 * limits.MIB
MAX_SIGNERS: Final = 16
MAX_IMAGES: Final = image_signatures.MAX_PLATFORMS + 1
_MEMBERS: Final = {"image", "digest", "signed_at", "signers", "tree"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """What one key signed: the image itself, and of an index each platform's."""

    public: PublicKey
    signatures: Mapping[Digest, tuple[UnverifiedSignature, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedFile:
    """What was signed. `image` names it as it was asked for, `digest` is what that was."""

    image: Reference
    digest: Digest
    signed_at: dt.datetime
    signers: tuple[Signer, ...]
    files: Mapping[Role, File] | None
    """Of the tree, to be published together; None: the tree is left as it is."""


def write(path: Path, signed: SignedFile) -> None:
    """Write the file, in place of an older one. Raises UnavailableError."""
    files = signed.files
    document: dict[str, Json] = {
        "mediaType": MEDIA_TYPE,
        "image": str(signed.image),
        "digest": str(signed.digest),
        "signed_at": clock.to_text(signed.signed_at),
        "signers": [_signer_json(one) for one in signed.signers],
        "tree": None
        if files is None
        else {str(role): parts.encode(file.content) for role, file in files.items()},
    }
    parts.write(path, document)


def read(path: Path) -> SignedFile:
    """Parse a file strictly, and check every signature in it.

    Raises NotFoundError, InvalidInputError, LimitError; IntegrityError for what does not hold.
    """
    document = parts.read(
        path, MEDIA_TYPE, _MEMBERS, made_by="seawall sign --offline", max_bytes=MAX_BYTES
    )
    signed = SignedFile(
        image=Reference.parse(parts.parse_text(document["image"])),
        digest=Digest.parse(parts.parse_text(document["digest"])),
        signed_at=parts.parse_time(document["signed_at"]),
        signers=_parse_signers(document["signers"]),
        files=None if document["tree"] is None else _parse_tree(document["tree"]),
    )
    _check(signed)
    return signed


def _signer_json(signer: Signer) -> dict[str, Json]:
    return {
        "publicKey": signer.public.pem.decode("ascii"),
        "signed": [
            {"digest": str(digest), "signatures": [_signature_json(one) for one in made]}
            for digest, made in signer.signatures.items()
        ],
    }


def _signature_json(one: UnverifiedSignature) -> dict[str, Json]:
    content = parts.encode(one.content)
    return {"format": one.format.value, "content": content, "signature": one.signature}


def _parse_signers(value: Json) -> tuple[Signer, ...]:
    found = parts.parse_list(value)
    if not 1 <= len(found) <= MAX_SIGNERS:
        raise LimitError(f"signatures by {len(found)} keys, not 1 to {MAX_SIGNERS}")
    return tuple(_parse_signer(one) for one in found)


def _parse_signer(value: Json) -> Signer:
    entry = parts.parse_object(value, {"publicKey", "signed"})
    signed = parts.parse_list(entry["signed"])
    if len(signed) > MAX_IMAGES:
        raise LimitError(f"signatures of more than {MAX_IMAGES} images")
    found = dict(_parse_signed(one) for one in signed)
    if len(found) != len(signed):
        raise InvalidInputError("an image stands twice in the file")
    return Signer(
        public=keys.parse_public(parts.parse_text(entry["publicKey"]).encode()), signatures=found
    )


def _parse_signed(value: Json) -> tuple[Digest, tuple[UnverifiedSignature, ...]]:
    entry = parts.parse_object(value, {"digest", "signatures"})
    made = parts.parse_list(entry["signatures"])
    if len(made) > detached.MAX_FORMATS:
        raise LimitError(f"more than {detached.MAX_FORMATS} signatures of one image by one key")
    digest = Digest.parse(parts.parse_text(entry["digest"]))
    return digest, tuple(_parse_signature(one) for one in made)


def _parse_signature(value: Json) -> UnverifiedSignature:
    entry = parts.parse_object(value, {"format", "content", "signature"})
    kind = parts.parse_format(entry["format"])
    signature = parts.parse_text(entry["signature"])
    if bool(signature) != (kind is SignatureFormat.COSIGN_TAG):
        raise InvalidInputError("only cosign's old format has its signature beside the content")
    return UnverifiedSignature(
        format=kind, content=parts.decode(entry["content"]), signature=signature
    )


def _parse_tree(value: Json) -> dict[Role, File]:
    files = parts.parse_files(value)
    if len(files) > rules.MAX_FILES:
        raise LimitError(f"more than {rules.MAX_FILES} files of a tree")
    if wrong := [role for role in files if not (role.is_targets or role == SNAPSHOT)]:
        raise InvalidInputError(f"the file {wrong[0]} is not one that signing a tag changes")
    return {role: metadata.parse(role, content) for role, content in files.items()}


def _check(signed: SignedFile) -> None:
    """Hold all signatures against the image; every key must have signed the same images."""
    if signed.image.host is None:
        raise InvalidInputError(f"the file names no registry: {signed.image}")
    if len({one.public.key_id for one in signed.signers}) != len(signed.signers):
        raise InvalidInputError("a key stands twice in the file")
    if signed.image.digest not in (None, signed.digest):
        raise IntegrityError(f"the file names {signed.image} and {signed.digest}")
    images = signed.signers[0].signatures.keys()
    for signer in signed.signers:
        if signed.digest not in signer.signatures or signer.signatures.keys() != images:
            raise IntegrityError(f"the key {signer.public.key_id} has not signed all of the image")
        for digest, made in signer.signatures.items():
            wanted = detached.Wanted(digest=digest, reference=signed.image, key=signer.public)
            detached.check(made, wanted)
