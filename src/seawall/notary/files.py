"""Files of trees that lie in memory, and how they are answered: by the door, or by a shortcut.

The shortcut asks what the door asks, in the same order, and leaves every no to the door.
"""

from __future__ import annotations

import datetime as dt
import functools
from email.utils import format_datetime
from typing import Final

from seawall.core.clock import Clock
from seawall.core.errors import SeawallError
from seawall.ingress.access import Action, Authenticator
from seawall.ingress.heads import PlainHead
from seawall.ingress.shortcuts import Ready, Shortcut
from seawall.notary import paths
from seawall.notary.paths import Endpoint, Target
from seawall.trust.trees import StoredFile, Trees

_CURRENT: Final = "private, no-cache"
_BY_VERSION: Final = "private, max-age=300, must-revalidate"
_BY_HASH: Final = "private, max-age=2592000, immutable"


def shortcut(
    trees: Trees,
    authenticator: Authenticator,
    *,
    clock: Clock,
    is_secure: bool = False,
    has_browser_fields: bool = True,
) -> Shortcut:
    """Return the way to files in memory for `ingress.server.serve`."""

    def find(asked: PlainHead) -> Ready | None:
        try:
            return _find(trees, authenticator, asked)
        except SeawallError:
            return None

    return Shortcut(
        find=find,
        marker=b"/_trust/tuf/",
        clock=clock,
        is_secure=is_secure,
        has_browser_fields=has_browser_fields,
    )


def remembered(trees: Trees, target: Target) -> StoredFile | None:
    """Return the file if it is in memory and certainly still true. Does not block."""
    assert target.gun is not None
    assert target.role is not None
    version = None if target.version is None else str(target.version)
    return trees.remembered(target.gun, target.role, target.sha256 or version)


def fields(stored: StoredFile, target: Target) -> tuple[tuple[str, str], ...]:
    """Return the header fields of the answer, without those of HTTP itself."""
    if target.sha256 is not None:
        cache = _BY_HASH
    else:
        cache = _CURRENT if target.version is None else _BY_VERSION
    return _fields(cache, stored.created_at)


def _find(trees: Trees, authenticator: Authenticator, asked: PlainHead) -> Ready | None:
    target = paths.parse(asked.path)
    if target is None or target.endpoint is not Endpoint.FILE or target.gun is None:
        return None
    trees.require_ours(target.gun)
    caller = authenticator.caller_of(asked.fields.get("authorization"))
    if not caller.may(Action.PULL, target.gun.repository):
        return None
    found = remembered(trees, target)
    return None if found is None else Ready(fields(found, target), found.content)


@functools.lru_cache(1024)
def _fields(cache: str, created_at: dt.datetime) -> tuple[tuple[str, str], ...]:
    return (
        ("Content-Type", "application/json"),
        ("Cache-Control", cache),
        ("Last-Modified", format_datetime(created_at, usegmt=True)),
        ("X-Content-Type-Options", "nosniff"),
    )
