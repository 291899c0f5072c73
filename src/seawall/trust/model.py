"""The words of trust. Trust is a type: `UnverifiedSignature` is bytes that somebody stored,
`VerifiedSignature` exists only as the outcome of `proof.verify`.
"""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass
from typing import Final

from seawall.oci.digest import Digest
from seawall.oci.names import Reference, RepositoryName, Tag
from seawall.trust.keys import KeyId

MAX_SIGNATURES: Final = 64
"""More signatures on one image are not looked at: its proof fails, loudly."""


class SignatureFormat(enum.StrEnum):
    COSIGN_TAG = "cosign-tag"  # a layer behind the tag sha256-<hex>.sig
    SIGSTORE_BUNDLE = "sigstore-bundle"  # a bundle v0.3, stored as a referrer
    NOTATION_JWS = "notation-jws"  # the Notary Project's envelope in JSON, a referrer
    NOTATION_COSE = "notation-cose"  # the same in COSE


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedSignature:
    """Bytes that claim to be a signature. Nothing about them has been checked."""

    format: SignatureFormat
    content: bytes
    """The signed payload (COSIGN_TAG), or the whole bundle or envelope."""
    signature: str = ""
    """Base64 of the signature (COSIGN_TAG only: it stands beside the content)."""
    certificate: str = ""
    """PEM of the signer's certificate, if one is shown (COSIGN_TAG only, beside the content)."""
    log_promise: str = ""
    """JSON in which a log promises that it took the signature (COSIGN_TAG only)."""
    source: str = ""
    """Where it was found, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedImage:
    """The image that a signer named: `[host/]repository[:tag][@digest]`."""

    host: str | None
    repository: RepositoryName
    tag: Tag | None
    digest: Digest | None

    @classmethod
    def parse(cls, text: str) -> NamedImage:
        """Parse what stands in `docker-reference`; no tag means no tag, never `latest`.

        Raises InvalidInputError.
        """
        reference = Reference.parse(text)
        has_tag = ":" in text.partition("@")[0].rpartition("/")[2]
        return cls(
            host=reference.host,
            repository=reference.repository,
            tag=reference.tag if has_tag else None,
            digest=reference.digest,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a payload says, after its signature was verified."""

    digest: Digest
    image: NamedImage | None  # None: the signer named no repository, only a digest
    signed_at: dt.datetime | None  # by the signer's own clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What a device's proven attestation says of a key that cannot leave it."""

    device: str
    serial: str  # empty when the device does not tell
    firmware: str
    slot: str
    form: str
    pin: str  # a value of tokens.cryptoki.PinPolicy
    touch: str  # a value of tokens.cryptoki.Touch

    def __str__(self) -> str:
        serial = f" {self.serial}" if self.serial else ""
        return f"{self.device}{serial}, slot {self.slot}, touch {self.touch}, PIN {self.pin}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """A key that this installation trusts, for the repositories that `patterns` match."""

    key_id: KeyId
    name: str
    public_pem: bytes
    patterns: tuple[str, ...]
    hardware: Hardware | None = None
    """Set when an attestation proved that the key is on a device; None: nobody knows."""


class AuthorityKind(enum.StrEnum):
    NOTATION = "notation"  # certificates in PEM, as in a trust store of notation
    SIGSTORE = "sigstore"  # a trusted_root.json: authorities that certify people, and logs


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedAuthority:
    """An authority whose certificates may vouch, for the repositories that `patterns` match.

    Only certificates whose identity is among `identities` count: an empty list means nobody.
    """

    name: str
    kind: AuthorityKind
    content: bytes
    identities: tuple[str, ...]
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatory:
    """Who made a signature: a trusted key, or somebody whom a trusted authority names."""

    key_id: KeyId
    """What signers are counted by. Of a named person, derived from authority and name: their keys
    change with every certificate."""
    name: str  # of the key, or of the person
    public_key_id: KeyId
    """The key that signed: one key under two names still counts once."""
    authority: str = ""  # empty for a trusted key


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSignature:
    """One signature that holds: by a trusted signer, over this digest, for this repository."""

    key_id: KeyId
    """Of the signer, see `Signatory.key_id`."""
    key_name: str
    format: SignatureFormat
    digest: Digest
    is_bound_to_repository: bool
    """Whether the signer named the repository, or only the digest (stock cosign's bundles)."""
    tag: Tag | None
    """The tag that the signer named."""
    signed_at: dt.datetime | None
    public_key_id: KeyId
    """The key that signed; differs from `key_id` where an authority names the signer."""
    authority: str = ""
    """The authority that names the signer; empty for a trusted key."""
