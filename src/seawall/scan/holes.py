"""From what advisories say about one version of one package to its holes, each once.

    one hole    two advisories are the same hole when they share an id or an alias. An advisory of a
                distribution that covers several upstream ids joins each of them and ties them not
                together. All of this within one package: a GHSA may alias CVEs of two packages
    fix         the latest of the versions that end the ranges, release before ecosystem
    severity    the distribution's word, then the advisory's own rating, then what any other
                advisory says about the same ids
    state       "will not fix" and the like count only where no source names a fixed version
    modules     what a module stream of an rpm fixed says nothing about another stream, nor about
                the package outside of modules

Pure: the advisories are an argument. What a source said stays visible in `Hole.claims`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from seawall.scan import ecosystems
from seawall.scan.advisory_model import Informational, State
from seawall.scan.ecosystems import Question
from seawall.scan.severity import UNRATED, Rating, Severity

CLAIMS_MAX: Final = 16
SYMBOLS_MAX: Final = 200

_ID_RANKS: Final = {"CVE": 0, "GHSA": 1, "PYSEC": 2, "DSA": 3, "DLA": 4}


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """One advisory that holds for one version of one package."""

    id: str
    aliases: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()
    summary: str = ""
    fixed: str = ""
    rating: Rating = UNRATED
    vendor_rating: Rating = UNRATED
    state: State = State.PLAIN
    informational: Informational = Informational.NONE
    module: str = ""
    symbols: tuple[str, ...] = ()
    feed: str = ""


class Signals(msgspec.Struct, frozen=True, kw_only=True):
    """What sorts findings beside their severity."""

    exploited_since: str = ""
    """The day on which CISA listed it as exploited; empty when it is not listed."""
    is_used_by_ransomware: bool = False
    epss: float | None = None
    epss_rank: float | None = None
    ssvc: str = ""


QUIET: Final = Signals()


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

    def signals(self, ids: Collection[str]) -> Mapping[str, Signals]:
        """Return what is known about these ids beside their severity."""
        ...


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What one advisory of one feed says about a hole: disagreement stays visible."""

    id: str
    feed: str
    fixed: str = ""
    rating: Rating = UNRATED


class Hole(msgspec.Struct, frozen=True, kw_only=True):
    """One hole in one version of one package."""

    ids: tuple[str, ...]
    """All its names, the headline first."""
    package: str
    """The package that the advisories name: for Debian the source package."""
    fixed: str
    rating: Rating
    summary: str
    state: State
    informational: Informational
    claims: tuple[Claim, ...]
    symbols: tuple[str, ...]
    is_exploited: bool = False


def judge(questions: Collection[Question], lookup: Lookup) -> dict[Question, tuple[Hole, ...]]:
    """Return the holes of each version that is asked about."""
    known = lookup.ecosystems()
    found = {question: tuple(_holes(question, known, lookup)) for question in questions}
    unrated = {
        name
        for holes in found.values()
        for hole in holes
        if hole.rating == UNRATED
        for name in hole.ids
    }
    lent = lookup.ratings(unrated)
    listed = lookup.signals({name for holes in found.values() for h in holes for name in h.ids})
    return {
        question: tuple(_completed(hole, lent, listed) for hole in holes)
        for question, holes in found.items()
    }


def signals_of(hole: Hole, listed: Mapping[str, Signals]) -> Signals:
    """Return the signals of a hole: those of its headline, else of its other names."""
    return merged([listed[name] for name in hole.ids if name in listed])


def merged(found: Sequence[Signals]) -> Signals:
    """Return what is known of one hole under several names."""
    if len(found) <= 1:
        return found[0] if found else QUIET
    exploited = min((s.exploited_since for s in found if s.exploited_since), default="")
    likely = max(found, key=lambda signals: signals.epss or -1.0)
    return Signals(
        exploited_since=exploited,
        is_used_by_ransomware=any(s.is_used_by_ransomware for s in found),
        epss=likely.epss,
        epss_rank=likely.epss_rank,
        ssvc=next((s.ssvc for s in found if s.ssvc), ""),
    )


def _holes(question: Question, known: Collection[str], lookup: Lookup) -> Iterator[Hole]:
    hits = [
        (ecosystem, package, hit)
        for ecosystem in ecosystems.asked(question.scope, known)
        for package, version in question.names
        for hit in lookup.hits(ecosystem, package, question.order.key(version))
        if hit.state is not State.UNDETERMINED and _is_same_stream(question, hit)
    ]
    names = _Names()
    members = [(names.join(group), place, hit) for *place, hit in hits for group in _names_of(hit)]
    grouped: dict[str, list[tuple[str, str, Hit]]] = {}
    for name, (ecosystem, package), hit in members:
        grouped.setdefault(names.root(name), []).append((ecosystem, package, hit))
    for root, found in grouped.items():
        yield _hole(question, names.joined(root) | {hit.id for _, _, hit in found}, found)


def _is_same_stream(question: Question, hit: Hit) -> bool:
    is_modular = bool(question.module) or any("module" in v for _, v in question.names)
    if hit.module:
        return is_modular and question.module in ("", hit.module)
    return (
        not hit.fixed
        or question.scope[0].partition(":")[0] not in _MODULAR
        or (is_modular == ("module" in hit.fixed))
    )


_MODULAR: Final = frozenset({"AlmaLinux", "Oracle Linux", "Red Hat", "Rocky Linux"})


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


def _hole(question: Question, ids: set[str], found: list[tuple[str, str, Hit]]) -> Hole:
    hits = [hit for _, _, hit in found]
    fixed = _fixed(question, found)
    informational = [hit.informational for hit in hits]
    return Hole(
        ids=tuple(sorted(ids, key=_id_rank)),
        package=found[0][1],
        fixed=fixed,
        rating=_own(hits),
        summary=max((hit.summary for hit in hits), key=len),
        state=State.PLAIN if fixed else max((hit.state for hit in hits), key=_STATES.index),
        informational=informational[0] if all(informational) else Informational.NONE,
        claims=_claims(hits),
        symbols=tuple(sorted({s for hit in hits for s in hit.symbols})[:SYMBOLS_MAX]),
    )


_STATES: Final = tuple(State)


def _claims(hits: list[Hit]) -> tuple[Claim, ...]:
    claims = {
        Claim(
            id=hit.id,
            feed=hit.feed,
            fixed=hit.fixed,
            rating=hit.vendor_rating if hit.vendor_rating != UNRATED else hit.rating,
        )
        for hit in hits
    }
    return tuple(sorted(claims, key=lambda c: (c.feed, c.id, c.fixed))[:CLAIMS_MAX])


def _fixed(question: Question, found: list[tuple[str, str, Hit]]) -> str:
    order = question.order
    for ecosystem in dict.fromkeys(ecosystem for ecosystem, _, _ in found):
        fixes = [hit.fixed for asked, _, hit in found if asked == ecosystem and hit.fixed]
        if fixes:
            return max(fixes, key=lambda text: order.key(order.clean(text)))
    return ""


def _own(hits: list[Hit]) -> Rating:
    """Return what the hole's own advisories say: the distribution first."""
    vendor = _worst(hit.vendor_rating for hit in hits)
    if vendor.severity is not Severity.UNKNOWN:
        return vendor
    return _worst(hit.rating for hit in hits)


def _completed(
    hole: Hole, lent: Mapping[str, Sequence[Rating]], listed: Mapping[str, Signals]
) -> Hole:
    rating = hole.rating
    if rating == UNRATED:
        rating = _worst(rating for name in sorted(hole.ids) for rating in lent.get(name, ()))
    is_exploited = bool(signals_of(hole, listed).exploited_since)
    if rating == hole.rating and not is_exploited:
        return hole
    return msgspec.structs.replace(hole, rating=rating, is_exploited=is_exploited)


def _worst(ratings: Iterable[Rating]) -> Rating:
    return max(
        ratings,
        key=lambda rating: (rating.severity.rank, rating.score or 0.0, rating.source),
        default=UNRATED,
    )


def _id_rank(name: str) -> tuple[int, int, str]:
    # The shorter first, so that CVE-2024-999 comes before CVE-2024-1000.
    return _ID_RANKS.get(name.partition("-")[0], len(_ID_RANKS)), len(name), name
