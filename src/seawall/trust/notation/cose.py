"""Notation's COSE envelope: a tagged COSE_Sign1 (RFC 9052, 4.2) with the chain beside it.

The tag is demanded: the same bytes without it could be read as another COSE message. The payload
is inside, never detached.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

from seawall.core.errors import InvalidInputError
from seawall.trust import algorithms, signing
from seawall.trust.algorithms import Algorithm
from seawall.trust.notation import cbor, envelope
from seawall.trust.notation.cbor import Cbor, Key, Tag
from seawall.trust.notation.envelope import Attributes, Envelope
from seawall.trust.signing import Signer

SIGN1_TAG: Final = 18
EPOCH_TAG: Final = 1
ALGORITHM, CRITICAL, CONTENT_TYPE, X5CHAIN = 1, 2, 3, 33
_UNSIGNED: Final[frozenset[Key]] = frozenset({X5CHAIN, envelope.AGENT, envelope.TIMESTAMP})
_LAST_SECOND: Final = 253402300799  # of the year 9999


def build(
    payload: bytes,
    chain: Sequence[bytes],
    signer: Signer,
    signed_at: dt.datetime,
    expires_at: dt.datetime | None = None,
) -> bytes:
    """Return the envelope over `payload`. `chain` is DER, leaf first; the leaf's key signs."""
    critical: list[Cbor] = [envelope.SCHEME, *([envelope.EXPIRY] if expires_at else [])]
    header: dict[Key, Cbor] = {
        ALGORITHM: Algorithm.ES256.cose_id,
        CRITICAL: critical,
        CONTENT_TYPE: envelope.PAYLOAD_TYPE,
        envelope.SCHEME: envelope.SCHEME_X509,
        envelope.SIGNING_TIME: _epoch(signed_at),
    }
    if expires_at is not None:
        header[envelope.EXPIRY] = _epoch(expires_at)
    protected = cbor.encode(header)
    signature = signing.raw_of(signer.sign(_signed_bytes(protected, payload)))
    certificates: list[Cbor] = list(chain)
    unsigned: dict[Key, Cbor] = {X5CHAIN: certificates}
    return cbor.encode(Tag(SIGN1_TAG, [protected, unsigned, payload, signature]))


def parse(content: bytes) -> Envelope:
    """Take an envelope apart. Raises InvalidInputError or LimitError."""
    message = cbor.decode(content, max_bytes=envelope.MAX_BYTES)
    if not isinstance(message, Tag) or message.number != SIGN1_TAG:
        raise InvalidInputError("the COSE message does not carry the tag of COSE_Sign1")
    parts = message.value
    if not isinstance(parts, list) or len(parts) != 4:
        raise InvalidInputError("the COSE message does not have four parts")
    protected, unsigned, payload, signature = parts
    if not (
        isinstance(protected, bytes) and isinstance(payload, bytes) and isinstance(signature, bytes)
    ):
        raise InvalidInputError("the COSE message's parts are not of their types")
    if not isinstance(unsigned, dict) or not set(unsigned) <= _UNSIGNED:
        raise InvalidInputError("the COSE message has unsigned headers that nobody knows")
    header = cbor.decode(protected, max_bytes=envelope.MAX_BYTES)
    if not isinstance(header, dict):
        raise InvalidInputError("the COSE message's signed header is not a map")
    return Envelope(
        payload=payload,
        signed_bytes=_signed_bytes(protected, payload),
        signature=signature,
        chain=_chain(unsigned.get(X5CHAIN)),
        attributes=_attributes(header),
    )


def _attributes(header: dict[Key, Cbor]) -> Attributes:
    critical = header.get(CRITICAL)
    if not isinstance(critical, list):
        raise InvalidInputError("the COSE message names no critical headers")
    expiry = header.get(envelope.EXPIRY)
    attributes = Attributes(
        algorithm=algorithms.by_cose_id(header.get(ALGORITHM)),
        signed_at=_moment(header.get(envelope.SIGNING_TIME)),
        expires_at=None if envelope.EXPIRY not in header else _moment(expiry),
    )
    attributes.check(
        scheme=header.get(envelope.SCHEME),
        content_type=header.get(CONTENT_TYPE),
        critical=[name if isinstance(name, str) else "" for name in critical],
    )
    return attributes


def _signed_bytes(protected: bytes, payload: bytes) -> bytes:
    """Return the Sig_structure (RFC 9052, 4.4); no external data."""
    return cbor.encode(["Signature1", protected, b"", payload])


def _chain(value: Cbor) -> tuple[bytes, ...]:
    items = value if isinstance(value, list) else [value]  # RFC 9360: one stands by itself
    chain = tuple(item for item in items if isinstance(item, bytes))
    if len(chain) != len(items):
        raise InvalidInputError("the COSE message shows no certificates")
    return chain


def _moment(value: Cbor) -> dt.datetime:
    seconds = value.value if isinstance(value, Tag) and value.number == EPOCH_TAG else None
    if type(seconds) is not int or not 0 <= seconds <= _LAST_SECOND:
        raise InvalidInputError("a time in the COSE message is not seconds since 1970")
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _epoch(moment: dt.datetime) -> Tag:
    return Tag(EPOCH_TAG, int(moment.timestamp()))
