"""The laws of the decision, for any evidence and any policy."""

import dataclasses
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall import policy
from seawall.policy.model import Mode, Waiver
from seawall.policy.policies import Moded, Policy
from seawall.policy.rules import ContentWhole, NothingFixable, ScanComplete, ScanFresh
from seawall.policy.scan_rules import NothingExploited, NothingUnexplained, NothingWeak
from seawall.policy.trust_rules import Attested, InTree, Signed, TreeIntact

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
IDS = ["CVE-1", "CVE-2", "CVE-3"]

moments = st.timedeltas(dt.timedelta(days=-20), dt.timedelta(days=20)).map(lambda d: NOW + d)
severities = st.sampled_from(policy.Severity)
findings = st.builds(
    policy.Finding,
    id=st.sampled_from(IDS),
    severity=severities,
    package=st.sampled_from(["zlib", "openssl"]),
    aliases=st.lists(st.sampled_from(IDS), max_size=1).map(tuple),
    version=st.just("1"),
    fixed_version=st.sampled_from(["", "2"]),
    is_exploited=st.booleans(),
    epss=st.none() | st.floats(0, 1),
)
signers = st.builds(
    policy.Signer,
    key_id=st.sampled_from("abc"),
    name=st.sampled_from(["release", "security"]),
    is_bound_to_repository=st.booleans(),
    format=st.sampled_from(policy.Format),
    authority=st.sampled_from(["", "corp"]),
    identity=st.sampled_from(["ada", "release"]),
    signed_at=st.none() | moments,
    is_on_hardware=st.booleans(),
    is_logged=st.booleans(),
    witnesses=st.integers(0, 2),
)
signer_tuples = st.lists(signers, max_size=4).map(tuple)
SLSA, SPDX = "https://slsa.dev/provenance/v1", "https://spdx.dev/Document"
attestations = st.builds(
    policy.Attestation, predicate_type=st.sampled_from([SLSA, SPDX]), signer=signers
)
trees = st.builds(
    policy.Tree,
    state=st.sampled_from(policy.TreeState),
    explanation=st.sampled_from(["", "why"]),
    refreshed_at=st.none() | moments,
)
ages = st.none() | st.integers(1, 400).map(lambda h: dt.timedelta(hours=h))
demands = {
    "signers": st.integers(0, 3),
    "by": st.lists(
        st.sampled_from(["release", "c", "authority:corp", "authority:corp/ada"]), max_size=2
    ).map(tuple),
    "formats": st.lists(st.sampled_from(policy.Format), max_size=2).map(tuple),
    "must_name_repository": st.booleans(),
    "hardware": st.booleans(),
    "logged": st.booleans(),
    "witnesses": st.integers(0, 2),
    "max_age": ages,
}
signed = st.builds(Signed, **demands)
attested = st.builds(
    Attested, types=st.lists(st.sampled_from([SLSA, SPDX]), max_size=2).map(tuple), **demands
)
in_tree = st.builds(InTree, allow_unpinned=st.booleans(), max_age=ages)
texts = st.lists(st.sampled_from(["x", "y"]), max_size=2).map(tuple)
weaknesses = st.builds(
    policy.Weakness,
    rule=st.just("private-key"),
    severity=severities,
    path=st.sampled_from(["", "/a", "/opt/b"]),
)
exceptions = st.lists(st.sampled_from(["/a", "/opt/*"]), max_size=2).map(tuple)
evidences = st.builds(
    policy.Evidence,
    repository=st.just("team/app"),
    digest=st.just("sha256:" + "0" * 64),
    content=st.none() | st.builds(policy.Content, missing=texts, corrupt=texts),
    signatures=st.none() | st.builds(policy.Signatures, signers=signer_tuples),
    scan=st.none()
    | st.builds(
        policy.Scan,
        scanned_at=moments,
        findings=st.lists(findings, max_size=4).map(tuple),
        gaps=texts,
        unexplained=st.lists(st.sampled_from(["/a", "/opt/b"]), max_size=2).map(tuple),
        weaknesses=st.lists(weaknesses, max_size=2).map(tuple),
    ),
    tree=st.none() | trees,
    attestations=st.none() | st.lists(attestations, max_size=3).map(tuple),
)
rules = st.one_of(
    st.just(ContentWhole()),
    st.just(ScanComplete()),
    st.builds(ScanFresh, max_age=st.integers(1, 400).map(lambda h: dt.timedelta(hours=h))),
    st.builds(NothingFixable, severity=severities, unknown_counts_as=severities),
    st.builds(NothingExploited, likely=st.none() | st.integers(1, 100)),
    st.builds(NothingUnexplained, exceptions=exceptions),
    st.builds(NothingWeak, severity=severities, exceptions=exceptions),
    signed,
    attested,
    in_tree,
    st.just(TreeIntact()),
)
moded = st.builds(Moded, rule=rules, mode=st.sampled_from(Mode))
waivers = st.builds(
    Waiver,
    finding=st.sampled_from(IDS),
    reason=st.just("r"),
    owner=st.just("o"),
    expires=moments,
)
policies = st.builds(
    Policy,
    name=st.just("p"),
    patterns=st.just(("**",)),
    rules=st.lists(moded, min_size=1, max_size=5).map(tuple),
    waivers=st.lists(waivers, max_size=3).map(tuple),
)


@given(evidences, policies, moded)
def test_adding_a_rule_never_widens(evidence, wanted, rule):
    more = dataclasses.replace(wanted, rules=(*wanted.rules, rule))
    if policy.decide(evidence, more, NOW).is_allowed:
        assert policy.decide(evidence, wanted, NOW).is_allowed


@given(evidences, policies, st.randoms(use_true_random=False))
def test_the_order_of_rules_waivers_and_findings_does_not_matter(evidence, wanted, random):
    mixed = dataclasses.replace(
        wanted, rules=shuffled(wanted.rules, random), waivers=shuffled(wanted.waivers, random)
    )
    scan = evidence.scan
    turned = scan and dataclasses.replace(scan, findings=shuffled(scan.findings, random))
    first = policy.decide(evidence, wanted, NOW)
    assert first == policy.decide(dataclasses.replace(evidence, scan=turned), mixed, NOW)


def shuffled(items, random):
    result = list(items)
    random.shuffle(result)
    return tuple(result)


@given(evidences, policies)
def test_no_rules_refuse_whatever_the_evidence(evidence, wanted):
    verdict = policy.decide(evidence, dataclasses.replace(wanted, rules=()), NOW)
    assert not verdict.is_allowed
    assert "no-rules" in {reason.rule for reason in verdict.reasons}


@given(evidences, policies)
def test_integrity_cannot_be_switched_off(evidence, wanted):
    verdict = policy.decide(evidence, wanted, NOW)
    content = evidence.content
    if content is None or content.missing or content.corrupt:
        assert not verdict.is_allowed
        assert "content-whole" in {reason.rule for reason in verdict.reasons}


@given(evidences, policies)
def test_a_broken_tree_or_a_moved_tag_is_refused_whatever_the_policy(evidence, wanted):
    verdict = policy.decide(evidence, wanted, NOW)
    bad = (policy.TreeState.BROKEN, policy.TreeState.MOVED)
    is_bad = evidence.tree is None or evidence.tree.state in bad
    assert is_bad == ("tree-intact" in {reason.rule for reason in verdict.reasons})


@given(signed, signer_tuples, signers, st.randoms(use_true_random=False))
def test_signers_are_counted_by_people_in_any_order(rule, found, more, random):
    counted = rule.counted(found, NOW)
    assert len(counted) <= len({one.key_id for one in found})
    assert all(not rule.objection(one, NOW) for group in counted for one in group)
    assert set(counted) == set(rule.counted(shuffled(found, random), NOW))
    assert set(counted) == set(rule.counted((*found, *found), NOW))
    assert len(rule.counted((*found, more), NOW)) <= len(counted) + 1


@given(signed, signed, signer_tuples)
def test_a_demand_more_never_lets_more_signatures_count(rule, other, found):
    stricter = dataclasses.replace(
        rule,
        must_name_repository=rule.must_name_repository or other.must_name_repository,
        hardware=rule.hardware or other.hardware,
        logged=rule.logged or other.logged,
        witnesses=max(rule.witnesses, other.witnesses),
    )
    assert len(stricter.counted(found, NOW)) <= len(rule.counted(found, NOW))


@given(in_tree, evidences)
def test_the_tree_rule_passes_only_what_the_tree_proves(rule, evidence):
    tree = evidence.tree
    if rule.check(evidence, NOW, {}).is_passed:
        assert tree is not None
        assert tree.state is policy.TreeState.PROVEN or (
            tree.state is policy.TreeState.UNPINNED and rule.allow_unpinned
        )


@given(evidences, policies)
def test_a_waiver_never_outlives_its_expiry(evidence, wanted):
    after = max([NOW, *(waiver.expires for waiver in wanted.waivers)])
    bare = dataclasses.replace(wanted, waivers=())
    assert policy.decide(evidence, bare, after) == policy.decide(evidence, wanted, after)


@given(evidences, policies)
def test_missing_evidence_never_helps(evidence, wanted):
    verdict = policy.decide(evidence, wanted, NOW)
    for part in ("content", "signatures", "scan", "tree", "attestations"):
        poorer = dataclasses.replace(evidence, **{part: None})
        if policy.decide(poorer, wanted, NOW).is_allowed:
            assert verdict.is_allowed or getattr(evidence, part) is not None


@given(evidences)
def test_the_built_in_policy_needs_every_kind_of_evidence(evidence):
    if policy.decide(evidence, policy.DEFAULT, NOW).is_allowed:
        assert evidence.content
        assert evidence.signatures
        assert evidence.signatures.signers
        assert evidence.scan
        assert evidence.tree


@given(evidences, policies)
def test_every_no_says_what_would_change_it_and_is_explained(evidence, wanted):
    verdict = policy.decide(evidence, wanted, NOW)
    for result in verdict.results:
        assert result.evidence
        assert result.is_passed != bool(result.remedy)
    assert verdict.is_allowed == (not verdict.reasons)
    assert verdict.is_allowed == (verdict.refusal is None)
    text = policy.explain(verdict)
    assert text.startswith("ALLOWED" if verdict.is_allowed else "REFUSED")
    for reason in (*verdict.reasons, *verdict.warnings):
        assert reason.evidence in text
        assert reason.remedy in text


def test_a_decision_needs_a_time_with_its_zone():
    evidence = policy.Evidence(repository="a", digest="d", content=None, signatures=None, scan=None)
    with pytest.raises(ValueError, match="zone"):
        policy.decide(evidence, policy.DEFAULT, dt.datetime(2026, 1, 1))  # noqa: DTZ001
