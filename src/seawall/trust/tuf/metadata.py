"""Metadata files of Notary v1, parsed strictly into values that cannot be malformed.

A file is kept exactly as it was uploaded (`content`: parents hash these bytes) beside what it says.
Refused: members that the format does not have (other parsers match names without case, or ignore
them), versions that are no positive 63-bit integers, times without a zone, hashes of a wrong
length, keys under another id than their own, thresholds that their keys cannot meet.

Nothing in a parsed file is trusted: `thresholds` says whether enough keys have signed it.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final

from seawall.core import strictjson
from seawall.core.errors import InvalidInputError, SeawallError
from seawall.core.strictjson import INT64_MAX, Json
from seawall.oci.digest import Digest
from seawall.trust.memory import FILES_MAX_BYTES, Memory
from seawall.trust.tuf import canonical, keys
from seawall.trust.tuf.keys import TufKey
from seawall.trust.tuf.model import (
    Body,
    Delegation,
    File,
    FileMeta,
    RoleKeys,
    Root,
    Signature,
    Snapshot,
    Target,
    Targets,
    Timestamp,
)
from seawall.trust.tuf.names import BASE_ROLES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, Role

FILE_MAX_BYTES: Final = 8 * 1024 * 1024
"""Of any role; a timestamp is far smaller, but clients accept a mebibyte."""
MAX_DEPTH: Final = 12
MAX_SIGNATURES: Final = 64
MAX_KEYS: Final = 256
MAX_DELEGATIONS: Final = 256
TARGET_NAME_MAX_CHARACTERS: Final = 255

_TIME: Final = re.compile(
    r"(?P<seconds>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?"
    r"(?P<zone>Z|[+-]\d\d:\d\d)",
    re.ASCII,
)
_KEY_ID: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


def parse(role: Role, content: bytes) -> File:
    """Parse a file of `role` strictly. Raises InvalidInputError or LimitError, naming the role.

    What these bytes say is remembered: the same file is parsed once.
    """
    place = hashlib.sha256(f"{role}\n".encode() + content).digest()
    known = _known.get(place)
    if known is None:
        known = _parse(role, content)
        _known.keep(place, known, len(content))
    return known


_known: Final[Memory[File]] = Memory(FILES_MAX_BYTES)


def _parse(role: Role, content: bytes) -> File:
    try:
        document = strictjson.decode_object(content, max_bytes=FILE_MAX_BYTES, max_depth=MAX_DEPTH)
        _members(document, "file", {"signed", "signatures"})
        signed = document["signed"]
        return File(
            role=role,
            content=content,
            body=_body(role, _object(signed, "signed")),
            signed_bytes=canonical.encode(signed),
            signatures=_signatures(document["signatures"]),
        )
    except SeawallError as error:
        raise type(error)(f"{role}: {error.message}", remedy=error.remedy) from error


def _body(role: Role, signed: dict[str, Json]) -> Body:
    if role == ROOT:
        return _root(signed)
    if role == SNAPSHOT:
        return _snapshot(signed)
    if role == TIMESTAMP:
        return _timestamp(signed)
    return _targets(role, signed)


def _root(signed: dict[str, Json]) -> Root:
    _members(
        signed, "root", {"_type", "consistent_snapshot", "expires", "version", "keys", "roles"}
    )
    _kind(signed, "Root")
    if not isinstance(signed["consistent_snapshot"], bool):
        raise InvalidInputError("consistent_snapshot is not true or false")
    known = _keys(signed["keys"])
    roles = _object(signed["roles"], "roles")
    _members(roles, "roles", set(BASE_ROLES))
    return Root(
        version=_version(signed),
        expires=_expires(signed),
        keys=known,
        roles={role: _role_keys(_object(roles[role], role), role, known) for role in BASE_ROLES},
    )


def _targets(role: Role, signed: dict[str, Json]) -> Targets:
    _members(signed, "targets", {"_type", "delegations", "expires", "targets", "version"})
    _kind(signed, "Targets")
    delegations = _object(signed["delegations"] or {}, "delegations")
    _members(delegations, "delegations", set(), {"keys", "roles"})
    known = _keys(delegations.get("keys") or {})
    return Targets(
        version=_version(signed),
        expires=_expires(signed),
        targets={
            _target_name(name): _target(_object(value, "target"))
            for name, value in _object(signed["targets"] or {}, "targets").items()
        },
        keys=known,
        delegations=_delegations(role, delegations.get("roles") or [], known),
    )


def _snapshot(signed: dict[str, Json]) -> Snapshot:
    _members(signed, "snapshot", {"_type", "expires", "meta", "version"})
    _kind(signed, "Snapshot")
    meta = {
        Role.parse(name): _file_meta(value)
        for name, value in _object(signed["meta"], "meta").items()
    }
    for needed in (ROOT, TARGETS):
        if needed not in meta:
            raise InvalidInputError(f"the snapshot lacks {needed}")
    if SNAPSHOT in meta or TIMESTAMP in meta:
        raise InvalidInputError("the snapshot lists itself or the timestamp")
    return Snapshot(version=_version(signed), expires=_expires(signed), meta=meta)


def _timestamp(signed: dict[str, Json]) -> Timestamp:
    _members(signed, "timestamp", {"_type", "expires", "meta", "version"})
    _kind(signed, "Timestamp")
    meta = _object(signed["meta"], "meta")
    _members(meta, "meta", {SNAPSHOT})
    return Timestamp(
        version=_version(signed), expires=_expires(signed), snapshot=_file_meta(meta[SNAPSHOT])
    )


def _delegations(parent: Role, value: Json, known: Mapping[str, TufKey]) -> tuple[Delegation, ...]:
    if not isinstance(value, list) or len(value) > MAX_DELEGATIONS:
        raise InvalidInputError(f"delegations must be a list of at most {MAX_DELEGATIONS} roles")
    found = []
    for item in value:
        entry = _object(item, "delegation")
        _members(entry, "delegation", {"keyids", "name", "threshold"}, {"paths"})
        role = Role.parse_delegation(_text(entry, "name"))
        if role.parent != parent:
            raise InvalidInputError(f"{parent} cannot delegate to {role}")
        found.append(
            Delegation(
                role=role,
                keys=_role_keys(entry, role, known),
                paths=_texts(entry.get("paths") or [], "paths"),
            )
        )
    if len({one.role for one in found}) != len(found):
        raise InvalidInputError("a role is delegated to twice")
    return tuple(found)


def _keys(value: Json) -> dict[str, TufKey]:
    document = _object(value, "keys")
    if len(document) > MAX_KEYS:
        raise InvalidInputError(f"more than {MAX_KEYS} keys")
    found = {key_id: keys.parse(entry) for key_id, entry in document.items()}
    for key_id, key in found.items():
        if key.key_id != key_id:
            raise InvalidInputError(f"the key {key_id[:64]} has the id {key.key_id}")
    return found


def _role_keys(entry: dict[str, Json], role: Role, known: Mapping[str, TufKey]) -> RoleKeys:
    if not role.is_delegation:
        _members(entry, role, {"keyids", "threshold"})
    key_ids = tuple(dict.fromkeys(_texts(entry["keyids"] or [], "keyids")))
    threshold = entry["threshold"]
    if isinstance(threshold, bool) or not isinstance(threshold, int):
        raise InvalidInputError(f"the threshold of {role} is not a number")
    missing = [key_id for key_id in key_ids if key_id not in known]
    if missing:
        raise InvalidInputError(f"{role} names a key that is not there: {missing[0][:64]}")
    different = {known[key_id].canonical_id for key_id in key_ids}
    if not 1 <= threshold <= len(different):
        raise InvalidInputError(
            f"{role} wants {threshold} signatures of {len(different)} different keys"
        )
    return RoleKeys(key_ids=key_ids, threshold=threshold)


def _target(entry: dict[str, Json]) -> Target:
    _members(entry, "target", {"hashes", "length"}, {"custom"})
    sha256, sha512 = _hashes(entry["hashes"])
    return Target(
        digest=Digest.parse(f"sha256:{sha256.hex()}"),
        length=_length(entry),
        sha512=sha512,
        custom=entry.get("custom"),
    )


def _file_meta(value: Json) -> FileMeta:
    entry = _object(value, "meta")
    _members(entry, "meta", {"hashes", "length"})
    sha256, sha512 = _hashes(entry["hashes"])
    return FileMeta(length=_length(entry), sha256=sha256, sha512=sha512)


def _hashes(value: Json) -> tuple[bytes, bytes | None]:
    hashes = _object(value, "hashes")
    _members(hashes, "hashes", {"sha256"}, {"sha512"})
    sha256 = _bytes(hashes, "sha256")
    sha512 = _bytes(hashes, "sha512") if "sha512" in hashes else None
    if len(sha256) != 32 or (sha512 is not None and len(sha512) != 64):
        raise InvalidInputError("a hash has the wrong length")
    return sha256, sha512


def _signatures(value: Json) -> tuple[Signature, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_SIGNATURES:
        raise InvalidInputError(f"a file has 1 to {MAX_SIGNATURES} signatures")
    found = []
    for item in value:
        entry = _object(item, "signature")
        _members(entry, "signature", {"keyid", "method", "sig"})
        key_id = _text(entry, "keyid")
        if _KEY_ID.fullmatch(key_id) is None:
            raise InvalidInputError("a keyid is not a SHA-256 in lower-case hex")
        found.append(
            Signature(key_id=key_id, method=_text(entry, "method"), value=_bytes(entry, "sig"))
        )
    return tuple(found)


def _version(signed: dict[str, Json]) -> int:
    value = signed["version"]
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < INT64_MAX:
        raise InvalidInputError("version is not a positive integer")
    return value


def _expires(signed: dict[str, Json]) -> dt.datetime:
    match = _TIME.fullmatch(_text(signed, "expires"))
    if match is None:
        raise InvalidInputError("expires is not a time with its zone (RFC 3339)")
    fraction = (match["fraction"] or "0")[:6].ljust(6, "0")
    zone = match["zone"].replace("Z", "+00:00")
    try:
        moment = dt.datetime.fromisoformat(f"{match['seconds']}.{fraction}{zone}")
        return moment.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInputError("expires is not a time") from error


def _length(entry: dict[str, Json]) -> int:
    value = entry["length"]
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidInputError("length is not a number of bytes")
    return value


def _target_name(name: str) -> str:
    if not 1 <= len(name) <= TARGET_NAME_MAX_CHARACTERS or not name.isprintable():
        raise InvalidInputError(f"{name[:80]!r} is not a name for a target")
    return name


def _kind(signed: dict[str, Json], expected: str) -> None:
    if signed["_type"] != expected:
        raise InvalidInputError(f"_type is not {expected}")


def _members(
    entry: Mapping[str, Json], where: str, needed: Iterable[str], also: Iterable[str] = ()
) -> None:
    needed = set(needed)
    missing, unknown = needed - entry.keys(), entry.keys() - needed - set(also)
    if missing:
        raise InvalidInputError(f"{where} lacks {min(missing)}")
    if unknown:
        raise InvalidInputError(
            f"{where} has a member that the format lacks: {min(unknown)[:40]!r}"
        )


def _object(value: Json, where: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise InvalidInputError(f"{where} is not an object")
    return value


def _text(entry: Mapping[str, Json], name: str) -> str:
    value = entry[name]
    if not isinstance(value, str):
        raise InvalidInputError(f"{name} is not a text")
    return value


def _texts(value: Json, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_KEYS:
        raise InvalidInputError(f"{where} is not a list of at most {MAX_KEYS} texts")
    found = [item for item in value if isinstance(item, str)]
    if len(found) != len(value):
        raise InvalidInputError(f"{where} holds something that is no text")
    return tuple(found)


def _bytes(entry: Mapping[str, Json], name: str) -> bytes:
    text = _text(entry, name)
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInputError(f"{name} is not base64") from error
    if base64.b64encode(decoded).decode("ascii") != text:
        # Else several files would mean one: the last bits of a text can be spare.
        raise InvalidInputError(f"{name} is not in the one form that base64 has for it")
    return decoded
