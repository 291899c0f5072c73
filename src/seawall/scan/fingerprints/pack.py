"""The stored form of learned fingerprints: a few dozen bytes a file, searched without unpacking.

    key table      64 bits of a build id, a SHA-256 or a hash of the code → file   (12 bytes each)
    feature table  32 bits of a text → sketch                                      (8 bytes each)
    sketches       one a file that has texts: its most telling ones, where the version stands

Keys and features are sorted arrays, so a lookup is a binary search. Of a file's texts those are
kept that fewest other products share; what many share says nothing and is left out.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import re
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from seawall.core.errors import InvalidInputError, NotFoundError
from seawall.core.limits import MIB
from seawall.scan.files.model import Executable
from seawall.scan.files.sketch import MIN_HASHES
from seawall.scan.model import PackageType

FORMAT: Final = 1
MAX_PACK_BYTES: Final = 512 * MIB
MAX_FILES: Final = 200_000
"""Files in a pack, and packages. Unlike its tables, they are objects in memory: some 200 bytes
each, which a hostile pack could else have by the hundred million."""

MAX_SAME: Final = 256
"""Files under one key, and sketches with one text, that are looked at."""

MAX_FEATURES: Final = 192
"""Texts kept of one file."""

MAX_SHARED: Final = 3
MAX_SHARED_PART: Final = 0.03
"""A text in more products than the larger of these (a number, a part of all) is no sign of one."""

MAX_TEXT: Final = 255
"""Characters of a name or version."""

LEARN_AGAIN: Final = "learn or import it again, or remove it: seawall fingerprints --help"

MAX_PLACES: Final = 8
"""Places of the version kept of one file."""


_VERSIONED: Final = re.compile(r"(.*[a-z])(?:-(\d+(?:\.\d+)*)|(\d+\.\d+))")


class LearnedPackage(msgspec.Struct, frozen=True, kw_only=True):
    """A package whose files were learned; the fields mean what those of `Component` mean."""

    type: PackageType
    name: str
    version: str
    source_name: str = ""
    source_version: str = ""
    architecture: str = ""
    distribution: str = ""
    """`debian-12`; empty when the package does not tell."""

    @property
    def product(self) -> str:
        """What the software is called by those who make it.

        The source package, without a version in its name that is also the version's beginning
        (`postgresql-15`, `ruby3.1`), so that releases of one product are one. A lone digit is
        part of the name (`apache2`, `libxml2`).
        """
        name = self.source_name or self.name
        match = _VERSIONED.fullmatch(name)
        written = match and (match[2] or match[3])
        is_version = f"{upstream_version(self)}.".startswith(f"{written}.")
        return match[1] if match and is_version else name


class LearnedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One executable file of a package."""

    package: LearnedPackage
    path: str
    file: Executable


class _Sketch(msgspec.Struct, frozen=True, array_like=True):
    """`total` texts in the file, of which `kept` are in the feature table."""

    package: int
    name: str
    total: int
    kept: int
    places: Annotated[tuple[int, ...], Meta(max_length=MAX_PLACES)]
    is_library: bool


class _File(msgspec.Struct, frozen=True, array_like=True):
    package: int
    name: str


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    format: int
    name: str
    packages: Annotated[tuple[LearnedPackage, ...], Meta(max_length=MAX_FILES)]
    files: Annotated[tuple[_File, ...], Meta(max_length=MAX_FILES)]
    sketches: Annotated[tuple[_Sketch, ...], Meta(max_length=MAX_FILES)]
    keys: memoryview
    key_files: memoryview
    features: memoryview
    feature_sketches: memoryview
    """Views into the stored bytes: a pack in a mapped file takes no memory for its tables."""


class Sketched(msgspec.Struct, frozen=True, kw_only=True):
    """A learned file as the comparison of texts sees it."""

    package: LearnedPackage
    name: str
    total: int
    kept: int
    places: tuple[int, ...]
    is_library: bool


def key_of(kind: str, value: str) -> int:
    """Return 64 bits for a build id, a hash of the file or of its code. `kind` keeps them apart."""
    digest = hashlib.blake2b(f"{kind}:{value}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def keys_of(file: Executable) -> Iterator[tuple[str, int]]:
    """Yield the exact keys of a file, the strongest first."""
    for kind, value in (
        ("sha256", file.sha256),
        ("build-id", file.build_id),
        ("go-build-id", file.go_build_id),
        ("code", file.code_sha256),
    ):
        if value:
            yield kind, key_of(kind, value)


class Pack:
    """Learned files, ready for lookups."""

    def __init__(self, stored: _Stored) -> None:
        self._stored = stored
        self._keys = stored.keys.cast("Q")
        self._key_files = stored.key_files.cast("I")
        self._features = stored.features.cast("I")
        self._feature_sketches = stored.feature_sketches.cast("I")

    @property
    def name(self) -> str:
        return self._stored.name

    @property
    def packages(self) -> tuple[LearnedPackage, ...]:
        return self._stored.packages

    @property
    def file_count(self) -> int:
        return len(self._stored.files)

    @property
    def has_sketches(self) -> bool:
        """Tell whether texts can be compared with it."""
        return bool(self._stored.sketches)

    @property
    def product_count(self) -> int:
        return len({package.product for package in self._stored.packages})

    def files_of(self, key: int) -> list[tuple[LearnedPackage, str]]:
        """Return package and file name of every learned file with this key."""
        found = []
        place = bisect_left(self._keys, key)
        end = min(place + MAX_SAME, len(self._keys))
        while place < end and self._keys[place] == key:
            file = self._stored.files[self._key_files[place]]
            found.append((self._stored.packages[file.package], file.name))
            place += 1
        return found

    def sketches_with(self, feature: int) -> Sequence[int]:
        """Return the numbers of the sketches that hold this text."""
        start = bisect_left(self._features, feature)
        end, last = start, min(start + MAX_SAME, len(self._features))
        while end < last and self._features[end] == feature:
            end += 1
        return self._feature_sketches[start:end]

    def sketch(self, number: int) -> Sketched:
        found = self._stored.sketches[number]
        return Sketched(
            package=self._stored.packages[found.package],
            name=found.name,
            total=found.total,
            kept=found.kept,
            places=found.places,
            is_library=found.is_library,
        )

    def to_bytes(self) -> bytes:
        """Return the pack for storage: same files learned, same bytes."""
        return msgspec.msgpack.encode(self._stored)


def open_file(path: Path) -> Pack:
    """Map a stored pack from a file, which must not be changed in place.

    Raises NotFoundError, InvalidInputError.
    """
    try:
        with path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                raise InvalidInputError(f"{path} is empty", remedy=LEARN_AGAIN)
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise NotFoundError(f"cannot read {path}: {error.strerror}") from error
    return from_bytes(content)


def from_bytes(content: bytes | mmap.mmap) -> Pack:
    """Read a stored pack. Raises InvalidInputError when it is damaged or of another format."""
    if len(content) > MAX_PACK_BYTES:
        raise InvalidInputError(f"the pack has more than {MAX_PACK_BYTES} bytes")
    try:
        stored = msgspec.msgpack.decode(content, type=_Stored)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInputError(
            f"this is not a fingerprint pack: {error}", remedy=LEARN_AGAIN
        ) from error
    if stored.format != FORMAT:
        raise InvalidInputError(f"the pack has format {stored.format}, this version reads {FORMAT}")
    _check(stored)
    return Pack(stored)


def build(name: str, files: Iterable[LearnedFile]) -> Pack:
    """Make a pack of learned files; the order in which they come does not matter."""
    learned = sorted(
        files,
        key=lambda each: (each.package.product, each.path, each.package.version, each.file.sha256),
    )
    packages: dict[LearnedPackage, int] = {}
    stored: dict[_File, int] = {}
    keys: set[tuple[int, int]] = set()
    for each in learned:
        package = packages.setdefault(each.package, len(packages))
        file = _File(package, _name(each.path))
        number = stored.setdefault(file, len(stored))
        keys.update((key, number) for _, key in keys_of(each.file))
    sketches, features = _sketches(learned, packages)
    ordered_keys = sorted(keys)
    return Pack(
        _Stored(
            format=FORMAT,
            name=name,
            packages=tuple(packages),
            files=tuple(stored),
            sketches=tuple(sketches),
            keys=_packed("Q", [key for key, _ in ordered_keys]),
            key_files=_packed("I", [number for _, number in ordered_keys]),
            features=_packed("I", [feature for feature, _ in features]),
            feature_sketches=_packed("I", [number for _, number in features]),
        )
    )


def _sketches(
    learned: Sequence[LearnedFile], packages: dict[LearnedPackage, int]
) -> tuple[list[_Sketch], list[tuple[int, int]]]:
    """Choose the texts of each file that the fewest products share."""
    by_product: dict[str, set[int]] = {}
    hashes: list[array[int]] = []
    for each in learned:
        kept = _array("I", each.file.sketch.hashes) if each.file.sketch else array("I")
        hashes.append(kept)
        by_product.setdefault(each.package.product, set()).update(kept)
    shared = Counter(feature for texts in by_product.values() for feature in texts)
    too_common = max(MAX_SHARED, round(len(by_product) * MAX_SHARED_PART))
    sketches: list[_Sketch] = []
    features: list[tuple[int, int]] = []
    for each, texts in zip(learned, hashes, strict=True):
        telling = [feature for feature in texts if shared[feature] <= too_common]
        chosen = sorted(telling, key=lambda feature: (shared[feature], feature))[:MAX_FEATURES]
        if len(chosen) < MIN_HASHES or each.file.sketch is None:
            continue
        features += ((feature, len(sketches)) for feature in chosen)
        sketches.append(
            _Sketch(
                packages[each.package],
                _name(each.path),
                each.file.sketch.total,
                len(chosen),
                _places(each),
                bool(each.file.soname) or each.file.kind == "library",
            )
        )
    return sketches, sorted(features)


def _name(path: str) -> str:
    """Return the file's name as reports may show it."""
    name = path.rpartition("/")[2][:MAX_TEXT]
    return "".join(c if c.isprintable() else "?" for c in name)


def _places(each: LearnedFile) -> tuple[int, ...]:
    """Return the keys of the texts around the file's own version."""
    if each.file.sketch is None:
        return ()
    version = upstream_version(each.package)
    keys = [text.key for text in each.file.sketch.versions if text.version == version]
    return tuple(dict.fromkeys(keys))[:MAX_PLACES]


def upstream_version(package: LearnedPackage) -> str:
    """Return the version without what a distribution adds to it."""
    version = package.source_version or package.version
    if not package.type.is_system:
        return version
    version = version.rpartition(":")[2]
    if "really" in version:
        version = version.rpartition("really")[2]
    if package.type is PackageType.APK:
        return version.rpartition("-r")[0] or version
    version = version.rpartition("-")[0] or version
    for mark in (
        "+dfsg",
        "~dfsg",
        ".dfsg",
        "+ds",
        "~ds",
        "+repack",
        "+debian",
        "+git",
        "~git",
        "~",
    ):
        version = version.partition(mark)[0] or version
    return version


def _check(stored: _Stored) -> None:
    """Hold the tables to their counts, so that no lookup leads out of them, and the texts to what
    a report may show."""
    keys, owners = _table("Q", stored.keys), _table("I", stored.key_files)
    features, sketches = _table("I", stored.features), _table("I", stored.feature_sketches)
    is_sound = (
        len(owners) == len(keys)
        and len(sketches) == len(features)
        and max(owners, default=-1) < len(stored.files)
        and max(sketches, default=-1) < len(stored.sketches)
        and all(0 <= file.package < len(stored.packages) for file in stored.files)
        and all(0 <= sketch.package < len(stored.packages) for sketch in stored.sketches)
        and all(sketch.kept > 0 and sketch.total > 0 for sketch in stored.sketches)
    )
    if not is_sound:
        raise InvalidInputError(
            "the tables of the fingerprint pack do not fit each other", remedy=LEARN_AGAIN
        )
    texts = [stored.name, *(each.name for each in stored.files)]
    texts += (each.name for each in stored.sketches)
    for package in stored.packages:
        texts += (package.name, package.version, package.source_name, package.source_version)
        texts += (package.architecture, package.distribution)
        if not package.name or not package.version:
            raise InvalidInputError("a package in the fingerprint pack has no name or version")
    if not all(len(text) <= MAX_TEXT and text.isprintable() for text in texts):
        raise InvalidInputError("a text in the fingerprint pack is too long or not printable")


def _table(code: Literal["Q", "I"], content: memoryview) -> memoryview[int]:
    if len(content) % array(code).itemsize:
        raise InvalidInputError("a table of the fingerprint pack is cut", remedy=LEARN_AGAIN)
    return content.cast(code)


def _packed(code: str, numbers: list[int]) -> memoryview:
    return memoryview(array(code, numbers).tobytes())


def _array(code: str, content: bytes) -> array[int]:
    table = array(code)
    table.frombytes(content[: len(content) // table.itemsize * table.itemsize])
    return table
