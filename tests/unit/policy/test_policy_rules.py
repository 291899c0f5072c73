import dataclasses
import datetime as dt

import pytest

from seawall import policy
from seawall.policy.model import Mode, Waiver
from seawall.policy.policies import Moded, Policy
from seawall.policy.rules import NothingFixable, ScanFresh
from seawall.policy.trust_rules import Signed

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
OLD = NOW - dt.timedelta(days=8)
HOLE = policy.Finding(
    id="CVE-2026-1",
    severity=policy.Severity.HIGH,
    package="zlib1g",
    version="1.2",
    fixed_version="1.3",
)
GOOD = policy.Evidence(
    repository="team/app",
    digest="sha256:" + "0" * 64,
    content=policy.Content(),
    signatures=policy.Signatures(signers=(policy.Signer(key_id="a", name="release"),)),
    scan=policy.Scan(scanned_at=NOW - dt.timedelta(hours=1)),
    tree=policy.Tree(state=policy.TreeState.UNPINNED),
)


def with_findings(*findings):
    return dataclasses.replace(GOOD, scan=dataclasses.replace(GOOD.scan, findings=findings))


def decide(evidence, *rules, mode=Mode.ENFORCE, waivers=(), now=NOW):
    wanted = Policy(
        name="test",
        patterns=("**",),
        rules=tuple(Moded(rule=rule, mode=mode) for rule in rules),
        waivers=waivers,
    )
    return policy.decide(evidence, wanted if rules else policy.DEFAULT, now)


def test_a_good_image_passes_the_built_in_policy():
    verdict = decide(GOOD)
    assert verdict.is_allowed, verdict.reasons
    assert "built-in" == verdict.policy


@pytest.mark.parametrize(
    ("change", "rule", "remedy"),
    [
        ({"signatures": policy.Signatures(explanation="the image has no signature")}, "signed",
         "seawall sign"),
        ({"scan": None}, "scan-fresh", "seawall scan"),
        ({"scan": policy.Scan(scanned_at=OLD)}, "scan-fresh", "seawall scan"),
        ({"scan": policy.Scan(scanned_at=NOW, gaps=("layer 3",))}, "scan-complete", "report"),
        ({"scan": policy.Scan(scanned_at=NOW, findings=(HOLE,))}, "nothing-fixable", "zlib1g 1.3"),
        ({"content": policy.Content(corrupt=("sha256:1",))}, "content-whole", "push"),
        ({"content": policy.Content(missing=("sha256:1",))}, "content-whole", "push"),
        ({"content": None}, "content-whole", "check"),
    ],
)  # fmt: skip
def test_a_bad_image_is_refused_by_the_rule_with_a_remedy(change, rule, remedy):
    verdict = decide(dataclasses.replace(GOOD, **change))
    assert not verdict.is_allowed
    reasons = {reason.rule: reason for reason in verdict.reasons}
    assert remedy in reasons[rule].remedy


def test_all_that_is_wrong_is_said_at_once():
    bad = dataclasses.replace(GOOD, content=None, signatures=None, scan=None)
    assert {"content-whole", "signed", "scan-fresh", "scan-complete", "nothing-fixable"} == {
        reason.rule for reason in decide(bad).reasons
    }


def test_a_hole_without_a_fix_is_no_reason():
    assert decide(with_findings(dataclasses.replace(HOLE, fixed_version=""))).is_allowed


def test_a_hole_below_the_severity_is_no_reason():
    medium = dataclasses.replace(HOLE, severity=policy.Severity.MEDIUM)
    assert decide(with_findings(medium)).is_allowed
    assert not decide(
        with_findings(medium), NothingFixable(severity=policy.Severity.MEDIUM)
    ).is_allowed


def test_an_unknown_severity_counts_as_high_unless_told():
    unknown = with_findings(dataclasses.replace(HOLE, severity=policy.Severity.UNKNOWN))
    assert not decide(unknown).is_allowed
    assert decide(unknown, NothingFixable(unknown_counts_as=policy.Severity.LOW)).is_allowed


def test_a_waiver_holds_until_its_expiry_and_is_shown():
    end = NOW + dt.timedelta(days=1)
    waiver = Waiver(finding=HOLE.id, reason="not reachable", owner="ada", expires=end)
    before = decide(with_findings(HOLE), NothingFixable(), waivers=(waiver,))
    assert before.is_allowed
    assert "waived: CVE-2026-1" in policy.explain(before)
    at = decide(with_findings(HOLE), NothingFixable(), waivers=(waiver,), now=end)
    assert not at.is_allowed


def test_a_waiver_for_an_alias_holds_too():
    waiver = Waiver(finding="GHSA-1", reason="r", owner="o", expires=NOW + dt.timedelta(days=1))
    known_as = dataclasses.replace(HOLE, aliases=("GHSA-1",))
    assert decide(with_findings(known_as), NothingFixable(), waivers=(waiver,)).is_allowed


@pytest.mark.parametrize(
    ("package", "is_allowed"),
    [("", True), (HOLE.package, True), ("openssl-source", True), ("other", False)],
)
def test_a_waiver_may_be_for_one_package(package, is_allowed):
    hole = dataclasses.replace(HOLE, source="openssl-source")
    end = NOW + dt.timedelta(days=1)
    waiver = Waiver(finding=HOLE.id, reason="r", owner="o", expires=end, package=package)
    verdict = decide(with_findings(hole), NothingFixable(), waivers=(waiver,))
    assert verdict.is_allowed is is_allowed


def test_a_rule_may_name_whose_signatures_count():
    assert decide(GOOD, Signed(by=("release",))).is_allowed
    assert not decide(GOOD, Signed(by=("security",))).is_allowed


def test_two_signatures_by_one_key_count_once():
    twice = dataclasses.replace(
        GOOD, signatures=policy.Signatures(signers=GOOD.signatures.signers * 2)
    )
    assert not decide(twice, Signed(signers=2)).is_allowed


def test_a_rule_may_want_the_repository_named():
    unbound = policy.Signer(key_id="a", name="release", is_bound_to_repository=False)
    evidence = dataclasses.replace(GOOD, signatures=policy.Signatures(signers=(unbound,)))
    assert decide(evidence, Signed()).is_allowed
    assert not decide(evidence, Signed(must_name_repository=True)).is_allowed


def test_a_scan_from_the_future_is_refused():
    future = dataclasses.replace(GOOD, scan=policy.Scan(scanned_at=NOW + dt.timedelta(hours=1)))
    assert not decide(future, ScanFresh()).is_allowed


def test_a_warning_is_shown_and_allows():
    verdict = decide(with_findings(HOLE), NothingFixable(), mode=Mode.WARN)
    assert verdict.is_allowed
    assert ["nothing-fixable"] == [reason.rule for reason in verdict.warnings]
    assert "warn" in policy.explain(verdict)


def test_an_audited_rule_stands_in_the_results_alone():
    verdict = decide(with_findings(HOLE), NothingFixable(), mode=Mode.AUDIT)
    assert verdict.is_allowed
    assert () == verdict.warnings
    assert [False] == [r.is_passed for r in verdict.results if r.rule == "nothing-fixable"]


def test_a_long_list_is_cut_with_its_number():
    many = [dataclasses.replace(HOLE, id=f"CVE-2026-{n}") for n in range(20)]
    evidence = decide(with_findings(*many)).reasons[0].evidence
    assert "20 fixable" in evidence
    assert "and 15 more" in evidence
