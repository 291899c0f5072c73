"""What two reports say differently: findings that are new, gone or changed, and packages.

Pure. A finding is the same when it is the same hole in the same package at the same place; versions
and layers are not part of that, so an update that leaves a hole open shows as one finding that
changed, and a rebuild that moves layers shows as nothing. A hole that is known under another id in
the other report is found by its aliases.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from seawall.scan.model import Component
from seawall.scan.report_model import Finding, Report


class FindingChange(msgspec.Struct, frozen=True, kw_only=True):
    """One finding in both reports, about which they say something else."""

    before: Finding
    after: Finding

    @property
    def fields(self) -> tuple[str, ...]:
        """Name what changed."""
        watched = ("version", "severity", "fixed_version", "state", "exploited_since")
        return tuple(
            one for one in watched if getattr(self.before, one) != getattr(self.after, one)
        )


class PackageChange(msgspec.Struct, frozen=True, kw_only=True):
    """One package in one of the reports, or in both in other versions."""

    type: str
    name: str
    before: tuple[str, ...]
    """The versions, empty when it is new."""
    after: tuple[str, ...]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """From one report to another."""

    before: str
    """Digests of the two images."""
    after: str
    new: tuple[Finding, ...]
    gone: tuple[Finding, ...]
    changed: tuple[FindingChange, ...]
    unchanged: int
    packages: tuple[PackageChange, ...]
    is_comparable: bool
    """False when they were judged by other editions of the feeds, or one of them is partial."""


def between(before: Report, after: Report) -> Difference:
    """Return what changed from `before` to `after`."""
    old, new = _by_key(before.findings), _by_key(after.findings)
    pairs = [(old[key], new[key]) for key in old if key in new]
    changes = [FindingChange(before=b, after=a) for b, a in pairs]
    changed = tuple(one for one in changes if one.fields)
    return Difference(
        before=before.digest,
        after=after.digest,
        new=tuple(found for key, found in new.items() if key not in old),
        gone=tuple(found for key, found in old.items() if key not in new),
        changed=changed,
        unchanged=len(pairs) - len(changed),
        packages=_packages(before.inventory.components, after.inventory.components),
        is_comparable=before.feeds == after.feeds and not (before.is_partial or after.is_partial),
    )


_Key = tuple[str, str, str, str]


def _by_key(findings: Iterable[Finding]) -> dict[_Key, Finding]:
    found: dict[_Key, Finding] = {}
    for finding in findings:
        name = min((finding.id, *finding.aliases), key=_rank)
        place = "" if finding.type.is_system else finding.path
        found.setdefault((name, finding.type.value, finding.name, place), finding)
    return found


def _rank(identifier: str) -> tuple[bool, int, str]:
    return not identifier.startswith("CVE-"), len(identifier), identifier


def _packages(before: Iterable[Component], after: Iterable[Component]) -> tuple[PackageChange, ...]:
    old, new = _versions(before), _versions(after)
    changes = []
    for key in sorted(old.keys() | new.keys()):
        versions = old.get(key, ()), new.get(key, ())
        if versions[0] != versions[1]:
            changes.append(
                PackageChange(type=key[0], name=key[1], before=versions[0], after=versions[1])
            )
    return tuple(changes)


def _versions(components: Iterable[Component]) -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], set[str]] = {}
    for one in components:
        found.setdefault((one.type.value, one.name), set()).add(one.version)
    return {key: tuple(sorted(versions)) for key, versions in found.items()}
