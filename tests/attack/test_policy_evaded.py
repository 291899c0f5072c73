"""Ways around the policy: evidence that is missing or dressed up, files that mean two things."""

import dataclasses
import datetime as dt

import pytest

from seawall import policy
from seawall.core.errors import InvalidInputError
from seawall.policy.model import Mode
from seawall.policy.policies import Moded, Policy, Waiver
from seawall.policy.rules import ContentWhole, NothingFixable, Signed

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
GOOD = policy.Evidence(
    repository="team/app",
    digest="sha256:" + "0" * 64,
    content=policy.Content(),
    signatures=policy.Signatures(signers=(policy.Signer(key_id="a", name="release"),)),
    scan=policy.Scan(scanned_at=NOW),
)
HOLE = policy.Finding(
    id="CVE-1", severity=policy.Severity.CRITICAL, package="zlib", fixed_version="2"
)


def refused_by(evidence, wanted=policy.DEFAULT, now=NOW):
    verdict = policy.decide(evidence, wanted, now)
    assert not verdict.is_allowed
    return {reason.rule for reason in verdict.reasons}


def with_rules(*rules, mode=Mode.ENFORCE, waivers=()):
    return Policy(
        name="p",
        patterns=("**",),
        rules=tuple(Moded(rule=rule, mode=mode) for rule in rules),
        waivers=waivers,
    )


@pytest.mark.parametrize("part", ["content", "signatures", "scan"])
def test_refuses_when_evidence_could_not_be_had(part):
    assert refused_by(dataclasses.replace(GOOD, **{part: None}))


def test_refuses_corrupt_content_whatever_mode_is_asked_for():
    corrupt = dataclasses.replace(GOOD, content=policy.Content(corrupt=("sha256:1",)))
    for mode in Mode:
        assert {"content-whole"} == refused_by(corrupt, with_rules(ContentWhole(), mode=mode))
        assert {"content-whole"} == refused_by(corrupt, with_rules(Signed(), mode=mode))


def test_refuses_scan_kept_from_before_the_advisory_arrived():
    old = dataclasses.replace(
        GOOD, scan=policy.Scan(scanned_at=NOW - dt.timedelta(days=7, hours=1))
    )
    assert {"scan-fresh"} == refused_by(old)


def test_refuses_scan_dated_ahead_to_stay_fresh_for_long():
    ahead = dataclasses.replace(GOOD, scan=policy.Scan(scanned_at=NOW + dt.timedelta(days=365)))
    assert {"scan-fresh"} == refused_by(ahead)


def test_refuses_hole_hidden_behind_an_unknown_severity():
    unknown = dataclasses.replace(HOLE, severity=policy.Severity.UNKNOWN)
    scan = policy.Scan(scanned_at=NOW, findings=(unknown,))
    assert {"nothing-fixable"} == refused_by(dataclasses.replace(GOOD, scan=scan))


def test_refuses_hole_whose_waiver_is_over_or_for_another():
    evidence = dataclasses.replace(GOOD, scan=policy.Scan(scanned_at=NOW, findings=(HOLE,)))
    later = NOW + dt.timedelta(days=1)
    for finding, expires in (("CVE-1", NOW), ("CVE-2", later), ("cve-1", later), ("*", later)):
        waiver = Waiver(finding=finding, reason="r", owner="o", expires=expires)
        wanted = with_rules(NothingFixable(), waivers=(waiver,))
        assert {"nothing-fixable"} == refused_by(evidence, wanted)


def test_refuses_zero_required_signers_as_a_way_to_need_none():
    unsigned = dataclasses.replace(GOOD, signatures=policy.Signatures())
    assert {"signed"} == refused_by(unsigned, with_rules(Signed(signers=0)))


def test_refuses_signer_counted_twice_under_two_names():
    twins = tuple(policy.Signer(key_id="a", name=name) for name in ("release", "security"))
    evidence = dataclasses.replace(GOOD, signatures=policy.Signatures(signers=twins))
    assert {"signed"} == refused_by(evidence, with_rules(Signed(signers=2)))


@pytest.mark.parametrize(
    "text",
    [
        "signed: {mode: enforce, mode: audit}",
        "signed: {}\n        signed: {mode: audit}",
        '"signed": {}\n        signed: {mode: audit}',
        "signed: {mode: ENFORCE}",
        "Signed: {}",
        "signed: !!null x",
        "signed: &a {mode: audit}",
        "content-whole: {mode: audit}",
        "content-whole: {mode: warn}",
    ],
)
def test_refuses_file_that_two_readers_could_take_in_two_ways(text):
    content = (
        "version: 1\npolicies:\n  - name: a\n    repositories: ['**']\n    rules:\n"
        f"        {text}\n"
    )
    with pytest.raises(InvalidInputError):
        policy.load(content.encode())


def test_refuses_escape_sequences_on_their_way_to_a_terminal():
    wild = dataclasses.replace(HOLE, id="\x1b]0;owned\x07", package="\x1b[2J\r\n\u202e")
    evidence = dataclasses.replace(GOOD, scan=policy.Scan(scanned_at=NOW, findings=(wild,)))
    text = policy.explain(policy.decide(evidence, policy.DEFAULT, NOW))
    assert all(character.isprintable() or character == "\n" for character in text)
