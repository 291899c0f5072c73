"""Writes metadata files: the inverse of `metadata.parse`.

They are written byte for byte as programs in Go write them. A stock notary-server, and a client
that holds the snapshot key, does not hash the file that it was given: it parses it, writes it anew
and puts the hash of that into the snapshot. A file that comes out otherwise is then never found.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from seawall.core.strictjson import Json
from seawall.trust import signing
from seawall.trust.signing import Profile, Signer
from seawall.trust.tuf import canonical, keys
from seawall.trust.tuf.keys import KeyType, TufKey
from seawall.trust.tuf.metadata import parse
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
from seawall.trust.tuf.names import Gun, Role

ROOT_CERTIFICATE: Final = Profile(lifetime=dt.timedelta(days=3650), has_key_encipherment=True)
"""As stock clients make it."""
COMMON_NAME_MAX_CHARACTERS: Final = 64

_ESCAPED: Final = {
    one.encode(): f"\\u{ord(one):04x}".encode() for one in ("<", ">", "&", "\u2028", "\u2029")
}
"""What Go's encoding/json escapes in strings; none of it stands outside of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TufSigner:
    """A key as metadata names it, with what signs for it."""

    key: TufKey
    _sign: Callable[[bytes], bytes] = field(repr=False)

    def sign(self, message: bytes) -> Signature:
        return Signature(key_id=self.key.key_id, method=self.key.method, value=self._sign(message))


def signer_as(key: TufKey, signer: Signer) -> TufSigner:
    """Let a P-256 key sign under the name that metadata has for it: bare, or in a certificate.

    Raises ValueError when `key` is another one.
    """
    if key.spki != signer.public.der:
        raise ValueError("the signer does not hold this key")
    return TufSigner(key=key, _sign=_raw(signer))


def ecdsa_signer(signer: Signer) -> TufSigner:
    """Let a P-256 key sign targets and delegations."""
    return TufSigner(key=keys.of_public(signer.public), _sign=_raw(signer))


def root_signer(signer: Signer, certificate: bytes) -> TufSigner:
    """Let a P-256 key sign the root, shown in `certificate` (DER)."""
    return TufSigner(key=keys.of_certificate(certificate), _sign=_raw(signer))


def ed25519_signer(key: ed25519.Ed25519PrivateKey) -> TufSigner:
    """Let a key of the server sign snapshots and timestamps."""
    public = key.public_key().public_bytes_raw()
    return TufSigner(key=keys.of(KeyType.ED25519, public), _sign=key.sign)


def root_certificate(signer: Signer, gun: Gun, now: dt.datetime) -> bytes:
    """Return the self-signed certificate (DER) without which no client accepts a root key."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name(gun))])
    return signing.certify(
        signer.public, name, issuer=signer, issuer_name=name, profile=ROOT_CERTIFICATE, now=now
    )


def common_name(gun: Gun) -> str:
    """Return the name that clients compare with the GUN; a final `*` makes it a prefix."""
    if len(gun) <= COMMON_NAME_MAX_CHARACTERS:
        return gun
    return gun[: COMMON_NAME_MAX_CHARACTERS - 1] + "*"


def signed_file(role: Role, body: Body, signers: Iterable[TufSigner]) -> File:
    """Write and sign a file of `role`. Raises InvalidInputError when a reader would refuse it."""
    message = canonical.encode(to_json(body))
    return _join(role, message, [signer.sign(message) for signer in signers])


def with_signatures(file: File, more: Sequence[Signature]) -> File:
    """Add signatures to a file; one by the same key replaces the former."""
    by_key = {one.key_id: one for one in (*file.signatures, *more)}
    return _join(file.role, file.signed_bytes, list(by_key.values()))


def with_signatures_alone(file: File, signatures: Sequence[Signature]) -> File:
    """Replace the signatures of a file; the last one by each key counts."""
    by_key = {one.key_id: one for one in signatures}
    return _join(file.role, file.signed_bytes, list(by_key.values()))


def to_json(body: Body) -> dict[str, Json]:
    """Return what is signed, as JSON."""
    head: dict[str, Json] = {
        "_type": type(body).__name__,
        "expires": _time(body.expires),
        "version": body.version,
    }
    match body:
        case Root():
            return head | {
                "consistent_snapshot": False,
                "keys": _keys(body.keys),
                "roles": {str(role): _role_keys(entry) for role, entry in body.roles.items()},
            }
        case Targets():
            return head | {
                "targets": {name: _target(target) for name, target in body.targets.items()},
                "delegations": {
                    "keys": _keys(body.keys),
                    "roles": [_delegation(one) for one in body.delegations],
                },
            }
        case Snapshot():
            return head | {"meta": {str(r): _file_meta(m) for r, m in body.meta.items()}}
        case Timestamp():
            return head | {"meta": {"snapshot": _file_meta(body.snapshot)}}


def certificate_der(key: TufKey) -> bytes:
    """Return the leaf certificate of an x509 key."""
    return key.certificates[0].public_bytes(serialization.Encoding.DER)


def _time(moment: dt.datetime) -> str:
    """Return a time as metadata holds it: RFC 3339, UTC, a fraction without zeros at its end."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".") + "Z"


def _raw(signer: Signer) -> Callable[[bytes], bytes]:
    return lambda message: signing.raw_of(signer.sign(message))


def _join(role: Role, message: bytes, signatures: Sequence[Signature]) -> File:
    listed = canonical.encode([one.to_json() for one in signatures])
    for character, escape in _ESCAPED.items():
        message = message.replace(character, escape)
    return parse(role, b'{"signed":' + message + b',"signatures":' + listed + b"}")


def _keys(known: Mapping[str, TufKey]) -> dict[str, Json]:
    return {key_id: key.to_json() for key_id, key in known.items()}


def _role_keys(entry: RoleKeys) -> dict[str, Json]:
    return {"keyids": list(entry.key_ids), "threshold": entry.threshold}


def _delegation(one: Delegation) -> dict[str, Json]:
    return {**_role_keys(one.keys), "name": str(one.role), "paths": list(one.paths)}


def _target(target: Target) -> dict[str, Json]:
    entry = _described(bytes.fromhex(target.digest.hex), target.sha512, target.length)
    return entry if target.custom is None else entry | {"custom": target.custom}


def _file_meta(meta: FileMeta) -> dict[str, Json]:
    return _described(meta.sha256, meta.sha512, meta.length)


def _described(sha256: bytes, sha512: bytes | None, length: int) -> dict[str, Json]:
    hashes: dict[str, Json] = {"sha256": base64.b64encode(sha256).decode("ascii")}
    if sha512 is not None:
        hashes["sha512"] = base64.b64encode(sha512).decode("ascii")
    return {"hashes": hashes, "length": length}
