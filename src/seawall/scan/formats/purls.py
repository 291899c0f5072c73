"""Package URLs as feeds write them: type, name, version and the qualifiers that matching needs."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping

import msgspec

PURL_MAX_CHARS = 1_024


class Purl(msgspec.Struct, frozen=True, kw_only=True):
    """A package URL (ECMA-427) that was read leniently; parts that are not given are empty."""

    type: str
    namespace: str
    name: str
    version: str
    qualifiers: Mapping[str, str]

    @property
    def full_version(self) -> str:
        """Return the version with the epoch of an rpm in front."""
        epoch = self.qualifiers.get("epoch", "")
        return f"{epoch}:{self.version}" if epoch not in ("", "0") else self.version


def parse(text: str) -> Purl | None:
    """Return the parts of a package URL, or None when it is none."""
    if len(text) > PURL_MAX_CHARS or not text.startswith("pkg:"):
        return None
    rest = text[4:].lstrip("/").partition("#")[0]
    path, _, query = rest.partition("?")
    path, _, version = path.partition("@") if "@" in path[1:] else (path, "", "")
    kind, *names = [urllib.parse.unquote(part) for part in path.split("/")]
    if not names or not names[-1]:
        return None
    qualifiers = {
        key: urllib.parse.unquote(value)
        for key, _, value in (part.partition("=") for part in query.split("&"))
        if key
    }
    return Purl(
        type=kind.lower(),
        namespace="/".join(names[:-1]),
        name=names[-1],
        version=urllib.parse.unquote(version),
        qualifiers=qualifiers,
    )
