"""What to change so that the findings go away: the smallest set, where, and what is left then.

Pure. One change is one package brought to one version: the latest of the versions that end its
holes, in the order of its ecosystem, clears them all, and fewer changes clear fewer holes. So the
set is the smallest there is. Packages of a distribution count by SOURCE package, since their binary
packages are updated together; packages of languages by place, since each place is changed by
itself.

Where: the layer that brought the package, with the instruction that made it. What came with the
base image (`base_image`) a newer base replaces, or an upgrade in a layer of its own. A newer
package in a higher layer leaves the old bytes in the lower one, unseen by a container.
"""

from __future__ import annotations

import collections
import enum
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from seawall.scan import versions
from seawall.scan.advisory_model import State
from seawall.scan.model import Component, Distribution, PackageType
from seawall.scan.report_model import Finding, Report
from seawall.scan.severity import Severity

IDS_SHOWN: Final = 4

_WORDS: Final[Mapping[State, str]] = {
    State.PLAIN: "no fix is known",
    State.NO_DSA: "may come with a point release",
    State.POSTPONED: "postponed",
    State.IGNORED: "will not be fixed",
    State.END_OF_LIFE: "no longer supported",
    State.UNIMPORTANT: "of no consequence",
    State.UNDER_INVESTIGATION: "being looked at",
    State.UNDETERMINED: "nobody knows",
}
"""Why there is no fix, in the words of whoever builds the package."""

_NO_FIX: Final = _WORDS[State.PLAIN]

_SHORT_WORDS: Final[Mapping[State, str]] = {
    State.PLAIN: "—",
    State.NO_DSA: "minor",
    State.POSTPONED: "postponed",
    State.IGNORED: "won't fix",
    State.END_OF_LIFE: "end of life",
    State.UNIMPORTANT: "unimportant",
    State.UNDER_INVESTIGATION: "looked at",
    State.UNDETERMINED: "unknown",
}
"""The same where a line has little room."""

_ECOSYSTEMS: Final[Mapping[PackageType, str]] = {
    PackageType.APK: "Alpine",
    PackageType.CARGO: "npm",  # the order of semantic versioning
    PackageType.COMPOSER: "Packagist",
    PackageType.CRAN: "CRAN",
    PackageType.DEB: "Debian",
    PackageType.GEM: "RubyGems",
    PackageType.GENERIC: "Bitnami",
    PackageType.GOLANG: "Go",
    PackageType.HEX: "Hex",
    PackageType.MAVEN: "Maven",
    PackageType.NPM: "npm",
    PackageType.NUGET: "NuGet",
    PackageType.PUB: "Pub",
    PackageType.PYPI: "PyPI",
    PackageType.RPM: "Red Hat",
}
"""In which order the versions of a type stand, named by an ecosystem that has it."""


_COMMANDS: Final[Mapping[PackageType, str]] = {
    PackageType.APK: "apk upgrade --no-cache {all}",
    PackageType.CARGO: "cargo update --package {name} --precise {version}",
    PackageType.COMPOSER: "composer require {both}",
    PackageType.DEB: "apt-get update && apt-get install --only-upgrade -y {all}",
    PackageType.GEM: "gem install {name} --version {version}",
    PackageType.GOLANG: "go get {both}",
    PackageType.NPM: "npm install {both}",
    PackageType.PYPI: "pip install {both}",
    PackageType.RPM: "dnf upgrade -y {all}",
}
_MARKS: Final = {PackageType.PYPI: "==", PackageType.COMPOSER: ":"}
_ZYPPER: Final = "zypper --non-interactive update {all}"
_SUSE: Final = ("sles", "opensuse", "suse")


class Place(enum.StrEnum):
    """Where a change is to be made."""

    BASE_IMAGE = "base-image"  # the package came with it
    INSTRUCTION = "instruction"  # an instruction of this image brought it


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One package to be brought to one version."""

    type: PackageType
    package: str
    """As advisories name it: the source package of a distribution."""
    installed: tuple[str, ...]
    """The packages to update, `name version`; several binary packages of one source."""
    to: str
    clears: tuple[str, ...]
    """Ids of the findings that go away, worst first."""
    worst: Severity
    place: Place
    layer: str
    layer_index: int
    created_by: str
    path: str
    command: str = ""
    """What updates it in a running system or an instruction; empty where that is not one line."""

    @property
    def sentence(self) -> str:
        """Say it in one sentence."""
        ids = ", ".join(self.clears[:IDS_SHOWN])
        more = len(self.clears) - IDS_SHOWN
        what = f"{ids} and {more} more" if more > 0 else ids
        where = (
            "it came with the base image"
            if self.place is Place.BASE_IMAGE
            else f"layer {self.layer_index} brought it"
        )
        return f"update {self.package} to {self.to}: clears {what} ({self.worst}); {where}"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All changes, the most useful first, and what no change of package clears."""

    changes: tuple[Change, ...]
    rest: tuple[Finding, ...]

    @property
    def cleared(self) -> int:
        """Return how many different ids go away."""
        return len({one for change in self.changes for one in change.clears})

    @property
    def rest_in_words(self) -> str:
        """Say what is left."""
        if not self.rest:
            return "nothing that is known is left"
        ids = len({finding.id for finding in self.rest})
        packages = len({(finding.type, finding.package) for finding in self.rest})
        worst = max((finding.severity for finding in self.rest), key=lambda one: one.rank)
        holes = "1 hole" if ids == 1 else f"{ids} holes"
        where = "1 package" if packages == 1 else f"{packages} packages"
        reasons = collections.Counter(without_fix(finding) for finding in self.rest)
        told = ", ".join(f"{reasons[reason]} {reason}" for reason in sorted(reasons))
        more = f" ({told})" if len(reasons) > 1 or _NO_FIX not in reasons else ""
        return f"{holes} in {where} without a known fix are left, the worst {worst}{more}"


def without_fix(finding: Finding) -> str:
    """Say why nothing clears a finding that no version is known to end."""
    return in_words(finding.state)


def in_words(state: State) -> str:
    """Say what a state means."""
    return _WORDS[state]


def without_fix_in_short(finding: Finding) -> str:
    """Say the same in a word or two."""
    return _SHORT_WORDS[finding.state]


def of_report(report: Report) -> Plan:
    """Return what to do about a report."""
    held = report.inventory
    return of_findings(
        report.findings, held.components, held.distribution, base_layers=held.base_layers
    )


def of_findings(
    findings: Iterable[Finding],
    components: Sequence[Component] = (),
    distribution: Distribution | None = None,
    *,
    base_layers: int = 1,
) -> Plan:
    """Return what to do about some findings; `components` tell who made the layers, of which the
    lowest `base_layers` came with the base image."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    rest = []
    told = {(one.layer_index, one.purl, one.path): one for one in components}
    for finding in findings:
        if finding.is_fixable:
            component = told.get((finding.layer_index, finding.purl, finding.path))
            groups.setdefault(_subject_of(finding, component), []).append(finding)
        else:
            rest.append(finding)
    changes = [_change(groups[key], told, distribution, base_layers) for key in sorted(groups)]
    changes.sort(key=_usefulness)
    return Plan(changes=tuple(changes), rest=tuple(rest))


def _subject_of(finding: Finding, component: Component | None) -> tuple[str, ...]:
    if finding.type.is_system and not _is_copied(component):
        return finding.type.value, finding.package
    return finding.type.value, finding.package, finding.path


def _change(
    group: Sequence[Finding],
    told: Mapping[tuple[int, str, str], Component],
    distribution: Distribution | None,
    base_layers: int,
) -> Change:
    first = min(group, key=lambda finding: (finding.layer_index, finding.name, finding.purl))
    worst_first = sorted(group, key=lambda one: (-one.severity.rank, one.id))
    names = sorted({finding.name for finding in group})
    to = _latest(first.type, {finding.fixed_version for finding in group})
    component = told.get((first.layer_index, first.purl, first.path))
    return Change(
        type=first.type,
        package=first.package,
        installed=tuple(sorted({f"{one.name} {one.version}" for one in group})),
        to=to,
        clears=tuple(dict.fromkeys(finding.id for finding in worst_first)),
        worst=worst_first[0].severity,
        place=Place.BASE_IMAGE if first.layer_index < base_layers else Place.INSTRUCTION,
        layer=first.layer,
        layer_index=first.layer_index,
        created_by=component.created_by if component else "",
        path=first.path,
        command="" if _is_copied(component) else _command(first.type, names, to, distribution),
    )


def _is_copied(component: Component | None) -> bool:
    """Tell whether a file of another distribution: this one's package manager cannot update it."""
    return component is not None and component.distribution is not None


def _latest(type_: PackageType, texts: Iterable[str]) -> str:
    order = versions.order_of(_ECOSYSTEMS.get(type_, ""))
    if order is None:
        return max(texts)
    return max(texts, key=lambda text: (order.key(order.clean(text)), text))


def _command(
    type_: PackageType, names: Sequence[str], to: str, distribution: Distribution | None
) -> str:
    """Return the instruction that updates packages. Names come from the image: quoted."""
    template = _COMMANDS.get(type_, "")
    if type_ is PackageType.RPM and distribution and distribution.id.startswith(_SUSE):
        template = _ZYPPER
    version = f"v{to}" if type_ is PackageType.GOLANG and not to.startswith("v") else to
    mark = _MARKS.get(type_, "@")
    return template.format(
        all=" ".join(shlex.quote(name) for name in names),
        name=shlex.quote(names[0]),
        version=shlex.quote(version),
        both=shlex.quote(f"{names[0]}{mark}{version}"),
    )


def _usefulness(change: Change) -> tuple[int, int, str, str, str]:
    return (-change.worst.rank, -len(change.clears), change.type, change.package, change.path)
