"""What a notation signature holds, whichever of the two envelopes carries it.

 media type              envelope
 application/jose+json   JWS, flattened JSON       `jws`
 application/cose        COSE_Sign1, tagged        `cose`

`Attributes.check` holds what both must hold: the scheme `notary.x509`; `crit` naming that scheme
and, where there is one, the expiry, and nothing else (a critical header that nobody understands
refuses the signature); an expiry after the time of signing.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from seawall.core import limits
from seawall.core.errors import InvalidInputError
from seawall.trust.algorithms import Algorithm

PAYLOAD_TYPE: Final = "application/vnd.cncf.notary.payload.v1+json"
SIGNATURE_TYPE: Final = "application/vnd.cncf.notary.signature"

SCHEME: Final = "io.cncf.notary.signingScheme"
SCHEME_X509: Final = "notary.x509"
SIGNING_TIME: Final = "io.cncf.notary.signingTime"
EXPIRY: Final = "io.cncf.notary.expiry"
AGENT: Final = "io.cncf.notary.signingAgent"
TIMESTAMP: Final = "io.cncf.notary.timestampSignature"

MAX_BYTES: Final = 256 * limits.KIB


class EnvelopeType(enum.StrEnum):
    """The media type of the signature's one layer."""

    JWS = "application/jose+json"
    COSE = "application/cose"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """The signed attributes."""

    algorithm: Algorithm
    signed_at: dt.datetime  # by the signer's clock
    expires_at: dt.datetime | None

    def check(self, *, scheme: object, content_type: object, critical: Collection[object]) -> None:
        """Raises InvalidInputError; the texts are those of the envelope's signed part."""
        if scheme != SCHEME_X509:
            raise InvalidInputError(f"the signing scheme is not {SCHEME_X509}")
        if content_type != PAYLOAD_TYPE:
            raise InvalidInputError("the payload is not of the Notary Project's type")
        names = {SCHEME} | ({EXPIRY} if self.expires_at else set())
        if len(critical) != len(names) or set(critical) != names:
            raise InvalidInputError(
                "the critical headers are not those that Seawall understands",
                remedy="sign without extended critical attributes",
            )
        if self.expires_at is not None and self.expires_at <= self.signed_at:
            raise InvalidInputError("the signature expires before it was made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A signature taken apart. Nothing in it has been verified."""

    payload: bytes
    signed_bytes: bytes
    signature: bytes  # r‖s, or PSS
    chain: tuple[bytes, ...]  # DER, leaf first
    attributes: Attributes
