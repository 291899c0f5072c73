"""The header of one rpm package, as the database of rpm holds it (rpm, `lib/header.c`).

Two big-endian counts, then an index of 16-byte entries (tag, type, offset, count), then the data.
The tags are those of `rpmtag.h`. Everything is checked against the bounds that rpm itself has.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final

from seawall.scan.model import Evidence, PackageType
from seawall.scan.readers import Found, Unreadable
from seawall.scan.system import Owned, owned

MAX_TAGS: Final = 0xFFFF
MAX_FILES: Final = 1_000_000

_NAME, _VERSION, _RELEASE, _EPOCH = 1000, 1001, 1002, 1003
_VENDOR, _LICENSE, _ARCH = 1011, 1014, 1022
_OLD_NAMES, _DIGESTS, _SOURCE_RPM = 1027, 1035, 1044
_DIR_INDEXES, _BASE_NAMES, _DIR_NAMES = 1116, 1117, 1118
_DIGEST_ALGORITHM, _MODULE = 5011, 5096

_INT32, _STRING, _STRING_ARRAY, _I18N = 4, 6, 8, 9
_WANTED: Final = frozenset(
    {_NAME, _VERSION, _RELEASE, _EPOCH, _VENDOR, _LICENSE, _ARCH, _OLD_NAMES, _DIGESTS}
    | {_SOURCE_RPM, _DIR_INDEXES, _BASE_NAMES, _DIR_NAMES, _DIGEST_ALGORITHM, _MODULE}
)
_ALGORITHMS: Final = {1: "md5", 2: "sha1", 8: "sha256"}

_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~^%{}-]{0,254}")
_SOURCE: Final = re.compile(r"(.+)-([^-]+)-([^-]+)\.(?:no)?src\.rpm")
_EVIDENCE: Final = (Evidence(kind="database"),)
_NO_PACKAGE: Final = "gpg-pubkey"
"""A key that signs packages, kept among them."""


def read(blob: bytes) -> tuple[Found, Owned] | None:
    """Read a header; None for what is no package. Raises Unreadable."""
    tags = _Tags(blob)
    name = tags.text(_NAME)
    if name == _NO_PACKAGE:
        return None
    version, release, epoch = tags.text(_VERSION), tags.text(_RELEASE), tags.number(_EPOCH)
    if not all(_WORD.fullmatch(text) for text in (name, version, release)):
        raise Unreadable("a package without a valid name and version")
    prefix = f"{epoch}:" if epoch else ""
    source = _SOURCE.fullmatch(tags.text(_SOURCE_RPM))
    full = f"{prefix}{version}-{release}"
    found = Found(
        type=PackageType.RPM,
        name=name,
        version=full,
        source_name=source[1] if source else name,
        source_version=f"{prefix}{source[2]}-{source[3]}" if source else full,
        architecture=tags.text(_ARCH),
        vendor=tags.text(_VENDOR),
        module=":".join(tags.text(_MODULE).split(":")[:2]),
        evidence=_EVIDENCE,
        licenses=tuple(filter(None, (tags.text(_LICENSE),))),
    )
    algorithm = _ALGORITHMS.get(tags.number(_DIGEST_ALGORITHM) or 1, "")
    return found, owned(name, _files(tags), algorithm)


def _files(tags: _Tags) -> Iterator[tuple[str, bytes | None]]:
    digests = [_digest(text) for text in tags.texts(_DIGESTS)]
    for number, path in enumerate(_paths(tags)):
        yield path.lstrip("/"), digests[number] if number < len(digests) else None


def _paths(tags: _Tags) -> Iterator[str]:
    names = tags.texts(_BASE_NAMES)
    if not names:
        yield from tags.texts(_OLD_NAMES)
        return
    folders = tags.texts(_DIR_NAMES)
    for name, index in zip(names, tags.numbers(_DIR_INDEXES), strict=False):
        if index < len(folders):
            yield folders[index] + name


def _digest(text: str) -> bytes | None:
    try:
        return bytes.fromhex(text) or None
    except ValueError:
        return None


class _Tags:
    """The wanted entries of a header."""

    def __init__(self, blob: bytes) -> None:
        if len(blob) < 8:
            raise Unreadable("a header that is too short")
        count, size = struct.unpack_from(">II", blob)
        start = 8 + 16 * count
        if count > MAX_TAGS or start + size > len(blob):
            raise Unreadable("a header that is larger than its bytes")
        self._data = blob[start : start + size]
        self._entries: dict[int, tuple[int, int, int]] = {}
        for tag, kind, offset, items in struct.iter_unpack(">IIII", blob[8:start]):
            if tag in _WANTED and offset < size:
                self._entries.setdefault(tag, (kind, offset, items))

    def text(self, tag: int) -> str:
        """Return a string without control characters, or the empty string."""
        texts = self.texts(tag, 1)
        text = texts[0][:255] if texts else ""
        return text if text.isprintable() else ""

    def texts(self, tag: int, most: int = MAX_FILES) -> list[str]:
        kind, offset, items = self._entries.get(tag, (0, 0, 0))
        if kind not in (_STRING, _STRING_ARRAY, _I18N):
            return []
        wanted = min(items, most)
        if wanted == 1:
            end = self._data.find(b"\0", offset)
            parts = [self._data[offset : end if end >= 0 else None]]
        else:
            parts = self._data[offset:].split(b"\0", wanted)[:wanted]
        return [part.decode("utf-8", "surrogateescape") for part in parts]

    def number(self, tag: int) -> int:
        return next(iter(self.numbers(tag, 1)), 0)

    def numbers(self, tag: int, most: int = MAX_FILES) -> tuple[int, ...]:
        kind, offset, items = self._entries.get(tag, (0, 0, 0))
        count = min(items, most, (len(self._data) - offset) // 4)
        if kind != _INT32 or not count:
            return ()
        return struct.unpack_from(f">{count}I", self._data, offset)
