"""Lists: tags, referrers, and the catalog of what the caller may see; all in pages."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from aiohttp import web

from seawall.core import blocking, strictjson
from seawall.core.errors import InvalidInputError
from seawall.core.limits import MIB
from seawall.distribution.call import Call
from seawall.distribution.errors import API_VERSION
from seawall.distribution.numbers import parse_number
from seawall.ingress.access import Action
from seawall.oci import media
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName, Tag
from seawall.registry import Referrer
from seawall.registry.limits import PAGE

REFERRERS_PAGE: Final = 500
REFERRERS_PAGE_BYTES: Final = 3 * MIB  # clients refuse an index above 4 MiB
ARTIFACT_TYPE_MAX: Final = 255


async def ping(_call: Call) -> web.StreamResponse:
    """Tell that this is a registry, and that the caller's proof holds."""
    return web.json_response({}, headers=API_VERSION)


async def tags(call: Call) -> web.StreamResponse:
    """List a repository's tags, sorted by bytes."""
    n, last = _count(call), call.query("last")
    after = Tag.parse(last) if last else ""
    found = await blocking.run(call.registry.tags, call.repository, n + 1, after)
    headers = _next(call, f"{call.url}/tags/list", n, found[:n]) if len(found) > n else {}
    return _json({"name": call.repository, "tags": found[:n]}, headers)


async def catalog(call: Call) -> web.StreamResponse:
    """List the repositories that the caller may pull from."""
    n, last = _count(call), call.query("last")
    after = RepositoryName.parse(last) if last else ""
    found = await blocking.run(_visible, call, n + 1, after)
    headers = _next(call, "/v2/_catalog", n, found[:n]) if len(found) > n else {}
    return _json({"repositories": found[:n]}, headers)


async def referrers(call: Call) -> web.StreamResponse:
    """List what refers to a manifest, which need not be here itself. Never 404."""
    subject, wanted = call.digest(), _artifact_type(call)
    last = call.query("last")
    found = await blocking.run(
        call.registry.referrers,
        call.repository,
        subject,
        wanted,
        after=Digest.parse(last) if last else "",
        limit=REFERRERS_PAGE + 1,
    )
    entries = _fitting([_descriptor(one) for one in found])
    headers = {"OCI-Filters-Applied": "artifactType"} if wanted is not None else {}
    if len(entries) < len(found):
        query: dict[str, str] = {"last": found[len(entries) - 1].digest}
        query |= {"artifactType": wanted} if wanted is not None else {}
        headers |= _link(f"{call.url}/referrers/{subject}", query)
    index = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": entries}
    return _json(index, headers, media.OCI_INDEX)


def _visible(call: Call, n: int, after: str) -> list[RepositoryName]:
    caller = call.authenticator.with_current_rights(call.caller)
    return call.registry.repositories(lambda name: caller.may(Action.PULL, name), n, after)


def _count(call: Call) -> int:
    text = call.query("n")
    return PAGE if text is None else min(parse_number(text, "n"), PAGE)


def _next(call: Call, path: str, n: int, page: list[Tag] | list[RepositoryName]) -> dict[str, str]:
    # A page of nothing has no next one: it would be the same for ever.
    return _link(path, {"n": str(n), "last": page[-1]}) if page else {}


def _link(path: str, query: dict[str, str]) -> dict[str, str]:
    text = "&".join(f"{key}={quote(value, safe='')}" for key, value in query.items())
    return {"Link": f'<{path}?{text}>; rel="next"'}


def _artifact_type(call: Call) -> str | None:
    text = call.query("artifactType")
    if text is not None and not (text.isascii() and len(text) <= ARTIFACT_TYPE_MAX):
        raise InvalidInputError("artifactType is not a media type")
    return text or None


def _descriptor(one: Referrer) -> dict[str, object]:
    entry: dict[str, object] = {
        "mediaType": one.media_type,
        "digest": one.digest,
        "size": one.size,
    }
    if one.artifact_type:
        entry["artifactType"] = one.artifact_type
    if one.annotations:
        entry["annotations"] = one.annotations
    return entry


def _fitting(entries: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return as many as one page may hold, at least one."""
    total = 0
    for count, entry in enumerate(entries):
        total += len(strictjson.encode(entry))
        if count and (count >= REFERRERS_PAGE or total > REFERRERS_PAGE_BYTES):
            return entries[:count]
    return entries


def _json(
    value: object, headers: dict[str, str], content_type: str = "application/json"
) -> web.Response:
    every = {**API_VERSION, **headers, "Content-Type": content_type}
    return web.Response(body=strictjson.encode(value), headers=every)
