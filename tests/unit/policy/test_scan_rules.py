"""What the scanner found besides fixable holes decides where a policy says so."""

from __future__ import annotations

import datetime as dt

import pytest

from seawall import policy
from seawall.policy.model import Waiver
from seawall.policy.rule import Opinion, Rule
from seawall.policy.scan_rules import NothingExploited, NothingUnexplained, NothingWeak

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
USED = policy.Finding(
    id="CVE-2026-1", severity=policy.Severity.LOW, package="zlib1g", version="1.2",
    is_exploited=True,
)  # fmt: skip
FEARED = policy.Finding(
    id="CVE-2026-2", severity=policy.Severity.LOW, package="curl", version="8.0",
    fixed_version="8.1", epss=0.25,
)  # fmt: skip
KEY = policy.Weakness(rule="private-key", severity=policy.Severity.CRITICAL, path="/root/id_rsa")
ROOT = policy.Weakness(rule="user-is-root", severity=policy.Severity.MEDIUM)


def asked(rule: Rule, *waivers: Waiver, **scan: object) -> Opinion:
    found = policy.Scan(scanned_at=NOW, **scan)  # type: ignore[arg-type]
    evidence = policy.Evidence(
        repository="team/app", digest="sha256:0", content=None, signatures=None, scan=found
    )
    return rule.check(evidence, NOW, waivers)


@pytest.mark.parametrize("rule", [NothingExploited(), NothingUnexplained(), NothingWeak()])
def test_what_was_not_scanned_does_not_pass(rule: Rule) -> None:
    evidence = policy.Evidence(
        repository="team/app", digest="sha256:0", content=None, signatures=None, scan=None
    )
    assert not rule.check(evidence, NOW, ()).is_passed
    assert asked(rule).is_passed


def test_an_exploited_hole_counts_at_any_severity_and_without_a_fix() -> None:
    said = asked(NothingExploited(), findings=(USED, FEARED))
    assert not said.is_passed
    assert "1 known to be exploited: CVE-2026-1 (low) in zlib1g 1.2" == said.evidence
    assert "waiver" in said.remedy


def test_a_hole_that_is_likely_to_be_exploited_counts_from_the_stated_percentage() -> None:
    assert not asked(NothingExploited(likely=25), findings=(FEARED,)).is_passed
    assert asked(NothingExploited(likely=26), findings=(FEARED,)).is_passed
    both = asked(NothingExploited(likely=25), findings=(FEARED, USED))
    assert both.evidence.startswith("2 known to be exploited or likely to be (EPSS 25 % and above)")
    assert "rebuild with curl 8.1 or newer; take out" in both.remedy


def test_somebody_may_answer_for_an_exploited_hole_for_a_time() -> None:
    waiver = Waiver(
        finding=USED.id, reason="r", owner="o", expires=NOW + dt.timedelta(hours=1), package=""
    )
    said = asked(NothingExploited(), waiver, findings=(USED,))
    assert (True, ("CVE-2026-1",)) == (said.is_passed, said.waived)
    over = Waiver(finding=USED.id, reason="r", owner="o", expires=NOW)
    assert not asked(NothingExploited(), over, findings=(USED,)).is_passed


def test_unexplained_programs_are_named_unless_their_paths_are_excepted() -> None:
    paths = ("/opt/app/run", "/usr/local/bin/x")
    said = asked(NothingUnexplained(), unexplained=paths)
    assert not said.is_passed
    assert "2 programs" in said.evidence
    assert "/opt/app/run, /usr/local/bin/x" in said.evidence
    assert "fingerprints learn" in said.remedy
    one = asked(NothingUnexplained(exceptions=("/opt/app/*",)), unexplained=paths)
    assert "1 programs" not in one.evidence
    assert "/opt/app/run" not in one.evidence
    both = NothingUnexplained(exceptions=("/opt/*", "/usr/local/bin/x"))
    assert asked(both, unexplained=paths).is_passed


def test_weaknesses_count_from_their_severity_and_say_where_they_are() -> None:
    said = asked(NothingWeak(), weaknesses=(ROOT, KEY))
    assert not said.is_passed
    assert "1 of severity high or above: private-key (critical) at /root/id_rsa" == said.evidence
    every = asked(NothingWeak(severity=policy.Severity.LOW), weaknesses=(ROOT, KEY))
    assert "user-is-root (medium) in its config" in every.evidence
    assert asked(NothingWeak(exceptions=("/root/*",)), weaknesses=(ROOT, KEY)).is_passed


def test_a_weakness_of_the_config_fits_no_pattern_of_paths() -> None:
    rule = NothingWeak(severity=policy.Severity.LOW, exceptions=("/*",))
    assert not asked(rule, weaknesses=(ROOT,)).is_passed
