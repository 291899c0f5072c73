"""Blobs out: whole, in ranges, or only asked for (distribution-spec, "Pulling blobs")."""

from __future__ import annotations

import io
from typing import BinaryIO

from aiohttp import web

from seawall.core import blocking
from seawall.core.errors import LimitError
from seawall.core.ids import new_id
from seawall.distribution.call import Call
from seawall.distribution.errors import API_VERSION
from seawall.distribution.numbers import Span, parse_ranges
from seawall.distribution.sending import send, send_parts
from seawall.ingress.refusals import RefusedError, Shape
from seawall.oci.digest import Digest

_TYPE = "application/octet-stream"


async def head(call: Call) -> web.StreamResponse:
    """Tell whether the blob is here, and its size."""
    digest = call.digest()
    size = await blocking.run(call.registry.blob_size, call.repository, digest)
    response = web.StreamResponse(headers=_headers(digest))
    response.content_length = size
    return response


async def get(call: Call) -> web.StreamResponse:
    """Send the blob, or the parts of it that `Range` names."""
    digest = call.digest()
    if is_known(call.request, digest):
        await blocking.run(call.registry.blob_size, call.repository, digest)
        return web.Response(status=304, headers=_headers(digest))
    file = await blocking.run(call.registry.open_blob, call.repository, digest)
    try:
        return await _send(call, digest, file)
    finally:
        file.close()


async def delete(call: Call) -> web.StreamResponse:
    """Unlink the blob from the repository."""
    digest = call.digest()
    await blocking.run(call.registry.delete_blob, call.repository, digest, actor=call.caller.actor)
    return web.Response(status=202, headers=API_VERSION)


def is_known(request: web.Request, digest: Digest) -> bool:
    """Tell whether the client has it already (`If-None-Match`, RFC 9110 section 13.1.2)."""
    known = request.headers.get("If-None-Match", "")
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")} if known else set()
    return f'"{digest}"' in tags or "*" in tags


async def _send(call: Call, digest: Digest, file: BinaryIO) -> web.StreamResponse:
    size = file.seek(0, io.SEEK_END)  # asks the kernel for a number: it cannot wait
    headers = _headers(digest)
    spans = _spans(call.request, digest, size)
    if not spans:
        response = web.StreamResponse(headers=headers)
        return await send(call.request, response, file, Span(0, size))
    if len(spans) == 1:
        headers["Content-Range"] = _content_range(spans[0], size)
        response = web.StreamResponse(status=206, headers=headers)
        return await send(call.request, response, file, spans[0])
    boundary = new_id()
    headers["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
    response = web.StreamResponse(status=206, headers=headers)
    parts = [(_part_head(boundary, span, size), span) for span in spans]
    return await send_parts(call.request, response, file, parts, f"\r\n--{boundary}--\r\n".encode())


def _spans(request: web.Request, digest: Digest, size: int) -> list[Span]:
    header = request.headers.get("Range")
    # A partial copy of something else is of no use (RFC 9110 section 13.1.5).
    if header is None or request.headers.get("If-Range", f'"{digest}"') != f'"{digest}"':
        return []
    try:
        return parse_ranges(header, size)
    except LimitError as error:
        shape = Shape(416, "SIZE_INVALID", {"Content-Range": f"bytes */{size}"})
        raise RefusedError(error.message, shape) from error


def _part_head(boundary: str, span: Span, size: int) -> bytes:
    return (
        f"\r\n--{boundary}\r\nContent-Type: {_TYPE}\r\n"
        f"Content-Range: {_content_range(span, size)}\r\n\r\n"
    ).encode()


def _content_range(span: Span, size: int) -> str:
    return f"bytes {span.start}-{span.last}/{size}"


def _headers(digest: Digest) -> dict[str, str]:
    return {
        **API_VERSION,
        "Docker-Content-Digest": digest,
        "ETag": f'"{digest}"',
        "Accept-Ranges": "bytes",
        "Content-Type": _TYPE,
        "Cache-Control": "private, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
    }
