"""What stands in the log: bodies in their one canonical spelling.

 dsse               a signature over an envelope, as Rekor's kind `dsse` 0.0.1 spells it, so that
                    stock cosign finds its own signature in it
 seawall.tag        a tag was made, moved or taken away
 seawall.signature  a signature by a key that the installation trusts was found on an image
 seawall.referrer   something about an image was pushed beside it
 seawall.tree       new files of a repository's signed tree were accepted, or all of it deleted
 seawall.tree-tags  a role of that tree says something else of these tags

Ours name the repository, so who may not see it is shown the hash of the body alone. `blind` keeps
names from being guessed out of that hash.

Refused: a body in any other spelling than the one that we write (keys in order, no white space), a
field too many or too few, and signatures or keys that are none on P-256.
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec

from seawall.core import limits, strictjson
from seawall.core.errors import InvalidInputError
from seawall.core.strictjson import Json
from seawall.oci.digest import Digest
from seawall.trust import bundle, keys
from seawall.trust.keys import PublicKey
from seawall.trust.model import NamedImage

API_VERSION: Final = "0.0.1"
BODY_MAX_BYTES: Final = 512 * limits.KIB
BODY_MAX_DEPTH: Final = 8
STATEMENT_MAX_BYTES: Final = 4 * limits.MIB
BLIND_BYTES: Final = 16


class Kind(enum.StrEnum):
    DSSE = "dsse"
    TAG = "seawall.tag"
    SIGNATURE = "seawall.signature"
    REFERRER = "seawall.referrer"
    TREE = "seawall.tree"
    TREE_TAGS = "seawall.tree-tags"


class _Fact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Something that the audit log says. `event` is its number there, `time` when it happened."""

    repository: str
    event: int
    time: str
    blind: str


class TagMove(_Fact, frozen=True, kw_only=True):
    """`digest` is None when the tag was taken away, `previous` None when it was made."""

    tag: str
    digest: str | None
    previous: str | None


class KeyUse(_Fact, frozen=True, kw_only=True):
    """The key `key_id` signed `digest`; `tag` is the one that the signature names."""

    digest: str
    tag: str | None
    key_id: str


class Referral(_Fact, frozen=True, kw_only=True):
    """`digest` was pushed as something about `subject`."""

    digest: str
    subject: str
    artifact_type: str


class TreeVersion(_Fact, frozen=True, kw_only=True):
    """The tree of a name (`gun`, host included) has new files: each role's version.

    No roles: the tree is gone. `keys` are those that may, or may no longer, sign for a role.
    """

    gun: str
    roles: dict[str, int]
    keys: list[TreeKey]


class TreeKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key that was added to a role, or taken away. `id` is its id in the tree."""

    role: str
    id: str
    added: bool


class TreeTags(_Fact, frozen=True, kw_only=True):
    """A role of a tree, in this version, says something else of tags than before."""

    gun: str
    role: str
    version: int
    changes: list[TreeTag]


class TreeTag(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The digest before and after; None where the role says nothing."""

    tag: str
    was: str | None
    now: str | None


Fact: TypeAlias = "TagMove | KeyUse | Referral | TreeVersion | TreeTags"

_FACTS: Final[dict[Kind, type[TagMove | KeyUse | Referral | TreeVersion | TreeTags]]] = {
    Kind.TAG: TagMove,
    Kind.SIGNATURE: KeyUse,
    Kind.REFERRER: Referral,
    Kind.TREE: TreeVersion,
    Kind.TREE_TAGS: TreeTags,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedEnvelope:
    """A DSSE envelope with its one signature. Unverified."""

    payload: bytes
    payload_type: str
    signature: bytes

    @property
    def signed_bytes(self) -> bytes:
        return bundle.pre_authentication_encoding(self.payload_type, self.payload)

    def to_json(self) -> dict[str, Json]:
        """Return the envelope as bundles hold it; what it is hashed as is its canonical form."""
        return {
            "payload": bundle.encode_base64(self.payload),
            "payloadType": self.payload_type,
            "signatures": [{"sig": bundle.encode_base64(self.signature)}],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureEntry:
    """What a `dsse` body says: the key signed this payload with this signature."""

    envelope_sha256: str
    payload_sha256: str
    signature: bytes
    verifier: PublicKey

    def is_of(self, envelope: SignedEnvelope, signer: PublicKey) -> bool:
        """Tell whether this is the entry of exactly that envelope by that signer."""
        return self == _entry_of(envelope, signer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a statement is about."""

    digests: tuple[Digest, ...]
    image: NamedImage | None
    predicate_type: str


def parse_envelope(value: Json) -> SignedEnvelope:
    """Parse a DSSE envelope with exactly one signature. Raises InvalidInputError."""
    if not isinstance(value, dict) or not set(value) <= {"payload", "payloadType", "signatures"}:
        raise InvalidInputError("a DSSE envelope is expected")
    kind, signatures = value.get("payloadType"), value.get("signatures")
    if not isinstance(kind, str) or not 0 < len(kind) <= 256:
        raise InvalidInputError("the envelope has no payloadType")
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise InvalidInputError("the envelope must hold exactly one signature")
    one = signatures[0]
    if not isinstance(one, dict) or not set(one) <= {"sig", "keyid"}:
        raise InvalidInputError("the envelope's signature must be an object with sig")
    return SignedEnvelope(
        payload=bundle.decode_base64(value.get("payload"), "payload"),
        payload_type=kind,
        signature=bundle.decode_base64(one.get("sig"), "sig"),
    )


def signature_body(envelope: SignedEnvelope, signer: PublicKey) -> bytes:
    """Return the `dsse` body for an envelope that `signer` signed."""
    return _signature_body(_entry_of(envelope, signer))


def fact_body(fact: Fact) -> bytes:
    """Return the body of a fact."""
    kind = next(kind for kind, form in _FACTS.items() if form is type(fact))
    spec = msgspec.to_builtins(fact)
    return strictjson.encode({"apiVersion": API_VERSION, "kind": kind.value, "spec": spec})


def parse(body: bytes) -> SignatureEntry | Fact:
    """Parse a body of any of our kinds. Raises InvalidInputError or LimitError.

    What it returns has exactly one spelling, and `body` is it.
    """
    document = strictjson.decode_object(body, max_bytes=BODY_MAX_BYTES, max_depth=BODY_MAX_DEPTH)
    if set(document) != {"apiVersion", "kind", "spec"} or document["apiVersion"] != API_VERSION:
        raise InvalidInputError("an entry of the log has apiVersion 0.0.1, kind and spec")
    kind = _kind(document["kind"])
    parsed = (
        _parse_signature(document["spec"])
        if kind is Kind.DSSE
        else _parse_fact(kind, document["spec"])
    )
    # Compared as a whole: white space, order, and the bits that base64 leaves over.
    if _spelled(parsed) != body:
        raise InvalidInputError("the entry is not in its canonical spelling")
    return parsed


def kind_of(body: bytes) -> Kind:
    """Return the kind that a body says it is. Raises InvalidInputError or LimitError."""
    document = strictjson.decode_object(body, max_bytes=BODY_MAX_BYTES, max_depth=BODY_MAX_DEPTH)
    return _kind(document.get("kind"))


def named(payload: bytes) -> Named:
    """Read what an in-toto statement is about. Raises InvalidInputError or LimitError."""
    document = strictjson.decode_object(
        payload, max_bytes=STATEMENT_MAX_BYTES, max_depth=limits.JSON_MAX_DEPTH
    )
    subjects, predicate = document.get("subject"), document.get("predicateType")
    if document.get("_type") != bundle.STATEMENT_TYPE or not isinstance(predicate, str):
        raise InvalidInputError("the payload is not an in-toto statement v1")
    if not isinstance(subjects, list) or not 1 <= len(subjects) <= 64:
        raise InvalidInputError("the statement must have 1 to 64 subjects")
    image: NamedImage | None = None
    digests = []
    for subject in subjects:
        if not isinstance(subject, dict):
            raise InvalidInputError("a subject of the statement must be an object")
        digests.append(_digest(subject.get("digest")))
        annotations = subject.get("annotations")
        name = annotations.get(bundle.NAME_ANNOTATION) if isinstance(annotations, dict) else None
        if isinstance(name, str):
            image = NamedImage.parse(name)
    return Named(digests=tuple(digests), image=image, predicate_type=predicate)


def _entry_of(envelope: SignedEnvelope, signer: PublicKey) -> SignatureEntry:
    return SignatureEntry(
        envelope_sha256=hashlib.sha256(strictjson.encode(envelope.to_json())).hexdigest(),
        payload_sha256=hashlib.sha256(envelope.payload).hexdigest(),
        signature=envelope.signature,
        verifier=signer,
    )


def _signature_body(entry: SignatureEntry) -> bytes:
    return strictjson.encode(
        {
            "apiVersion": API_VERSION,
            "kind": Kind.DSSE.value,
            "spec": {
                "envelopeHash": _sha256(entry.envelope_sha256),
                "payloadHash": _sha256(entry.payload_sha256),
                "signatures": [
                    {
                        "signature": bundle.encode_base64(entry.signature),
                        "verifier": bundle.encode_base64(entry.verifier.pem),
                    }
                ],
            },
        }
    )


def _parse_signature(spec: Json) -> SignatureEntry:
    if not isinstance(spec, dict) or set(spec) != {"envelopeHash", "payloadHash", "signatures"}:
        raise InvalidInputError("a dsse entry has envelopeHash, payloadHash and signatures")
    signatures = spec["signatures"]
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise InvalidInputError("a dsse entry must hold exactly one signature")
    one = signatures[0]
    if not isinstance(one, dict) or set(one) != {"signature", "verifier"}:
        raise InvalidInputError("a dsse entry's signature has signature and verifier")
    signature = bundle.decode_base64(one["signature"], "signature")
    keys.check_signature_form(signature)
    verifier = keys.parse_public(bundle.decode_base64(one["verifier"], "verifier"))
    return SignatureEntry(
        envelope_sha256=_hex(spec["envelopeHash"]),
        payload_sha256=_hex(spec["payloadHash"]),
        signature=signature,
        verifier=verifier,
    )


def _parse_fact(kind: Kind, spec: Json) -> Fact:
    try:
        return msgspec.convert(spec, _FACTS[kind])
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"the entry {kind} does not parse: {error}") from error


def _spelled(parsed: SignatureEntry | Fact) -> bytes:
    return _signature_body(parsed) if isinstance(parsed, SignatureEntry) else fact_body(parsed)


def _kind(value: Json) -> Kind:
    try:
        return Kind(value)  # type: ignore[arg-type]
    except ValueError as error:
        raise InvalidInputError(
            f"the log has no entries of the kind {str(value)[:80]!r}"
        ) from error


def _hex(value: Json) -> str:
    if not isinstance(value, dict) or set(value) != {"algorithm", "value"}:
        raise InvalidInputError("a hash of the entry has algorithm and value")
    text = value["value"]
    if value["algorithm"] != "sha256" or not isinstance(text, str):
        raise InvalidInputError("a hash of the entry is not sha256")
    return Digest.parse(f"sha256:{text}").hex


def _digest(value: Json) -> Digest:
    text = value.get("sha256") if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise InvalidInputError("a subject of the statement has no sha256")
    return Digest.parse(f"sha256:{text}")


def _sha256(value: str) -> dict[str, str]:
    return {"algorithm": "sha256", "value": value}
