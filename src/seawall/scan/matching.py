"""From what is in an image to what is wrong with it. Pure: the advisories are an argument.

Rules:

    Debian      by SOURCE package and SOURCE version, within the image's own release
    PyPI        by the name of PEP 503 and the version that is meant (`versions.pypi.clean`)
    owned       a Python distribution whose files a Debian package owns is judged as that package
                only, as long as the release has a feed: the distribution patches without changing
                the upstream version, and the same hole must not be reported twice
    one hole    one finding per component, whatever its names; two advisories are the same hole when
                they share an id or an alias. An advisory of a distribution that covers several
                upstream ids joins each of them and ties them not together
    fix         the latest of the versions that end the ranges, release before ecosystem
    severity    the distribution's word, then the advisory's own rating, then what any other
                advisory says about the same ids

What no feed speaks about is counted and named in `Blind`: an empty list of findings is no proof.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from seawall.scan import versions
from seawall.scan.model import Component, Distribution, Inventory, PackageType
from seawall.scan.report_model import Finding
from seawall.scan.severity import UNRATED, Rating, Severity

_ID_RANKS: Final = {"CVE": 0, "GHSA": 1, "PYSEC": 2, "DSA": 3, "DLA": 4}


_OSV_NAMES: Final[Mapping[PackageType, str]] = {
    PackageType.DEB: "Debian",
    PackageType.PYPI: "PyPI",
}
"""The ecosystems (OSV schema, "Defined Ecosystems") of the packages that are judged."""


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """One advisory that holds for one version of one package."""

    id: str
    aliases: tuple[str, ...]
    upstream: tuple[str, ...]
    summary: str
    fixed: str
    rating: Rating
    vendor_rating: Rating
    feed: str


class Lookup(Protocol):
    """Where advisories come from: the database, or a fake."""

    def ecosystems(self) -> Collection[str]:
        """Return every ecosystem, with its suffix, about which there are advisories."""
        ...

    def hits(self, ecosystem: str, package: str, key: bytes) -> Sequence[Hit]:
        """Return what holds for the version with this sort key."""
        ...

    def ratings(self, ids: Collection[str]) -> Mapping[str, Sequence[Rating]]:
        """Return what is known about the severity of these ids."""
        ...


class Blind(msgspec.Struct, frozen=True, kw_only=True):
    """Components that no feed speaks about, and why."""

    components: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Target:
    """What advisories know a component by."""

    ecosystems: tuple[str, ...]  # the most special one first
    package: str
    version: str
    order: versions.Order


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hole:
    """All advisories about one hole in one target."""

    ids: frozenset[str]
    hits: tuple[tuple[str, Hit], ...]  # with the ecosystem that was asked


def match(inventory: Inventory, lookup: Lookup) -> tuple[Finding, ...]:
    """Return the findings of an image, worst first, in a fixed order."""
    scope = _Scope(inventory.distribution, lookup.ecosystems())
    holes: dict[_Target, tuple[_Hole, ...]] = {}
    pairs: list[tuple[Component, _Target, _Hole]] = []
    for component in inventory.components:
        if (target := scope.target(component)) is None:
            continue
        if target not in holes:
            holes[target] = tuple(_holes(target, lookup))
        pairs.extend((component, target, hole) for hole in holes[target])
    lent = lookup.ratings({i for _, _, hole in pairs if _own(hole) == UNRATED for i in hole.ids})
    found = {_finding(component, target, hole, lent) for component, target, hole in pairs}
    return tuple(sorted(found, key=_order))


def blind_spots(inventory: Inventory, lookup: Lookup) -> tuple[Blind, ...]:
    """Return which components were not judged, and why."""
    scope = _Scope(inventory.distribution, lookup.ecosystems())
    counts: dict[str, int] = {}
    for component in inventory.components:
        if reason := scope.reason_for_silence(component):
            counts[reason] = counts.get(reason, 0) + 1
    return tuple(Blind(components=n, reason=reason) for reason, n in sorted(counts.items()))


def advisory_name(component: Component) -> tuple[str, str]:
    """Return (ecosystem without suffix, package) under which advisories speak of a component."""
    ecosystem = _OSV_NAMES.get(component.type, component.type.value)
    if (order := versions.order_of(ecosystem)) is None:
        return ecosystem, component.name
    return ecosystem, order.normalise_name(component.source_name or component.name)


class _Scope:
    """Which ecosystems judge the components of one image."""

    def __init__(self, distribution: Distribution | None, known: Collection[str]) -> None:
        self._distribution = distribution
        release = _release(distribution)
        self._judges: dict[PackageType, tuple[str, ...]] = {
            PackageType.DEB: tuple(e for e in (release, "Debian") if e and e in known)
            if distribution and distribution.id == "debian"
            else (),
            PackageType.PYPI: ("PyPI",) if "PyPI" in known else (),
        }

    def target(self, component: Component) -> _Target | None:
        ecosystems = self._judges.get(component.type)
        if not ecosystems or self._is_owned(component):
            return None
        order = versions.ORDERS[_OSV_NAMES[component.type]]
        version = component.source_version or component.version
        return _Target(ecosystems, advisory_name(component)[1], order.clean(version), order)

    def reason_for_silence(self, component: Component) -> str:
        if self._judges.get(component.type) or self._is_owned(component):
            return ""
        if component.type is PackageType.PYPI:
            return "no feed of PyPI advisories is imported"
        if not component.type.is_system:
            return f"advisories about packages of type {component.type} are not matched yet"
        if self._distribution is None:
            return "the image does not say which distribution it is"
        release = _release(self._distribution)
        if self._distribution.id == "debian" and release:
            return f"no feed of {release} advisories is imported"
        return f"the distribution {_shown(self._distribution)} is not supported yet"

    def _is_owned(self, component: Component) -> bool:
        return bool(component.owned_by and self._judges.get(PackageType.DEB))


def _release(distribution: Distribution | None) -> str:
    if distribution is None or distribution.id != "debian":
        return ""
    major = distribution.version_id.partition(".")[0]
    return f"Debian:{major}" if major else ""


def _shown(distribution: Distribution) -> str:
    parts = (distribution.id, distribution.version_id or distribution.codename)
    return " ".join(filter(None, parts))


def _holes(target: _Target, lookup: Lookup) -> Iterator[_Hole]:
    key = target.order.key(target.version)
    hits = [
        (ecosystem, hit)
        for ecosystem in target.ecosystems
        for hit in lookup.hits(ecosystem, target.package, key)
    ]
    names = _Names()
    members = [
        (names.join(group), ecosystem, hit) for ecosystem, hit in hits for group in _names_of(hit)
    ]
    holes: dict[str, list[tuple[str, Hit]]] = {}
    for name, ecosystem, hit in members:
        holes.setdefault(names.root(name), []).append((ecosystem, hit))
    for root, found in holes.items():
        covering = {hit.id for _, hit in found}
        yield _Hole(ids=frozenset(names.joined(root) | covering), hits=tuple(found))


def _names_of(hit: Hit) -> list[tuple[str, ...]]:
    if len(hit.upstream) <= 1:
        return [(hit.id, *hit.aliases, *hit.upstream)]
    return [(name,) for name in hit.upstream]


class _Names:
    """Which names mean the same hole (union-find)."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}
        self._sets: dict[str, set[str]] = {}

    def join(self, names: tuple[str, ...]) -> str:
        """Make all these names one; return any of them."""
        first = self.root(names[0])
        for name in names[1:]:
            other = self.root(name)
            if other != first:
                self._parents[other] = first
                self._sets[first] |= self._sets.pop(other)
        return first

    def root(self, name: str) -> str:
        if name not in self._parents:
            self._parents[name] = name
            self._sets[name] = {name}
        while (parent := self._parents[name]) != name:
            self._parents[name] = name = self._parents[parent]
        return name

    def joined(self, root: str) -> set[str]:
        return self._sets[root]


def _finding(
    component: Component, target: _Target, hole: _Hole, lent: Mapping[str, Sequence[Rating]]
) -> Finding:
    headline, *others = sorted(hole.ids, key=_id_rank)
    rating = _own(hole)
    if rating == UNRATED:
        rating = _worst(rating for i in sorted(hole.ids) for rating in lent.get(i, ()))
    return Finding(
        id=headline,
        aliases=tuple(others),
        type=component.type,
        name=component.name,
        version=component.version,
        purl=component.purl,
        path=component.path,
        layer=str(component.layer),
        layer_index=component.layer_index,
        package=target.package,
        fixed_version=_fixed(target, hole),
        severity=rating.severity,
        severity_source=rating.source,
        score=rating.score,
        summary=max((hit.summary for _, hit in hole.hits), key=len),
        feeds=tuple(sorted({hit.feed for _, hit in hole.hits})),
    )


def _fixed(target: _Target, hole: _Hole) -> str:
    for ecosystem in target.ecosystems:
        fixes = [hit.fixed for asked, hit in hole.hits if asked == ecosystem and hit.fixed]
        if fixes:
            return max(fixes, key=lambda text: target.order.key(target.order.clean(text)))
    return ""


def _own(hole: _Hole) -> Rating:
    """Return what the hole's own advisories say: the distribution first."""
    vendor = _worst(hit.vendor_rating for _, hit in hole.hits)
    if vendor.severity is not Severity.UNKNOWN:
        return vendor
    return _worst(hit.rating for _, hit in hole.hits)


def _worst(ratings: Iterable[Rating]) -> Rating:
    return max(
        ratings,
        key=lambda rating: (rating.severity.rank, rating.score or 0.0, rating.source),
        default=UNRATED,
    )


def _id_rank(name: str) -> tuple[int, int, str]:
    # The shorter first, so that CVE-2024-999 comes before CVE-2024-1000.
    return _ID_RANKS.get(name.partition("-")[0], len(_ID_RANKS)), len(name), name


def _order(finding: Finding) -> tuple[int, str, str, str, int, str]:
    return (
        -finding.severity.rank,
        finding.name,
        finding.version,
        finding.id,
        finding.layer_index,
        finding.purl + finding.path,
    )
