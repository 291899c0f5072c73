"""Both of notation's envelopes behind one function.

Which of the two it is follows from the media type of the layer that holds it, never from the bytes.
"""

from __future__ import annotations

from typing import Final

from seawall.core.errors import InvalidInputError
from seawall.trust.model import SignatureFormat
from seawall.trust.notation import cose, jws
from seawall.trust.notation.envelope import Envelope, EnvelopeType

FORMATS: Final = {
    EnvelopeType.JWS: SignatureFormat.NOTATION_JWS,
    EnvelopeType.COSE: SignatureFormat.NOTATION_COSE,
}


def parse(kind: SignatureFormat, content: bytes) -> Envelope:
    """Take an envelope of one of notation's formats apart. Raises InvalidInputError, LimitError."""
    match kind:
        case SignatureFormat.NOTATION_JWS:
            return jws.parse(content)
        case SignatureFormat.NOTATION_COSE:
            return cose.parse(content)
        case _:
            raise InvalidInputError(f"{kind} is not an envelope of notation")
