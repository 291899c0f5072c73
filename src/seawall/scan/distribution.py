"""The Linux distribution of an image, from os-release(5)."""

from __future__ import annotations

import re
import shlex
from typing import Final

from seawall.scan.model import Distribution

PATHS: Final = ("etc/os-release", "usr/lib/os-release")
"""Where to look, in this order (os-release(5))."""

_ID: Final = re.compile(r"[a-z0-9._-]{1,64}")
_VERSION_ID: Final = re.compile(r"[A-Za-z0-9._-]{0,64}")


def parse(content: bytes) -> Distribution | None:
    """Read an os-release file; None when it names no valid ID."""
    values: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines()[:200]:
        key, equals, text = line.strip().partition("=")
        if equals and not key.startswith("#"):
            values[key] = _unquote(text)
    identifier = values.get("ID", "").lower()
    version_id = values.get("VERSION_ID", "")
    codename = values.get("VERSION_CODENAME", "")
    if not _ID.fullmatch(identifier) or not _VERSION_ID.fullmatch(version_id):
        return None
    return Distribution(
        id=identifier,
        version_id=version_id,
        codename=codename if _VERSION_ID.fullmatch(codename) else "",
        pretty_name="".join(c for c in values.get("PRETTY_NAME", "")[:200] if c.isprintable()),
    )


def _unquote(text: str) -> str:
    try:
        words = shlex.split(text[:1000])
    except ValueError:
        return ""
    return words[0] if len(words) == 1 else ""
