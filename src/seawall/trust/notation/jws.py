"""Notation's JWS envelope: flattened JSON (RFC 7515, 7.2.2) with the chain beside the signature.

Strict JSON, base64url without padding in its one canonical form, no field that the specification
does not know outside the signed part. The signed header may hold more (it is signed), but nothing
critical that is unknown, and never `b64` (RFC 7797), which changes what is signed.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Sequence
from typing import Final

from seawall.core import strictjson
from seawall.core.errors import InvalidInputError
from seawall.core.strictjson import Json
from seawall.trust import algorithms, signing
from seawall.trust.algorithms import Algorithm
from seawall.trust.notation import envelope
from seawall.trust.notation.envelope import Attributes, Envelope
from seawall.trust.signing import Signer

MAX_DEPTH: Final = 6
_FIELDS: Final = frozenset({"payload", "protected", "header", "signature"})
_UNSIGNED: Final = frozenset({"x5c", envelope.AGENT, envelope.TIMESTAMP})
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)", re.ASCII)


def build(
    payload: bytes,
    chain: Sequence[bytes],
    signer: Signer,
    signed_at: dt.datetime,
    expires_at: dt.datetime | None = None,
) -> bytes:
    """Return the envelope over `payload`. `chain` is DER, leaf first; the leaf's key signs."""
    header: dict[str, Json] = {
        "alg": Algorithm.ES256.value,
        "cty": envelope.PAYLOAD_TYPE,
        "crit": [envelope.SCHEME, *([envelope.EXPIRY] if expires_at else [])],
        envelope.SCHEME: envelope.SCHEME_X509,
        envelope.SIGNING_TIME: _text_of(signed_at),
    }
    if expires_at is not None:
        header[envelope.EXPIRY] = _text_of(expires_at)
    protected, body = _b64url(strictjson.encode(header)), _b64url(payload)
    signature = signing.raw_of(signer.sign(f"{protected}.{body}".encode()))
    certificates: list[Json] = [base64.b64encode(der).decode("ascii") for der in chain]
    return strictjson.encode(
        {
            "payload": body,
            "protected": protected,
            "header": {"x5c": certificates},
            "signature": _b64url(signature),
        }
    )


def parse(content: bytes) -> Envelope:
    """Take an envelope apart. Raises InvalidInputError or LimitError."""
    document = _object(content)
    if set(document) != _FIELDS:
        raise InvalidInputError("the JWS has not exactly payload, protected, header and signature")
    unsigned = document["header"]
    if not isinstance(unsigned, dict) or not set(unsigned) <= _UNSIGNED:
        raise InvalidInputError("the JWS has unsigned headers that nobody knows")
    protected, payload = document["protected"], document["payload"]
    return Envelope(
        payload=_decode(payload, "payload"),
        signed_bytes=f"{protected}.{payload}".encode(),
        signature=_decode(document["signature"], "signature"),
        chain=_chain(unsigned.get("x5c")),
        attributes=_attributes(_object(_decode(protected, "protected"))),
    )


def _attributes(header: dict[str, Json]) -> Attributes:
    if "b64" in header:
        raise InvalidInputError("the JWS has a payload that is not encoded")
    critical = header.get("crit")
    if not isinstance(critical, list) or not all(isinstance(name, str) for name in critical):
        raise InvalidInputError("the JWS names no critical headers")
    expiry = header.get(envelope.EXPIRY)
    attributes = Attributes(
        algorithm=algorithms.by_name(header.get("alg")),
        signed_at=_moment(header.get(envelope.SIGNING_TIME)),
        expires_at=None if envelope.EXPIRY not in header else _moment(expiry),
    )
    attributes.check(
        scheme=header.get(envelope.SCHEME),
        content_type=header.get("cty"),
        critical=[str(name) for name in critical],
    )
    return attributes


def _object(content: bytes) -> dict[str, Json]:
    return strictjson.decode_object(content, max_bytes=envelope.MAX_BYTES, max_depth=MAX_DEPTH)


def _chain(value: Json) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not value:
        raise InvalidInputError("the JWS shows no certificate")
    chain = []
    for item in value:
        try:
            text = item if isinstance(item, str) else ""
            chain.append(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError) as error:
            raise InvalidInputError("a certificate in the JWS is not base64") from error
        if base64.b64encode(chain[-1]).decode("ascii") != item:
            raise InvalidInputError("a certificate in the JWS is not canonical base64")
    return tuple(chain)


def _decode(value: Json, where: str) -> bytes:
    if not isinstance(value, str) or not value:
        raise InvalidInputError(f"the JWS's {where} must be a text")
    try:
        decoded = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInputError(f"the JWS's {where} is not base64url") from error
    if _b64url(decoded) != value:  # padding, line breaks, or bits that nobody reads
        raise InvalidInputError(f"the JWS's {where} is not canonical base64url")
    return decoded


def _moment(value: Json) -> dt.datetime:
    found = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise InvalidInputError("a time in the JWS is not RFC 3339 in whole seconds")
    try:
        return dt.datetime.fromisoformat(found.string).astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInputError("a time in the JWS does not exist") from error


def _text_of(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _b64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
