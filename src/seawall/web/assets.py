"""The style sheet and pictures, served from memory under names that carry their hash.

A name never changes its bytes, so browsers may keep it for ever; nothing outside the package's own
folder can be named.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

_TYPES: Final = {"css": "text/css", "svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file as it is served."""

    url_name: str  # "seawall.<hash>.css"
    content_type: str
    body: bytes


@functools.cache
def load() -> Mapping[str, Asset]:
    """Return all assets of the package by their plain file name."""
    folder = resources.files("seawall.web") / "static"
    return {
        file.name: _asset(file.name, file.read_bytes())
        for file in folder.iterdir()
        if file.name.rpartition(".")[2] in _TYPES
    }


def url(name: str) -> str:
    """Return the address of the file called `name`; KeyError is a mistake in a template."""
    return f"/static/{load()[name].url_name}"


def find(url_name: str) -> Asset | None:
    """Return the asset served under `url_name`."""
    return next((asset for asset in load().values() if asset.url_name == url_name), None)


def _asset(name: str, body: bytes) -> Asset:
    stem, _, extension = name.rpartition(".")
    mark = hashlib.sha256(body).hexdigest()[:16]
    return Asset(url_name=f"{stem}.{mark}.{extension}", content_type=_TYPES[extension], body=body)
