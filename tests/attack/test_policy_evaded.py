"""Ways around the policy: evidence that is missing or dressed up, files that mean two things."""

import dataclasses
import datetime as dt

import pytest

from seawall import policy
from seawall.core.errors import InvalidInputError
from seawall.policy.model import Mode, Waiver
from seawall.policy.policies import Moded, Policy
from seawall.policy.rules import ContentWhole, NothingFixable
from seawall.policy.trust_rules import Attested, InTree, Signed, TreeIntact

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
GOOD = policy.Evidence(
    repository="team/app",
    digest="sha256:" + "0" * 64,
    content=policy.Content(),
    signatures=policy.Signatures(signers=(policy.Signer(key_id="a", name="release"),)),
    scan=policy.Scan(scanned_at=NOW),
    tree=policy.Tree(state=policy.TreeState.UNPINNED),
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


@pytest.mark.parametrize("part", ["content", "signatures", "scan", "tree"])
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


@pytest.mark.parametrize("state", [policy.TreeState.BROKEN, policy.TreeState.MOVED])
def test_refuses_broken_tree_or_moved_tag_whatever_mode_is_asked_for(state):
    bad = dataclasses.replace(GOOD, tree=policy.Tree(state=state))
    for mode in Mode:
        assert {"tree-intact"} <= refused_by(bad, with_rules(TreeIntact(), InTree(), mode=mode))
        assert {"tree-intact"} == refused_by(bad, with_rules(Signed(), mode=mode))


@pytest.mark.parametrize(
    "state", [state for state in policy.TreeState if state is not policy.TreeState.PROVEN]
)
def test_refuses_what_a_demanded_tree_does_not_prove(state):
    evidence = dataclasses.replace(GOOD, tree=policy.Tree(state=state))
    assert "tree" in refused_by(evidence, with_rules(InTree()))


def test_refuses_tree_whose_timestamp_is_old_or_dated_ahead_or_of_an_unknown_time():
    for refreshed_at in (NOW - dt.timedelta(hours=7), NOW + dt.timedelta(hours=1), None):
        tree = policy.Tree(state=policy.TreeState.PROVEN, refreshed_at=refreshed_at)
        evidence = dataclasses.replace(GOOD, tree=tree)
        assert {"tree"} == refused_by(evidence, with_rules(InTree(max_age=dt.timedelta(hours=6))))


def signed_by(*signers):
    return dataclasses.replace(GOOD, signatures=policy.Signatures(signers=signers))


def test_refuses_certificate_that_calls_itself_by_the_name_of_a_trusted_key():
    posing = policy.Signer(key_id="b", name="release", authority="corp", identity="release")
    assert {"signed"} == refused_by(signed_by(posing), with_rules(Signed(by=("release",))))
    for name in ("authority:other", "authority:corp/x", "authority:", "authority:corp/"):
        assert {"signed"} == refused_by(signed_by(posing), with_rules(Signed(by=(name,))))


def test_refuses_one_person_with_two_certificates_or_with_key_and_certificate_as_two_signers():
    first = policy.Signer(key_id="b", name="ada", authority="corp", identity="ada")
    renewed = dataclasses.replace(first, key_id="c")
    bare = policy.Signer(key_id="b", name="release")
    for pair in ((first, renewed), (first, bare), (bare, renewed, first)):
        assert {"signed"} == refused_by(signed_by(*pair), with_rules(Signed(signers=2)))


def test_refuses_demands_that_are_met_only_by_different_signatures_together():
    logged = policy.Signer(key_id="a", name="r", is_bound_to_repository=False, is_logged=True)
    bound = policy.Signer(key_id="a", name="r")
    rule = Signed(must_name_repository=True, logged=True)
    assert {"signed"} == refused_by(signed_by(logged, bound), with_rules(rule))


@pytest.mark.parametrize(
    "rule",
    [
        Signed(hardware=True),
        Signed(logged=True),
        Signed(witnesses=1),
        Signed(formats=(policy.Format.NOTATION_JWS,)),
        Signed(max_age=dt.timedelta(days=1)),
    ],
)
def test_refuses_signature_that_lacks_what_is_demanded_of_it(rule):
    assert {"signed"} == refused_by(GOOD, with_rules(rule))


def test_refuses_log_entry_that_fewer_witnesses_saw_or_none_proved():
    for is_logged, witnesses in ((True, 1), (False, 2)):
        seen = policy.Signer(key_id="a", name="r", is_logged=is_logged, witnesses=witnesses)
        assert {"signed"} == refused_by(signed_by(seen), with_rules(Signed(witnesses=2)))


def test_refuses_signature_made_too_long_ago_or_in_the_future():
    for days in (-2, 1):
        signed_at = NOW + dt.timedelta(days=days)
        dated = policy.Signer(key_id="a", name="r", signed_at=signed_at)
        rule = Signed(max_age=dt.timedelta(days=1))
        assert {"signed"} == refused_by(signed_by(dated), with_rules(rule))


def test_refuses_attestation_of_another_type_or_by_another_signer():
    statement = policy.Attestation(
        predicate_type="https://spdx.dev/Document", signer=policy.Signer(key_id="a", name="ci")
    )
    evidence = dataclasses.replace(GOOD, attestations=(statement,))
    spdx, slsa = "https://spdx.dev/Document", "https://slsa.dev/provenance/v1"
    for rule in (Attested(types=(slsa,)), Attested(types=(spdx, slsa)),
                 Attested(types=(spdx,), by=("release",)), Attested(types=(spdx,), signers=2),
                 Attested(types=())):  # fmt: skip
        assert {"attested"} == refused_by(evidence, with_rules(rule))
    assert {"attested"} == refused_by(GOOD, with_rules(Attested(types=(spdx,))))


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
        "tree-intact: {mode: audit}",
        "tree-intact: [{mode: audit}]",
        "tree: {unpinned: allow, unpinned: refuse}",
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
