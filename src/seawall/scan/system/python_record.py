"""Which files a Python distribution installed: `NAME.dist-info/RECORD` (PEP 376, PEP 627).

It makes no package of its own; it explains the programs and libraries that lie beside Python code.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final

from seawall.core.limits import MIB
from seawall.oci.layers import canonical_path
from seawall.scan.readers import Content
from seawall.scan.system import Database, SystemReader, owned

MANAGER: Final = "python"
MAX_FILES: Final = 200_000

_LINE: Final = re.compile(
    r'"?([^",\n]+)"?,(?:sha256=([A-Za-z0-9_-]{43}))?,[0-9]*\r?$', re.MULTILINE
)


def read(content: Content, path: str) -> Database:
    """Read a RECORD; lines that do not parse own nothing."""
    folder, _, _ = path.rpartition("/")
    site, _, name = folder.rpartition("/")
    package = name.removesuffix(".dist-info").rpartition("-")[0]
    return Database(owned=(owned(package, _files(bytes(content), site), "sha256"),))


def _files(content: bytes, site: str) -> Iterator[tuple[str, bytes | None]]:
    text = content.decode("utf-8", "surrogateescape")
    for number, match in enumerate(_LINE.finditer(text)):
        if number == MAX_FILES:
            return
        try:
            file = canonical_path(f"{site}/{match[1]}" if site else match[1])
        except ValueError:
            continue  # it leads out of the root
        yield file, _digest(match[2])


def _digest(text: str | None) -> bytes | None:
    try:
        return base64.urlsafe_b64decode(f"{text}=") if text else None
    except binascii.Error:
        return None


READERS: Final = (
    SystemReader(
        manager=MANAGER,
        read=read,
        names=frozenset({"RECORD"}),
        is_wanted=lambda path: path.endswith(".dist-info/RECORD"),
        max_bytes=32 * MIB,
    ),
)
