"""Blobs in: in one request, in a stream, in chunks, or mounted from another repository
(distribution-spec, "Pushing blobs")."""

from __future__ import annotations

from aiohttp import web

from seawall.core import blocking
from seawall.core.errors import SeawallError
from seawall.distribution import bodies
from seawall.distribution.call import Call, parse_digest
from seawall.distribution.errors import API_VERSION, response_of
from seawall.distribution.numbers import Span, parse_content_range
from seawall.ingress.access import Action
from seawall.ingress.refusals import RefusedError, Shape
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.registry.errors import OffsetError
from seawall.registry.model import Upload
from seawall.registry.uploads import Incoming

_ALGORITHMS = frozenset({"sha256", "sha512"})


async def start(call: Call) -> web.StreamResponse:
    """Begin an upload, or do without: by a mount, or with the whole blob in this request."""
    _refuse_unknown_algorithm(call)
    mount, digest = call.query("mount"), call.query("digest")
    if mount is not None:
        wanted = parse_digest(mount)
        if await blocking.run(_mount, call, wanted):
            return _created(call, wanted)
    elif digest is not None:
        return await _receive_whole(call, parse_digest(digest))
    upload = await blocking.run(call.registry.uploads.start, call.repository, call.caller.actor)
    return _accepted(call, upload)


async def append(call: Call) -> web.StreamResponse:
    """Take a chunk, or a stream of unknown length."""
    span = _content_range(call)
    incoming = await _open(call, span)
    if isinstance(incoming, web.Response):
        return incoming
    await _receive(call, incoming, span)
    return _accepted(call, await blocking.run(incoming.suspend))


async def finish(call: Call) -> web.StreamResponse:
    """Take the last bytes, if any, and make the blob."""
    digest = parse_digest(call.query("digest") or "")
    span = _content_range(call)
    incoming = await _open(call, span)
    if isinstance(incoming, web.Response):
        return incoming
    await _receive(call, incoming, span)
    await blocking.run(incoming.finish, digest)
    return _created(call, digest)


async def state(call: Call) -> web.StreamResponse:
    """Tell where the upload stands."""
    upload = await blocking.run(call.registry.uploads.state, call.repository, call.target.item)
    return web.Response(status=204, headers=_where(call, upload.id, upload.offset))


async def cancel(call: Call) -> web.StreamResponse:
    """End the upload and drop its bytes."""
    await blocking.run(call.registry.uploads.cancel, call.repository, call.target.item)
    return web.Response(status=204, headers=API_VERSION)


def _mount(call: Call, digest: Digest) -> bool:
    source = call.query("from")
    # A token cannot list every repository that a blob may come from: ask for the rights of now.
    caller = call.authenticator.with_current_rights(call.caller)
    return call.registry.uploads.mount(
        call.repository,
        digest,
        RepositoryName.parse(source) if source is not None else None,
        lambda name: caller.may(Action.PULL, name),
    )


async def _receive_whole(call: Call, digest: Digest) -> web.StreamResponse:
    incoming = await blocking.run(call.registry.uploads.whole, call.repository)
    try:
        await bodies.stream(call.request, incoming.write)
    except BaseException:
        incoming.abandon()
        raise
    await blocking.run(incoming.finish, digest)
    return _created(call, digest)


async def _open(call: Call, span: Span | None) -> Incoming | web.Response:
    """Open the upload, or return the 416 that tells where it stands."""
    begins_at = None if span is None else span.start
    try:
        return await blocking.run(
            call.registry.uploads.append, call.repository, call.target.item, begins_at
        )
    except OffsetError as error:
        response = response_of(error)
        response.headers.update(_where(call, call.target.item, error.offset))
        return response


async def _receive(call: Call, incoming: Incoming, span: Span | None) -> None:
    """Take the body. What arrived before it broke off is kept, unless it lied about its length."""
    begin = incoming.offset
    try:
        await bodies.stream(call.request, incoming.write)
    except (ConnectionError, web.RequestPayloadError):
        await blocking.run(incoming.suspend)
        raise
    except SeawallError:  # the upload is gone already
        raise
    except BaseException:
        incoming.undo()
        raise
    if span is not None and incoming.offset - begin != span.count:
        incoming.undo()
        raise RefusedError(
            f"Content-Range announced {span.count} bytes, and {incoming.offset - begin} came",
            Shape(400, "SIZE_INVALID"),
            remedy="send the chunk again",
        )


def _content_range(call: Call) -> Span | None:
    text = call.request.headers.get("Content-Range")
    if text is None:
        return None
    span, length = parse_content_range(text), bodies.declared_length(call.request)
    if length is not None and length != span.count:
        raise RefusedError(
            f"Content-Range announces {span.count} bytes, and Content-Length {length}",
            Shape(400, "SIZE_INVALID"),
        )
    return span


def _refuse_unknown_algorithm(call: Call) -> None:
    algorithm = call.query("digest-algorithm")
    if algorithm is not None and algorithm not in _ALGORITHMS:
        raise RefusedError(
            f"digest algorithm {algorithm[:40]!r} is not supported", Shape(400, "DIGEST_INVALID")
        )


def _accepted(call: Call, upload: Upload) -> web.Response:
    return web.Response(status=202, headers=_where(call, upload.id, upload.offset))


def _created(call: Call, digest: Digest) -> web.Response:
    headers = {"Location": f"{call.url}/blobs/{digest}", "Docker-Content-Digest": digest}
    return web.Response(status=201, headers={**API_VERSION, **headers})


def _where(call: Call, upload_id: str, offset: int) -> dict[str, str]:
    return {
        **API_VERSION,
        "Location": f"{call.url}/blobs/uploads/{upload_id}",
        # An end that is included cannot say "nothing": clients expect 0-0 then.
        "Range": f"0-{max(offset - 1, 0)}",
        "Docker-Upload-UUID": upload_id,
    }
