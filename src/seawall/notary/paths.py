"""From a raw request path to what is meant.

`/v2/GUN/_trust/…`: no component of a name begins with `_`, so the word is found without doubt.
Nothing is percent-decoded: no valid name or role needs it.
"""

from __future__ import annotations

import enum
import functools
import re
from dataclasses import dataclass
from typing import Final

from seawall.core.errors import InvalidInputError
from seawall.trust.errors import ForeignNameError
from seawall.trust.tuf.names import Gun, Role

HEALTH: Final = "/_notary_server/health"
_VERSION_MAX_DIGITS: Final = 18
_FILE: Final = re.compile(
    r"(?:(?P<version>[1-9][0-9]*)\.)?(?P<role>[a-z][-a-z0-9_/]*)"
    r"(?:\.(?P<hash>[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128}))?\.(?P<kind>json|key)",
    re.ASCII,
)


class Endpoint(enum.StrEnum):
    TREE = "tree"
    FILE = "file"
    KEY = "key"
    FEED = "feed"
    WHOLE_FEED = "whole-feed"
    HEALTH = "health"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is asked for. Of a file, neither hash nor version means the current one."""

    endpoint: Endpoint
    gun: Gun | None = None
    role: Role | None = None
    sha256: str | None = None
    version: int | None = None


@functools.lru_cache(4096)
def parse(raw_path: str) -> Target | None:
    """Return what a path without its query means; None when there is no such endpoint.

    Raises ForeignNameError when the name is malformed.
    """
    if raw_path == HEALTH:
        return Target(endpoint=Endpoint.HEALTH)
    if raw_path == "/v2/_trust/changefeed":
        return Target(endpoint=Endpoint.WHOLE_FEED)
    name, found, rest = raw_path.removeprefix("/v2/").partition("/_trust/")
    if not found or not raw_path.startswith("/v2/"):
        return None
    gun = _gun(name)
    if rest == "changefeed":
        return Target(endpoint=Endpoint.FEED, gun=gun)
    if rest in ("tuf", "tuf/"):
        return Target(endpoint=Endpoint.TREE, gun=gun)
    return _file(gun, rest.removeprefix("tuf/")) if rest.startswith("tuf/") else None


def _gun(text: str) -> Gun:
    try:
        return Gun.parse(text)
    except InvalidInputError as error:
        raise ForeignNameError(error.message, remedy=error.remedy) from error


def _file(gun: Gun, text: str) -> Target | None:
    match = _FILE.fullmatch(text)
    if match is None:
        return None
    version, sha256 = match["version"], match["hash"]
    try:
        role = Role.parse(match["role"])
    except InvalidInputError:
        return None
    if match["kind"] == "key":
        is_plain = version is None and sha256 is None
        return Target(endpoint=Endpoint.KEY, gun=gun, role=role) if is_plain else None
    if version is not None and (sha256 is not None or len(version) > _VERSION_MAX_DIGITS):
        return None
    return Target(
        endpoint=Endpoint.FILE,
        gun=gun,
        role=role,
        sha256=sha256,
        version=None if version is None else int(version),
    )
