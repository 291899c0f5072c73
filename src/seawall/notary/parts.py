"""Reads uploads: `multipart/form-data`, one part for each file, named by its role.

Only the one form that clients send is understood (RFC 7578 without its older variants). Everything
is bounded: each upload, the number of parts, and all uploads of the process that are under way.
"""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from seawall.core.errors import LimitError, UnavailableError
from seawall.core.limits import MIB
from seawall.ingress.refusals import RefusedError, Shape
from seawall.notary.answers import MALFORMED
from seawall.trust.tuf.rules import MAX_FILES, UPLOAD_MAX_BYTES

BODY_MAX_BYTES: Final = UPLOAD_MAX_BYTES + 64 * 1024
ALL_MAX_BYTES: Final = 256 * MIB
"""Of all uploads that are under way in this process."""
HEAD_MAX_BYTES: Final = 2048
_BOUNDARY: Final = re.compile(
    r'multipart/form-data;\s*boundary=(?:"([^"\s]{1,70})"|([^";\s]{1,70}))\s*', re.ASCII | re.I
)
_DISPOSITION: Final = re.compile(
    rb'content-disposition: *form-data; *name="files"(?:; *filename="([^"\\\r\n]{0,300})")?', re.I
)


class Uploads:
    """Reads the bodies of uploads, within what all of them together may hold."""

    def __init__(self, all_max_bytes: int = ALL_MAX_BYTES) -> None:
        self._left = all_max_bytes

    async def read(self, request: web.Request) -> dict[str, bytes]:
        """Return the files of an upload by their names, without the suffix `.json`.

        Raises RefusedError, LimitError, and UnavailableError when too much is under way.
        """
        boundary = boundary_of(request.headers.get("Content-Type", ""))
        length = request.content_length
        if length is not None and length > BODY_MAX_BYTES:
            raise _too_large()
        taken, chunks = 0, list[bytes]()
        try:
            while chunk := await request.content.readany():
                taken, self._left = taken + len(chunk), self._left - len(chunk)
                if taken > BODY_MAX_BYTES:
                    raise _too_large()
                if self._left < 0:
                    raise UnavailableError("too many uploads at once", remedy="try again soon")
                chunks.append(chunk)
            return parse(b"".join(chunks), boundary)
        finally:
            self._left += taken


def boundary_of(content_type: str) -> bytes:
    """Return the boundary that a content type names. Raises RefusedError."""
    match = _BOUNDARY.fullmatch(content_type)
    if match is None:
        raise RefusedError("an upload is multipart/form-data with a boundary", MALFORMED)
    return (match[1] or match[2]).encode()


def parse(body: bytes, boundary: bytes) -> dict[str, bytes]:
    """Return the parts of a body by name. Raises RefusedError."""
    delimiter = b"\r\n--" + boundary
    whole = b"\r\n" + body
    if whole.count(delimiter) > MAX_FILES + 1:
        raise RefusedError(f"an upload of more than {MAX_FILES} files", MALFORMED)
    before, *parts = whole.split(delimiter)
    if before or not parts or parts.pop() not in (b"--", b"--\r\n"):
        raise RefusedError("the upload does not parse", MALFORMED)
    found: dict[str, bytes] = {}
    for part in parts:
        name, content = _part(part)
        if name in found:
            raise RefusedError(f"{name[:80]} is uploaded twice", Shape(400, "VERSION"))
        found[name] = content
    return found


def _part(part: bytes) -> tuple[str, bytes]:
    head, blank, content = part.partition(b"\r\n\r\n")
    if not head.startswith(b"\r\n") or not blank or len(head) > HEAD_MAX_BYTES:
        raise RefusedError("a part of the upload does not parse", MALFORMED)
    dispositions = [
        line for line in head.split(b"\r\n") if line.lower().startswith(b"content-disposition:")
    ]
    match = _DISPOSITION.fullmatch(dispositions[0]) if len(dispositions) == 1 else None
    if match is None:
        raise RefusedError('a part is not named "files"', MALFORMED)
    name = (match[1] or b"").decode("utf-8", "replace").removesuffix(".json")
    if not name:
        raise RefusedError("a part has no filename", Shape(400, "NO_FILENAME"))
    return name, content


def _too_large() -> LimitError:
    return LimitError(f"an upload of more than {UPLOAD_MAX_BYTES} bytes")
