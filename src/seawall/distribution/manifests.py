"""Manifests and tags, in and out (distribution-spec, "Pulling manifests", "Pushing Manifests")."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from seawall.core import blocking
from seawall.core.limits import MANIFEST_MAX_BYTES
from seawall.distribution import bodies
from seawall.distribution.blobs import is_known
from seawall.distribution.call import Call, parse_digest
from seawall.distribution.errors import API_VERSION
from seawall.ingress.refusals import RefusedError, Shape
from seawall.oci import manifests, media
from seawall.oci.digest import Digest
from seawall.oci.names import Tag
from seawall.registry import StoredManifest
from seawall.registry.limits import TAGS_MAX_PER_PUSH

_MEDIA_TYPE: Final = re.compile(r"[a-zA-Z0-9!#$&^_.+-]{1,127}/[a-zA-Z0-9!#$&^_.+-]{1,127}")


async def get(call: Call) -> web.StreamResponse:
    """Send the manifest byte for byte as it was pushed; also the answer to HEAD."""
    target = _target(call.target.item)
    stored = call.registry.manifest_at_hand(call.repository, target)
    if stored is None:
        stored = await blocking.run(call.registry.manifest_by_target, call.repository, target)
    return _answer(call.request, stored)


async def put(call: Call) -> web.StreamResponse:
    """Take a manifest under its digest, a tag, or a digest and several tags."""
    name, tags = call.target.item, _tags(call)
    expected = parse_digest(name) if ":" in name else None
    if expected is None:
        tags.insert(0, _tag(name))
    content_type = _content_type(call.request)
    content = await bodies.read_whole(call.request, MANIFEST_MAX_BYTES)
    digest = await blocking.run(
        call.registry.put_manifest,
        call.repository,
        content=content,
        content_type=content_type,
        tags=tags,
        expected=expected,
        actor=call.caller.actor,
    )
    headers = CIMultiDict(API_VERSION)
    headers["Location"] = f"{call.url}/manifests/{digest}"
    headers["Docker-Content-Digest"] = digest
    for tag in tags:
        headers.add("OCI-Tag", tag)
    subject = _subject(content, content_type)
    if subject is not None:
        headers["OCI-Subject"] = subject
    return web.Response(status=201, headers=headers)


async def delete(call: Call) -> web.StreamResponse:
    """Delete a tag, or a manifest with all its tags."""
    name, actor = call.target.item, call.caller.actor
    if ":" in name:
        await blocking.run(
            call.registry.delete_manifest, call.repository, parse_digest(name), actor
        )
    else:
        await blocking.run(call.registry.delete_tag, call.repository, _tag(name), actor)
    return web.Response(status=202, headers=API_VERSION)


def _answer(request: web.Request, stored: StoredManifest) -> web.Response:
    headers = {
        **API_VERSION,
        "Docker-Content-Digest": stored.digest,
        "ETag": f'"{stored.digest}"',
        "Content-Type": stored.media_type,
        "X-Content-Type-Options": "nosniff",
    }
    if "If-None-Match" in request.headers and is_known(request, stored.digest):
        return web.Response(status=304, headers=headers)
    return web.Response(body=stored.content, headers=headers)


def _target(item: str) -> str:
    return parse_digest(item) if ":" in item else _tag(item)


def _tag(text: str) -> Tag:
    # A malformed tag cannot name anything: it is refused as the manifest it does not name.
    return Tag.parse(text)


def _tags(call: Call) -> list[Tag]:
    texts = call.request.query.getall("tag", [])
    if len(texts) > TAGS_MAX_PER_PUSH:
        raise RefusedError(
            f"more than {TAGS_MAX_PER_PUSH} tags in one push", Shape(414, "UNSUPPORTED")
        )
    return [_tag(text) for text in texts]


def _content_type(request: web.Request) -> str:
    """Return the type without parameters; empty when there is none. Raises RefusedError (415)."""
    text = request.headers.get("Content-Type", "").partition(";")[0].strip()
    if not text:
        return ""
    if text in media.MANIFESTS or text in media.INDEXES:
        return text
    shown = text if _MEDIA_TYPE.fullmatch(text) else "this Content-Type"
    raise RefusedError(
        f"{shown} is not a manifest that this registry keeps",
        Shape(415, "MANIFEST_INVALID"),
        remedy="push an OCI or Docker schema 2 manifest or index",
    )


def _subject(content: bytes, content_type: str) -> Digest | None:
    if b'"subject"' not in content:  # spares parsing again what was just parsed
        return None
    subject = manifests.parse(content, content_type).subject
    return subject.digest if subject else None
