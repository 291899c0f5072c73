"""From what is in an image to what is wrong with it. Pure: the advisories are an argument.

Rules:

    asked       which advisories speak about a component is the matter of `ecosystems`, which of
                them hold and which are one hole that of `holes`
    owned       a package of a language whose files a system package owns is judged as that package
                only, as long as its release has a feed: the distribution patches without changing
                the upstream version, and the same hole must not be reported twice.
                `comprehensive` judges both
    declared    what a lock file names is judged and marked, unless the same is installed, too
    one each    one finding per hole and component
    shown apart advisories that are no vulnerabilities ("unmaintained") are no findings
    order       severity, then exploited, then reached at start, then likely, then names

What no feed speaks about is counted and named in `Blind`: an empty list of findings is no proof.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from seawall.scan import ecosystems, holes
from seawall.scan.advisory_model import Informational
from seawall.scan.ecosystems import Question
from seawall.scan.holes import Hole, Lookup, Signals
from seawall.scan.model import Component, Inventory, PackageType, Role
from seawall.scan.report_model import Finding


class Blind(msgspec.Struct, frozen=True, kw_only=True):
    """Components that no feed speaks about, and why."""

    components: int
    reason: str
    is_gap: bool
    """Tell whether a feed could speak about them: see `Report.gaps`."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """All that feeds say about an image, worst first, in a fixed order."""

    findings: tuple[Finding, ...]
    informational: tuple[Finding, ...]
    blind: tuple[Blind, ...]


class Plan:
    """What to ask about an image, worked out once for a set of known ecosystems."""

    def __init__(
        self, inventory: Inventory, known: Collection[str], *, is_comprehensive: bool = False
    ) -> None:
        self._inventory = inventory
        self._known = known
        self._is_comprehensive = is_comprehensive
        self._has_system_feed = _has_system_feed(inventory, known)
        self.pairs = [
            (component, question)
            for component in _without_doubles(inventory.components)
            if not self._is_owned(component)
            and (question := ecosystems.question(component, inventory.distribution))
            and ecosystems.asked(question.scope, known)
        ]

    def questions(self) -> dict[Question, int]:
        """Return every question, with the number of components that it is about."""
        counts: dict[Question, int] = {}
        for _, question in self.pairs:
            counts[question] = counts.get(question, 0) + 1
        return counts

    def blind(self) -> tuple[Blind, ...]:
        """Return which components are not judged, and why."""
        counts: dict[tuple[str, bool], int] = {}
        for component in self._inventory.components:
            reason = "" if self._is_owned(component) else self._silence(component)
            if reason:
                key = reason, ecosystems.is_gap(component)
                counts[key] = counts.get(key, 0) + 1
        return tuple(
            Blind(components=n, reason=reason, is_gap=is_gap)
            for (reason, is_gap), n in sorted(counts.items())
        )

    def _silence(self, component: Component) -> str:
        return ecosystems.silence(component, self._inventory.distribution, self._known)

    def _is_owned(self, component: Component) -> bool:
        return bool(component.owned_by and self._has_system_feed and not self._is_comprehensive)


def match(
    inventory: Inventory, lookup: Lookup, *, is_comprehensive: bool = False
) -> tuple[Finding, ...]:
    """Return the findings of an image, worst first, in a fixed order."""
    return judge(inventory, lookup, is_comprehensive=is_comprehensive).findings


def blind_spots(inventory: Inventory, lookup: Lookup) -> tuple[Blind, ...]:
    """Return which components were not judged, and why."""
    return Plan(inventory, lookup.ecosystems()).blind()


def judge(inventory: Inventory, lookup: Lookup, *, is_comprehensive: bool = False) -> Judged:
    """Return all that the advisories say about an image."""
    plan = Plan(inventory, lookup.ecosystems(), is_comprehensive=is_comprehensive)
    return put_together(plan, holes.judge(plan.questions(), lookup), lookup)


def put_together(
    plan: Plan, verdicts: Mapping[Question, tuple[Hole, ...]], lookup: Lookup
) -> Judged:
    """Return the findings of an image from the verdicts on its packages, which others share."""
    triples = [
        (component, hole)
        for component, question in plan.pairs
        for hole in verdicts.get(question, ())
    ]
    listed = lookup.signals({name for _, hole in triples for name in hole.ids})
    found = {_finding(component, hole, listed) for component, hole in triples}
    ordered = sorted(found, key=_order)
    return Judged(
        findings=tuple(f for f in ordered if f.informational is Informational.NONE),
        informational=tuple(f for f in ordered if f.informational is not Informational.NONE),
        blind=plan.blind(),
    )


def _has_system_feed(inventory: Inventory, known: Collection[str]) -> bool:
    return any(
        ecosystems.asked(ecosystems.system_scope(inventory.distribution, kind), known)
        for kind in (PackageType.DEB, PackageType.APK, PackageType.RPM)
    )


def _without_doubles(components: tuple[Component, ...]) -> list[Component]:
    """Leave out what is only declared when the very same is there, too."""
    there = {(c.type, c.name, c.version) for c in components if c.role is not Role.DECLARED}
    return [
        component
        for component in components
        if component.role is not Role.DECLARED
        or (component.type, component.name, component.version) not in there
    ]


def _finding(component: Component, hole: Hole, listed: Mapping[str, Signals]) -> Finding:
    headline, *others = hole.ids
    signals = holes.signals_of(hole, listed)
    return Finding(
        id=headline,
        aliases=tuple(others),
        type=component.type,
        name=component.name,
        version=component.version,
        purl=component.purl,
        path=component.path,
        inside=component.inside,
        layer=str(component.layer),
        layer_index=component.layer_index,
        role=component.role,
        reach=component.reach,
        load_path=component.load_path,
        package=hole.package,
        fixed_version=hole.fixed,
        severity=hole.rating.severity,
        severity_source=hole.rating.source,
        score=hole.rating.score,
        state=hole.state,
        informational=hole.informational,
        is_known_exploited=bool(signals.exploited_since),
        exploited_since=signals.exploited_since,
        is_used_by_ransomware=signals.is_used_by_ransomware,
        epss=signals.epss,
        epss_rank=signals.epss_rank,
        ssvc=signals.ssvc,
        summary=hole.summary,
        claims=hole.claims,
        symbols=hole.symbols,
        feeds=tuple(sorted({claim.feed for claim in hole.claims})),
    )


def _order(finding: Finding) -> tuple[int, bool, int, float, str, str, str, int, str]:
    return (
        -finding.severity.rank,
        not finding.is_known_exploited,
        -finding.reach.rank,
        -(finding.epss or 0.0),
        finding.name,
        finding.version,
        finding.id,
        finding.layer_index,
        "\0".join((finding.purl, finding.path, finding.inside, finding.role)),
    )
