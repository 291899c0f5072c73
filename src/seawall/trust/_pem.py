"""PEM with exactly one block, of a label that the caller names (RFC 7468, strict in what we read).

A file with two keys, or with text around the block, is refused: two readers could each take
another one.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from seawall.trust.errors import KeyFormatError

MAX_BYTES: Final = 16 * 1024
LINE_CHARACTERS: Final = 64

_BLOCK: Final = re.compile(
    r"\s*-----BEGIN (?P<label>[A-Z0-9 ]{1,60})-----\r?\n"
    r"(?P<body>[A-Za-z0-9+/=\r\n]+)"
    r"-----END (?P=label)-----\s*",
    re.ASCII,
)


def decode(pem: bytes) -> tuple[str, bytes]:
    """Return the label and the content of the one block. Raises KeyFormatError."""
    if len(pem) > MAX_BYTES:
        raise KeyFormatError(f"a key file of {len(pem)} bytes, more than the {MAX_BYTES} allowed")
    try:
        match = _BLOCK.fullmatch(pem.decode("ascii"))
        if match is None:
            raise KeyFormatError(
                "not a key in PEM form", remedy="give a file with one BEGIN … END block"
            )
        body = "".join(match["body"].split())
        return match["label"], base64.b64decode(body, validate=True)
    except (UnicodeDecodeError, binascii.Error) as error:
        raise KeyFormatError(f"not a key in PEM form: {error}") from error


def encode(label: str, content: bytes) -> bytes:
    """Return one PEM block, ending in a line break."""
    text = base64.b64encode(content).decode("ascii")
    lines = [text[at : at + LINE_CHARACTERS] for at in range(0, len(text), LINE_CHARACTERS)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()
