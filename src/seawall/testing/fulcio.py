"""A small Sigstore for tests: it certifies people for minutes, and logs what they sign.

Nothing here has a network or a disk; stock cosign accepts what it makes (`tests/interop`).
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from seawall.core import strictjson
from seawall.core.strictjson import Json
from seawall.testing import authorities, signatures
from seawall.testing.authorities import Authority
from seawall.trust import bundle, certificates
from seawall.trust.certificates import Certificate
from seawall.trust.keys import PrivateKey
from seawall.trust.log import merkle, notes, trusted_roots, verify
from seawall.trust.model import SignatureFormat, UnverifiedSignature
from seawall.trust.sigstore import certificate_log

ISSUER: Final = "https://accounts.example"
PERSON: Final = "alice@acme.example"
LIFETIME: Final = dt.timedelta(minutes=10)
LOG: Final = "log.example"
SINCE: Final = "2020-01-01T00:00:00Z"

_STAMPS: Final = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_ISSUER_OLD: Final = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER: Final = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sigstore:
    """An authority for people, a log of its certificates and a log of signatures."""

    authority: Authority
    certificate_log: PrivateKey = field(default_factory=signatures.new_key)
    log: PrivateKey = field(default_factory=signatures.new_key)

    def trusted_root(self, **edits: Json) -> bytes:
        """Return the file that makes a verifier trust all of it; `edits` replace its fields."""
        document: dict[str, Json] = {
            "mediaType": trusted_roots.MEDIA_TYPE,
            "tlogs": [_log(self.log, f"https://{LOG}")],
            "ctlogs": [_log(self.certificate_log, "https://certificates.example")],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "acme", "commonName": "people"},
                    "uri": "https://people.example",
                    "certChain": {
                        "certificates": [{"rawBytes": _b64(c.der)} for c in self.authority.chain]
                    },
                    "validFor": {"start": SINCE},
                }
            ],
            "timestampAuthorities": [],
        }
        return strictjson.encode(document | edits)

    def certify(
        self,
        key: PrivateKey,
        now: dt.datetime,
        *,
        person: x509.GeneralName | None = None,
        issuer: str = ISSUER,
        has_stamp: bool = True,
        extended: x509.ObjectIdentifier = ExtendedKeyUsageOID.CODE_SIGNING,
    ) -> Certificate:
        """Return a certificate of minutes for `person`, with the stamp of the log."""
        public = serialization.load_der_public_key(key.public.der)
        assert isinstance(public, ec.EllipticCurvePublicKey)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.authority.chain[0].parsed.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + LIFETIME)
            .add_extension(_usage(), critical=True)
            .add_extension(x509.ExtendedKeyUsage([extended]), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([person or x509.RFC822Name(PERSON)]), critical=True
            )
            .add_extension(_unknown(_ISSUER_OLD, issuer.encode()), critical=False)
            .add_extension(_unknown(_ISSUER, _utf8_string(issuer)), critical=False)
        )
        if has_stamp:
            bare = builder.sign(self.authority.key, hashes.SHA256())
            stamps = self._stamps(bare.tbs_certificate_bytes, now)
            builder = builder.add_extension(_unknown(_STAMPS, stamps), critical=False)
        made = builder.sign(self.authority.key, hashes.SHA256())
        return certificates.parse(made.public_bytes(serialization.Encoding.DER))

    def enter(
        self, payload: bytes, signature: bytes, leaf: Certificate, now: dt.datetime
    ) -> dict[str, Json]:
        """Return the proof that the log, of this one entry, took the signature."""
        body = strictjson.encode(
            {
                "apiVersion": "0.0.1",
                "kind": "dsse",
                "spec": {
                    "envelopeHash": _sha256(_envelope(payload, signature)),
                    "payloadHash": _sha256(payload),
                    "signatures": [
                        {
                            "signature": _b64(signature),
                            "verifier": _b64(certificates.to_pem(leaf)),
                        }
                    ],
                },
            }
        )
        seconds, log_id = int(now.timestamp()), bytes.fromhex(self.log.public.key_id)
        promised = verify.promised_bytes(body, integrated_at=seconds, index=0, log_id=log_id)
        root = merkle.leaf_hash(body)
        # Without the number of its tree behind the name, stock cosign takes a log for one of
        # Rekor's second version, whose leaves are hashed otherwise.
        note = notes.sign(
            notes.Checkpoint(origin=f"{LOG} - 1", size=1, root=root), self.log, name=LOG
        )
        return {
            "logIndex": "0",
            "logId": {"keyId": _b64(log_id)},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(seconds),
            "inclusionPromise": {"signedEntryTimestamp": _b64(self.log.sign(promised))},
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": _b64(root),
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": str(note)},
            },
            "canonicalizedBody": _b64(body),
        }

    def sign(
        self,
        statement: bytes,
        now: dt.datetime,
        *,
        key: PrivateKey | None = None,
        leaf: Certificate | None = None,
        entered_at: dt.datetime | None = None,
    ) -> UnverifiedSignature:
        """Return a bundle over `statement`, by somebody who is certified for it now."""
        signer = key or signatures.new_key()
        shown = leaf or self.certify(signer, now)
        message = bundle.pre_authentication_encoding(bundle.PAYLOAD_TYPE, statement)
        signature = signer.sign(message)
        entry = self.enter(statement, signature, shown, entered_at or now)
        document: dict[str, Json] = {
            "mediaType": bundle.MEDIA_TYPE,
            "verificationMaterial": {
                "certificate": {"rawBytes": _b64(shown.der)},
                "tlogEntries": [entry],
            },
            "dsseEnvelope": strictjson.decode(_envelope(statement, signature), max_bytes=10**6),
        }
        return UnverifiedSignature(
            format=SignatureFormat.SIGSTORE_BUNDLE, content=strictjson.encode(document)
        )

    def sign_payload(
        self,
        payload: bytes,
        now: dt.datetime,
        *,
        key: PrivateKey | None = None,
        leaf: Certificate | None = None,
        entered_at: dt.datetime | None = None,
    ) -> UnverifiedSignature:
        """Return a signature in the old format, with its certificate and the log's promise."""
        signer = key or signatures.new_key()
        shown = leaf or self.certify(signer, now)
        signature, pem = signer.sign(payload), certificates.to_pem(shown)
        body = strictjson.encode(
            {
                "apiVersion": "0.0.1",
                "kind": "hashedrekord",
                "spec": {
                    "data": {"hash": _sha256(payload)},
                    "signature": {
                        "content": _b64(signature),
                        "publicKey": {"content": _b64(pem)},
                    },
                },
            }
        )
        seconds, log_id = int((entered_at or now).timestamp()), self.log.public.key_id
        promised = verify.promised_bytes(
            body, integrated_at=seconds, index=5, log_id=bytes.fromhex(log_id)
        )
        promise: dict[str, Json] = {
            "SignedEntryTimestamp": _b64(self.log.sign(promised)),
            "Payload": {
                "body": _b64(body),
                "integratedTime": seconds,
                "logIndex": 5,
                "logID": log_id,
            },
        }
        return UnverifiedSignature(
            format=SignatureFormat.COSIGN_TAG,
            content=payload,
            signature=_b64(signature),
            certificate=pem.decode(),
            log_promise=strictjson.encode(promise).decode(),
        )

    def _stamps(self, certificate: bytes, now: dt.datetime) -> bytes:
        """Return the list of stamps as the extension holds it (RFC 6962, 3.3)."""
        milliseconds = int(now.timestamp() * 1000)
        issuer = self.authority.chain[0]
        message = certificate_log.signed_bytes(certificate, issuer, milliseconds)
        signature = self.certificate_log.sign(message)
        stamp = b"".join(
            (
                b"\0",
                bytes.fromhex(self.certificate_log.public.key_id),
                milliseconds.to_bytes(8, "big"),
                b"\0\0",  # no extensions
                b"\4\3",  # SHA-256, ECDSA
                len(signature).to_bytes(2, "big"),
                signature,
            )
        )
        listed = len(stamp).to_bytes(2, "big") + stamp
        content = len(listed).to_bytes(2, "big") + listed
        return (
            b"\4" + bytes([len(content)] if len(content) < 128 else [0x81, len(content)]) + content
        )


def new(now: dt.datetime) -> Sigstore:
    """Return one with a root and an authority below it."""
    root = authorities.new_authority(now, "C=US, ST=WA, O=acme, CN=people root")
    return Sigstore(authority=root.below("C=US, ST=WA, O=acme, CN=people", now, path_length=0))


def _log(key: PrivateKey, address: str) -> dict[str, Json]:
    return {
        "baseUrl": address,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": _b64(key.public.der),
            "keyDetails": trusted_roots.KEY_DETAILS,
            "validFor": {"start": SINCE},
        },
        "logId": {"keyId": _b64(bytes.fromhex(key.public.key_id))},
    }


def _envelope(payload: bytes, signature: bytes) -> bytes:
    return strictjson.encode(
        {
            "payload": _b64(payload),
            "payloadType": bundle.PAYLOAD_TYPE,
            "signatures": [{"sig": _b64(signature)}],
        }
    )


def _usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _unknown(oid: x509.ObjectIdentifier, content: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(oid, content)


def _utf8_string(text: str) -> bytes:
    content = text.encode()
    return b"\x0c" + bytes([len(content)]) + content


def _sha256(content: bytes) -> dict[str, Json]:
    return {"algorithm": "sha256", "value": hashlib.sha256(content).hexdigest()}


def _b64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
