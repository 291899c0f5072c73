"""Read a VEX document of any of the three formats, told apart by what it says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from seawall.core import limits, strictjson
from seawall.core.errors import InvalidInputError, NotFoundError, UnavailableError
from seawall.oci.digest import Digest
from seawall.scan.vex import csaf, cyclonedx, openvex
from seawall.scan.vex.model import Document

MAX_BYTES: Final = 32 * limits.MIB
MAX_DEPTH: Final = 64
"""CSAF's trees of products are deep."""

MAX_STATEMENTS: Final = 100_000


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a document's file. Raises NotFoundError, UnavailableError."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)  # the parser refuses one byte too many
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no VEX document {path}") from error
    except OSError as error:
        raise UnavailableError(f"cannot read {path}: {error.strerror}") from error


def read_file(path: Path) -> Document:
    """Read a document. Raises NotFoundError, UnavailableError, and like `parse`."""
    content = read_bytes(path)
    try:
        return parse(content)
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error.message}", remedy=error.remedy) from error


def parse(content: bytes) -> Document:
    """Parse a document. Raises InvalidInputError, LimitError."""
    value = strictjson.decode_object(content, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)
    digest = str(Digest.of(content))
    if "openvex" in str(value.get("@context", "")):
        found = openvex.read(value, digest)
    elif value.get("bomFormat") == "CycloneDX":
        found = cyclonedx.read(value, digest)
    elif isinstance(document := value.get("document"), dict) and "csaf_version" in document:
        found = csaf.read(value, digest)
    else:
        raise InvalidInputError(
            "not a VEX document that is known", remedy="give OpenVEX, CycloneDX or CSAF, as JSON"
        )
    if len(found.statements) > MAX_STATEMENTS:
        raise InvalidInputError(f"more than {MAX_STATEMENTS} statements")
    return found
