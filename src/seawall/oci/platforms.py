"""Which platform this machine's engine runs (image-spec image-index.md, GOOS and GOARCH words).

An engine chooses among an index's entries by rules of its own: variants, a fallback to 32 bits,
entries that name no platform. Whoever judges has to look at all that it might choose.
"""

from __future__ import annotations

import platform as machine
from typing import Final

from seawall.oci.manifests import Platform

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_NARROWER: Final = {"amd64": "386", "arm64": "arm"}


def own_architecture() -> str:
    """Return this machine's architecture in the words of image indexes."""
    return _ARCHITECTURES.get(machine.machine(), machine.machine())


def is_own(platform: Platform | None) -> bool:
    """Tell whether an entry is plainly for this machine."""
    wanted = ("linux", own_architecture())
    return platform is not None and (platform.os, platform.architecture) == wanted


def may_run_here(platform: Platform | None) -> bool:
    """Tell whether an engine of this machine might choose an entry with this platform."""
    own = own_architecture()
    return platform is None or platform.architecture in {own, _NARROWER.get(own), ""}


def is_own_text(text: str) -> bool:
    """Tell whether `text`, as in `docker run --platform`, asks for nothing but this machine's."""
    os, _, rest = text.partition("/")
    return os == "linux" and rest.partition("/")[0] in {"", own_architecture()}
