"""From what the rooms know to a verdict: gathers the evidence, asks the policy, writes it down.

The translation between the rooms' words stands here, so that `policy` knows neither `trust` nor
`scan`. What cannot be found out is handed to the policy as missing, and then says no.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from seawall import audit, policy
from seawall.core import clock as clocks
from seawall.core.actor import Actor
from seawall.core.clock import Clock
from seawall.core.errors import SeawallError
from seawall.flows import vouching
from seawall.flows.attestations import Attestations
from seawall.flows.vouching import Vouched, Vouching
from seawall.oci import manifests, media, platforms
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor, Index
from seawall.oci.names import RepositoryName, Tag
from seawall.policy.events import VerdictGiven
from seawall.policy.model import Mode, RuleResult, Waiver
from seawall.policy.policies import Policies
from seawall.registry.model import Needed
from seawall.registry.service import Registry
from seawall.scan import vex
from seawall.scan.report_model import Finding, Report, Suppressed
from seawall.scan.reports import Reports
from seawall.store import Database
from seawall.store.watching import WhileUnchanged
from seawall.trust.proof import Proof

VERDICTS_READ: Final = 50
VERDICT_BYTES: Final = 512
"""Of one that is kept, beside its body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict, with what it rests on."""

    tag: Tag | None
    verdict: policy.Verdict
    vouched: Vouched
    report: Report | None
    scanned: Digest
    """The manifest whose report is shown: of an index, the first for this machine's platform. The
    verdict rests on the reports of *all* that the engine might run."""

    @property
    def proof(self) -> Proof:
        """Return the proof of the signatures beside the image."""
        return self.vouched.proof


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """What an image is, and what the scanner said of it."""

    needed: Needed
    scanned: Digest
    runnable: tuple[Digest, ...]
    reports: tuple[Report | None, ...]
    """Of all that an engine might run."""
    report: Report | None
    """Of what this machine would run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Judges images of this registry. Every method blocks."""

    database: Database
    registry: Registry
    vouching: Vouching
    attestations: Attestations
    reports: Reports
    policies: Callable[[], Policies]
    """Reads the policies that are in force now; raises SeawallError when they do not parse."""
    clock: Clock
    kept: WhileUnchanged[tuple[RepositoryName, Digest], _Looked]
    """What was read of images; it is read again after each event that may change it."""
    given: WhileUnchanged[tuple[str, str, Tag | None], audit.Entry | None]
    """The verdicts in force; they are read again after each verdict, by whomever."""
    answers: Callable[[], Sequence[vex.Document]] = tuple
    """Returns the VEX documents that an administrator let in."""

    def judge(self, repository: RepositoryName, digest: Digest, *, tag: Tag | None) -> Judgement:
        """Judge `digest` as an image of `repository`, asked for by `tag` or by digest.

        Raises NotFoundError when it is not here. A policy that cannot be read is no error: its
        verdict is no.
        """
        now = self.clock.now()
        looked = self.kept.get(
            (repository, digest), lambda: self._look(repository, digest), weigh=_bytes_of
        )
        rules = self._rules(repository)
        vouched = self.vouching.prove(repository, digest, tag=tag, now=now)
        evidence = policy.Evidence(
            repository=repository,
            digest=digest,
            content=self._content(repository, looked.needed),
            signatures=vouched.signature_evidence,
            scan=_scan_of_all(looked.reports),
            tree=vouched.tree_evidence,
            attestations=self._attestations(repository, digest, looked.runnable, rules),
        )
        return Judgement(
            tag=tag,
            verdict=_decide(evidence, rules, now),
            vouched=vouched,
            report=_waived(looked.report, rules, now),
            scanned=looked.scanned,
        )

    def has_answers(self, repository: RepositoryName) -> bool:
        """Tell whether anything answers for findings of the repository at all."""
        rules = self._rules(repository)
        return bool(self.answers()) or (not isinstance(rules, SeawallError) and bool(rules.waivers))

    def waived(self, repository: RepositoryName, report: Report) -> Report:
        """Return a report without what a waiver of the repository's policy covers now."""
        return _waived(report, self._rules(repository), self.clock.now()) or report

    def answered(self, repository: RepositoryName, digest: Digest, report: Report) -> Report:
        """Return a report without what VEX answers for; the image is `digest` or a part of it."""
        documents = self.answers()
        if not documents:
            return report
        names = self._names(repository, digest)
        return vex.apply(report, documents, names=names, also=(str(digest),))

    def _names(self, repository: RepositoryName, digest: Digest) -> list[str]:
        """Return all names of an image, under every host and tag."""
        tagged = self.registry.tag_list_with_digests(repository)
        tags = [f":{one.tag}" for one in tagged if one.digest == digest]
        hosts = sorted(self.vouching.signatures.hosts)
        return [f"{host}/{repository}{mark}" for host in hosts for mark in (tags or [""])]

    def record(self, judgement: Judgement, *, actor: Actor) -> int:
        """Write the verdict down and return its number in the log.

        A verdict that says what the newest one about this image says is not written again: that
        entry is the one in force.
        """
        verdict = judgement.verdict
        event = VerdictGiven(
            repository=verdict.repository,
            digest=verdict.digest,
            tag=judgement.tag,
            allowed=verdict.is_allowed,
            policy=verdict.policy,
            reasons=verdict.reasons,
        )
        in_force = self.given.get(
            (verdict.repository, verdict.digest, judgement.tag),
            lambda: self._in_force(event),
            weigh=lambda entry: VERDICT_BYTES + (0 if entry is None else len(entry.body)),
        )
        if in_force is not None and in_force.body == audit.body_of(event):
            return in_force.seq
        with self.database.write() as connection:
            return audit.record(connection, event, actor=actor, at=self.clock.now())

    def _look(self, repository: RepositoryName, digest: Digest) -> _Looked:
        stored = self.registry.manifest(repository, digest)
        scanned = platform_manifest(stored.digest, stored.content, stored.media_type)
        runnable = runnable_manifests(stored.digest, stored.content, stored.media_type)
        reports = {each: self._report(repository, digest, each) for each in runnable}
        own = reports[scanned] if scanned in reports else self._report(repository, digest, scanned)
        return _Looked(
            needed=self.registry.needed(repository, digest),
            scanned=scanned,
            runnable=runnable,
            reports=tuple(reports.values()),
            report=own,
        )

    def _report(self, repository: RepositoryName, digest: Digest, scanned: Digest) -> Report | None:
        report = self.reports.latest(scanned)
        return None if report is None else self.answered(repository, digest, report)

    def _rules(self, repository: RepositoryName) -> policy.Policy | SeawallError:
        try:
            return self.policies().for_repository(repository)
        except SeawallError as error:
            return error

    def _attestations(
        self,
        repository: RepositoryName,
        digest: Digest,
        members: Sequence[Digest],
        rules: policy.Policy | SeawallError,
    ) -> tuple[policy.Attestation, ...] | None:
        """Look for the attestations that a rule asks for, and no others: they may be large."""
        if isinstance(rules, SeawallError) or not rules.attested_types:
            return None
        now = self.clock.now()
        found = [
            one
            for kind in sorted(rules.attested_types)
            for one in self.attestations.of_image(
                repository, digest, members, now=now, predicate_type=kind
            )
        ]
        keys = self.attestations.trusted_keys.for_repository(repository)
        return vouching.attestation_evidence(found, keys)

    def _in_force(self, event: VerdictGiven) -> audit.Entry | None:
        """Return the newest verdict about the same image under the same tag."""
        only = audit.Filter(kinds=(event.kind(),), repository=event.repository, digest=event.digest)
        with self.database.read() as connection:
            newest = audit.read(connection, limit=VERDICTS_READ, newest_first=True, only=only)
        return next((e for e in newest if e.details().get("tag") == event.tag), None)

    def _content(self, repository: RepositoryName, needed: Needed) -> policy.Content | None:
        """Look at the disk, however well the image is known: bytes vanish without an event."""
        try:
            missing = self.registry.missing_of(repository, needed)
        except SeawallError:
            return None
        return policy.Content(missing=tuple(missing))


def _bytes_of(looked: _Looked) -> int:
    """Return how much memory it takes, about."""
    found = [report for report in (*looked.reports, looked.report) if report is not None]
    return (
        1024
        + 256 * len(looked.needed.blobs)
        + sum(
            512 * (len(one.findings) + len(one.inventory.components) + len(one.notices))
            for one in found
        )
    )


def platform_manifest(digest: Digest, content: bytes, content_type: str) -> Digest:
    """Return the manifest that this machine's engine would run of an image or index.

    An index without an entry for this platform stands for itself: it has no report, so the policy
    refuses it.
    """
    parsed = manifests.parse(content, content_type)
    if not isinstance(parsed, Index):
        return digest
    fitting = [entry for entry in parsed.manifests if _is_for_this_machine(entry)]
    return fitting[0].digest if fitting else digest


def runnable_manifests(digest: Digest, content: bytes, content_type: str) -> tuple[Digest, ...]:
    """Return every manifest that an engine of this machine might run of an image or index.

    Engines choose among an index's entries by rules of their own (variants, fallbacks to 32 bits,
    entries without a platform, nested indexes), so all of these count: one clean entry must not
    vouch for another. None at all: the index stands for itself, and has no report.
    """
    parsed = manifests.parse(content, content_type)
    if not isinstance(parsed, Index):
        return (digest,)
    fitting = dict.fromkeys(e.digest for e in parsed.manifests if _may_run_here(e))
    return tuple(fitting) or (digest,)


def _is_for_this_machine(entry: Descriptor) -> bool:
    return entry.media_type not in media.INDEXES and platforms.is_own(entry.platform)


def _may_run_here(entry: Descriptor) -> bool:
    return entry.media_type in media.INDEXES or platforms.may_run_here(entry.platform)


def _decide(
    evidence: policy.Evidence, rules: policy.Policy | SeawallError, now: dt.datetime
) -> policy.Verdict:
    if isinstance(rules, SeawallError):
        return _refuse_unread(evidence, rules)
    return policy.decide(evidence, rules, now)


def _refuse_unread(evidence: policy.Evidence, error: SeawallError) -> policy.Verdict:
    """Refuse by a policy that cannot be read, and name the mistake."""
    told = RuleResult(
        rule="policy",
        mode=Mode.ENFORCE,
        is_passed=False,
        evidence=f"the policy cannot be read: {error.message}",
        remedy="let an administrator correct the policy file, and run: seawall policy check",
    )
    return policy.Verdict(
        is_allowed=False,
        repository=evidence.repository,
        digest=evidence.digest,
        policy="unreadable",
        results=(told,),
        reasons=(told.reason,),
        warnings=(),
    )


def _waived(
    report: Report | None, rules: policy.Policy | SeawallError, now: dt.datetime
) -> Report | None:
    """Take what a waiver covers out of the findings that are shown. Policy counts for itself."""
    if report is None or isinstance(rules, SeawallError) or not rules.waivers:
        return report
    covered: dict[Finding, Waiver] = {}
    for one in report.findings:
        ids, packages = (one.id, *one.aliases), (one.name, one.package)
        standing = [each for each in rules.waivers if each.covers(ids, packages, now)]
        if standing:
            covered[one] = max(standing, key=lambda each: each.expires)
    suppressed = [
        Suppressed(
            finding=one,
            status="waived",
            reason=waiver.reason,
            author=waiver.owner,
            until=clocks.to_text(waiver.expires),
        )
        for one, waiver in covered.items()
    ]
    return msgspec.structs.replace(
        report,
        findings=tuple(one for one in report.findings if one not in covered),
        suppressed=(*report.suppressed, *suppressed),
    )


def _scan_of_all(reports: Sequence[Report | None]) -> policy.Scan | None:
    """Put reports together: the oldest date, every finding. One missing report is no scan."""
    scans = [_scan(report) for report in reports if report is not None]
    if not scans or len(scans) < len(reports):
        return None
    return policy.Scan(
        scanned_at=min(scan.scanned_at for scan in scans),
        findings=tuple(dict.fromkeys(f for scan in scans for f in scan.findings)),
        gaps=tuple(dict.fromkeys(gap for scan in scans for gap in scan.gaps)),
        unexplained=tuple(dict.fromkeys(path for scan in scans for path in scan.unexplained)),
        weaknesses=tuple(dict.fromkeys(one for scan in scans for one in scan.weaknesses)),
    )


def _scan(report: Report) -> policy.Scan:
    findings = tuple(
        policy.Finding(
            id=finding.id,
            severity=policy.Severity[finding.severity.name],
            package=finding.name,
            source=finding.package,
            aliases=finding.aliases,
            version=finding.version,
            fixed_version=finding.fixed_version,
            is_exploited=finding.is_known_exploited,
            epss=finding.epss,
        )
        for finding in report.findings
    )
    partial = ("a part of the image could not be read",) if report.is_partial else ()
    scanned_at: dt.datetime = clocks.from_text(report.scanned_at)
    return policy.Scan(
        scanned_at=scanned_at,
        findings=findings,
        gaps=(*partial, *report.gaps),
        unexplained=tuple(one.path for one in report.inventory.unexplained),
        weaknesses=tuple(
            policy.Weakness(
                rule=one.rule, severity=policy.Severity[one.severity.name], path=one.path
            )
            for one in report.inventory.weaknesses
        ),
    )
