"""Say what an executable is, by learned fingerprints.

Order of evidence: the file's hash, the linker's build id, the hash of the code, then texts. An
exact key leads to the distribution's package and version; texts lead to the product, and to the
version only where a learned file shows in which place the version stands. Nothing is said when two
products come too close to each other: silence is better than a wrong name.
"""

from __future__ import annotations

import enum
import re
from array import array
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import msgspec

from seawall.scan.files.model import Executable, Sketch
from seawall.scan.files.version_texts import ALONE
from seawall.scan.fingerprints import pack as packs
from seawall.scan.fingerprints.pack import LearnedPackage, Pack, Sketched
from seawall.scan.model import Role

MIN_SCORE: Final = 0.3
"""Share of a learned file's texts, by weight, that must stand in the file."""

MIN_COMMON: Final = 8
MIN_LEAD: Final = 1.25
"""How much better than the next product the best one must be."""

OWN_COVER: Final = 0.3
"""Share of the file's own texts that the learned file explains; below, it is a part of the file."""

CONFIDENCE: Final = {"sha256": 1.0, "build-id": 0.98, "go-build-id": 0.98, "code": 0.95}


class Kind(enum.StrEnum):
    """By which evidence a file was recognised."""

    SHA256 = "sha256"
    BUILD_ID = "build-id"
    GO_BUILD_ID = "go-build-id"
    CODE = "code"
    SKETCH = "sketch"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What a file is, or holds.

    With an exact `kind`, `package` is the very package that the file comes from, patches included.
    With SKETCH, `package` is the learned relative and `version` the upstream version that stands in
    this file, empty when the place of the version is not known.
    """

    kind: Kind
    product: str
    version: str
    package: LearnedPackage
    role: Role = Role.INSTALLED
    confidence: float
    detail: str = ""
    offset: int = 0
    """Where the version stands in the file, for SKETCH."""


class Library:
    """Several packs, searched as one."""

    def __init__(self, known: Sequence[Pack]) -> None:
        self._packs = known

    def identify(self, file: Executable) -> tuple[Identity, ...]:
        """Return what is known about the file: itself first, then what it holds."""
        exact = self.exact(file)
        if exact is not None:
            return (exact,)
        return self.by_texts(file)

    def exact(self, file: Executable) -> Identity | None:
        """Return the package whose file this is, by hash or build id."""
        for kind, key in packs.keys_of(file):
            found = [each for pack in self._packs for each in pack.files_of(key)]
            products = {package.product for package, _ in found}
            if len(products) != 1:
                continue
            # Of several releases that hold the same file, the oldest: it knows the most holes.
            oldest = min(_release(package) for package, _ in found)
            held = [each for each in found if _release(each[0]) == oldest]
            package, name = max(held, key=lambda each: (each[0].version, each[1]))
            return Identity(
                kind=Kind(kind),
                product=package.product,
                version=packs.upstream_version(package),
                package=package,
                confidence=CONFIDENCE[kind] if len({each[0] for each in found}) == 1 else 0.9,
                detail=name,
            )
        return None

    def by_texts(self, file: Executable) -> tuple[Identity, ...]:
        """Return what the file is or holds, by its texts; nothing without a sketch of them."""
        if file.sketch is None:
            return ()
        best: dict[str, tuple[float, float, Sketched]] = {}
        for score, cover, sketched in self._scores(file.sketch):
            product = sketched.package.product
            if product not in best or (score, cover) > best[product][:2]:
                best[product] = score, cover, sketched
        ranked = sorted(best.items(), key=lambda item: (-item[1][0] * item[1][1], item[0]))
        own = [item for item in ranked if item[1][1] >= OWN_COVER]
        held = [item for item in ranked if item[1][1] < OWN_COVER and item[1][2].is_library]
        found = []
        if own and (len(own) == 1 or _worth(own[0]) >= MIN_LEAD * _worth(own[1])):
            found.append(_identity(own[0][1], file.sketch, Role.INSTALLED))
        needed = {name.partition(".so")[0] for name in file.needed}
        for _, found_part in held:
            is_loaded = found_part[2].name.partition(".so")[0] in needed
            if found_part[0] >= 2 * MIN_SCORE and not is_loaded:
                found.append(_identity(found_part, file.sketch, Role.BUNDLED))
        return tuple(found)

    def _scores(self, sketch: Sketch) -> list[tuple[float, float, Sketched]]:
        """Return (share of the learned texts, share of the file's texts, learned file)."""
        hashes = array("I")
        hashes.frombytes(sketch.hashes)
        limit = hashes[-1] if len(hashes) < sketch.total else 0xFFFFFFFF
        share = (limit + 1) / 2**32
        result = []
        for pack in self._packs:
            counts: defaultdict[int, int] = defaultdict(int)
            for feature in hashes:
                for number in pack.sketches_with(feature):
                    counts[number] += 1
            for number, count in counts.items():
                sketched = pack.sketch(number)
                score = count / max(sketched.kept * share, 1.0)
                if count < MIN_COMMON or score < MIN_SCORE:
                    continue
                score = min(score, 1.0)
                cover = min(score * sketched.total / sketch.total, 1.0)
                result.append((score, cover, sketched))
        return result


def _worth(item: tuple[str, tuple[float, float, Sketched]]) -> float:
    return item[1][0] * item[1][1]


def _identity(found: tuple[float, float, Sketched], sketch: Sketch, role: Role) -> Identity:
    score, _, sketched = found
    version, offset, sureness = _version(sketched, sketch)
    detail = f"{score:.0%} of the texts of {sketched.name} {sketched.package.version}"
    return Identity(
        kind=Kind.SKETCH,
        product=sketched.package.product,
        version=version,
        package=sketched.package,
        role=role,
        confidence=round(min(0.9, 0.4 + score / 2) * sureness, 2),
        detail=detail,
        offset=offset,
    )


def _release(package: LearnedPackage) -> tuple[str, tuple[int, ...]]:
    """Return the distribution and its release, in the order of time."""
    name = package.distribution.rstrip("0123456789._")
    numbers = re.findall(r"\d{1,9}", package.distribution[len(name) :])
    return name, tuple(map(int, numbers))


def _version(sketched: Sketched, sketch: Sketch) -> tuple[str, int, float]:
    """Return the version that stands where the learned file's own stands, and how sure that is."""
    learned = packs.upstream_version(sketched.package)
    places = [key for key in sketched.places if key != ALONE] + [ALONE] * (ALONE in sketched.places)
    for key in places:
        texts = [text for text in sketch.versions if text.key == key]
        if key == ALONE:
            texts = [text for text in texts if _is_alike(text.version, learned)]
        versions = {text.version for text in texts}
        if len(versions) == 1:
            return texts[0].version, texts[0].offset, 1.0 if key != ALONE else 0.9
        if learned in versions:
            return learned, next(text.offset for text in texts if text.version == learned), 0.7
    return "", 0, 0.8


def _is_alike(version: str, learned: str) -> bool:
    """Tell whether a version could be another one of the same product: as many numbers, near."""
    mine, theirs = version.split("."), learned.split(".")
    if len(mine) != len(theirs) and mine[0] != theirs[0]:
        return False
    first, other = mine[0], theirs[0]
    return first.isdigit() and other.isdigit() and abs(int(first) - int(other)) <= 2


def disagreement(identity: Identity, file: Executable) -> str:
    """Return a sentence when text in the file tells another version than the stronger evidence."""
    for claim in file.claims:
        if claim.role is not Role.INSTALLED or not identity.version:
            continue
        is_same = identity.product in (claim.product, claim.name)
        if is_same and not _agree(claim.version, identity.version):
            return (
                f"{identity.kind} says {identity.product} {identity.version}, "
                f"text at {claim.offset} says {claim.version}"
            )
    return ""


def _agree(first: str, second: str) -> bool:
    return first == second or first.startswith(second) or second.startswith(first)
