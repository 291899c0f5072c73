import contextlib
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall import policy
from seawall.core.errors import InvalidInputError, LimitError, SeawallError
from seawall.policy.model import Mode, Waiver
from seawall.policy.rules import ContentWhole, NothingFixable, ScanComplete, ScanFresh
from seawall.policy.scan_rules import NothingExploited, NothingUnexplained, NothingWeak
from seawall.policy.trust_rules import Attested, InTree, Signed

WHOLE = b"""
version: 1
policies:
  - name: production
    repositories: ["prod/**", tools]
    rules:
      content-whole:
      signed: {signers: 2, by: [release, security], must-name-repository: true}
      nothing-fixable: {severity: medium, unknown-counts-as: low}
      scan-fresh: {max-age: 12h}
      scan-complete: {mode: warn}
    waivers:
      - finding: CVE-2026-1234
        reason: not reachable
        owner: alice
        expires: 2026-12-31
  - name: everything-else
    repositories: ["**"]
    rules: {signed: {mode: audit}}
"""


def one(text):
    return b"version: 1\npolicies: [{name: a, repositories: ['**'], " + text.encode() + b"}]"


def test_a_whole_file_means_what_it_says():
    production = policy.load(WHOLE).for_repository("prod/app")
    assert "production" == production.name
    assert [
        (ContentWhole(), Mode.ENFORCE),
        (Signed(signers=2, by=("release", "security"), must_name_repository=True), Mode.ENFORCE),
        (
            NothingFixable(severity=policy.Severity.MEDIUM, unknown_counts_as=policy.Severity.LOW),
            Mode.ENFORCE,
        ),
        (ScanFresh(max_age=dt.timedelta(hours=12)), Mode.ENFORCE),
        (ScanComplete(), Mode.WARN),
        (InTree(allow_unpinned=True), Mode.ENFORCE),
    ] == [(moded.rule, moded.mode) for moded in production.rules]
    assert (
        Waiver(
            finding="CVE-2026-1234",
            reason="not reachable",
            owner="alice",
            expires=dt.datetime(2026, 12, 31, tzinfo=dt.UTC),
        ),
    ) == production.waivers


def rules_of(text):
    return [(moded.rule, moded.mode) for moded in policy.load(one(text)).policies[0].rules]


def test_trust_is_demanded_in_the_words_of_the_file():
    tree = (InTree(max_age=dt.timedelta(hours=6)), Mode.WARN)
    strict = Signed(
        signers=2,
        by=("release", "authority:corp"),
        formats=(policy.Format.SIGSTORE_BUNDLE, policy.Format.TUF),
        must_name_repository=True,
        hardware=True,
        logged=True,
        witnesses=3,
        max_age=dt.timedelta(days=90),
    )
    assert [(strict, Mode.ENFORCE), tree] == rules_of(
        "rules: {signed: {signers: 2, by: [release, 'authority:corp'], formats: [sigstore-bundle,"
        " tuf], must-name-repository: true, hardware: true, logged: true, witnesses: 3,"
        " max-age: 90d}, tree: {max-age: 6h, mode: warn}}"
    )


def test_rules_about_what_was_found_are_read_with_their_exceptions():
    read = rules_of(
        "rules: {nothing-exploited: {likely: 10}, nothing-unexplained: {exceptions: [/opt/a/*]},"
        " nothing-weak: {severity: medium, exceptions: [/etc/demo.key], mode: warn}}"
    )
    assert (NothingExploited(likely=10), Mode.ENFORCE) in read
    assert (NothingUnexplained(exceptions=("/opt/a/*",)), Mode.ENFORCE) in read
    weak = NothingWeak(severity=policy.Severity.MEDIUM, exceptions=("/etc/demo.key",))
    assert (weak, Mode.WARN) in read
    bare = rules_of("rules: {nothing-exploited: , nothing-unexplained: , nothing-weak: }")
    for rule in (NothingExploited(), NothingUnexplained(), NothingWeak()):
        assert (rule, Mode.ENFORCE) in bare


def test_one_kind_of_rule_may_demand_several_things_each_in_its_mode():
    listed = "rules: {signed: [{}, {hardware: true, mode: warn}], tree: {unpinned: allow}}"
    assert [
        (Signed(), Mode.ENFORCE),
        (Signed(hardware=True), Mode.WARN),
        (InTree(allow_unpinned=True), Mode.ENFORCE),
    ] == rules_of(listed)


def test_attestations_are_named_in_short_or_by_their_uri():
    types = ("https://slsa.dev/provenance/v1", "https://example.org/seccomp/v1")
    assert (Attested(types=types, by=("ci",)), Mode.ENFORCE) == rules_of(
        "rules: {attested: {types: [slsa, 'https://example.org/seccomp/v1'], by: [ci]}}"
    )[0]


def test_a_file_that_does_not_speak_of_the_tree_asks_it_where_a_root_is_pinned():
    assert (InTree(allow_unpinned=True), Mode.ENFORCE) in rules_of("rules: {signed: }")


@pytest.mark.parametrize(
    ("repository", "name"),
    [("tools", "production"), ("prod/a/b", "production"), ("prod", "everything-else")],
)
def test_the_most_specific_pattern_wins(repository, name):
    assert name == policy.load(WHOLE).for_repository(repository).name


def test_an_exact_name_beats_a_star_and_a_star_beats_two():
    entries = [
        f"{{name: n{n}, repositories: ['{p}'], rules: {{signed: }}}}"
        for n, p in enumerate(["**", "team/**", "team/*", "team/app*", "team/app1"])
    ]
    policies = policy.load(f"version: 1\npolicies: [{', '.join(entries)}]".encode())
    for name, repository in [
        ("n4", "team/app1"), ("n3", "team/app2"), ("n2", "team/web"),
        ("n1", "team/a/b"), ("n0", "x"),
    ]:  # fmt: skip
        assert name == policies.for_repository(repository).name


def test_no_file_and_no_fitting_pattern_mean_the_built_in_policy(tmp_path):
    assert policy.DEFAULT is policy.load_file(tmp_path / "none").for_repository("a")
    other = one("rules: {signed: }").replace(b"'**'", b"'b'")
    assert policy.DEFAULT is policy.load(other).for_repository("a")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("rules: {sigend: }", "sigend"),
        ("rules: {signed: {signer: 2}}", "signer"),
        ("rules: {signed: }, extra: 1", "extra"),
        ("rules: {}", "rules"),
        ("rules: ", "rules"),
        ("rules: {signed: {signers: 0}}", "signers"),
        ("rules: {signed: {signers: -1}}", "signers"),
        ("rules: {signed: {signers: ²}}", "signers"),
        ("rules: {signed: {signers: 99999999999999999999}}", "signers"),
        ("rules: {signed: {by: []}}", "by"),
        ("rules: {signed: {signers: 2, by: [a]}}", "signers"),
        ("rules: {signed: {must-name-repository: yes}}", "yes"),
        ("rules: {signed: {formats: [pgp]}}", "pgp"),
        ("rules: {signed: {formats: []}}", "formats"),
        ("rules: {signed: {hardware: maybe}}", "hardware"),
        ("rules: {signed: {witnesses: 17}}", "witnesses"),
        ("rules: {signed: {witnesses: 00001}}", "witnesses"),
        ("rules: {signed: {max-age: 0h}}", "max-age"),
        ("rules: {signed: []}", "signed"),
        ("rules: {signed: [{}, {signer: 1}]}", r"signed\[1\]"),
        ("rules: {signed: {signers: 2, by: ['authority:a/b']}}", "signers"),
        ("rules: {tree: {unpinned: maybe}}", "unpinned"),
        ("rules: {tree: [{}]}", "tree"),
        ("rules: {nothing-exploited: {likely: 0}}", "likely"),
        ("rules: {nothing-exploited: {likely: 50%}}", "likely"),
        ("rules: {nothing-exploited: {severity: high}}", "severity"),
        ("rules: {nothing-unexplained: {exceptions: /opt}}", "exceptions"),
        ("rules: {nothing-unexplained: {exceptions: ['*']}}", "begin with /"),
        ("rules: {nothing-weak: {severity: unknown}}", "severity"),
        ("rules: {attested: }", "types"),
        ("rules: {attested: {types: []}}", "types"),
        ("rules: {attested: {types: [sbom]}}", "sbom"),
        ("rules: {nothing-fixable: {severity: unknown}}", "severity"),
        ("rules: {nothing-fixable: {severity: HIGH}}", "severity"),
        ("rules: {scan-fresh: {max-age: 7}}", "max-age"),
        ("rules: {scan-fresh: {max-age: 0d}}", "max-age"),
        ("rules: {scan-fresh: {max-age: 99999d}}", "max-age"),
        ("rules: {scan-complete: {mode: off}}", "mode"),
        ("rules: {signed: {}, signed: {mode: audit}}", "duplicate"),
        ("rules: {signed: [1]}", "signed"),
        ("rules: {scan-fresh: [{}]}", "scan-fresh"),
        ("rules: {signed: }, waivers: [{finding: C, reason: r, owner: o}]", "expires"),
        ("rules: {signed: }, waivers: [{finding: C, reason: '', owner: o, expires: 2026-01-01}]",
         "reason"),
        ("rules: {signed: }, waivers: [{finding: C, reason: r, owner: o, expires: never}]",
         "expires"),
        ("rules: {signed: }, waivers: [{finding: C, reason: r, owner: o,"
         " expires: '2026-01-01T10:00:00'}]", "zone"),
    ],
)  # fmt: skip
def test_refuses_what_it_does_not_understand_and_says_where(text, where):
    with pytest.raises(InvalidInputError, match=where):
        policy.load(one(text))


@pytest.mark.parametrize("mode", ["warn", "audit", "off"])
def test_refuses_to_switch_integrity_off(mode):
    with pytest.raises(InvalidInputError, match="mode"):
        policy.load(one(f"rules: {{content-whole: {{mode: {mode}}}}}"))
    with pytest.raises(InvalidInputError, match="mode"):
        policy.load(one(f"rules: {{tree-intact: {{mode: {mode}}}}}"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"version: 2\npolicies: []",
        b"version: 1",
        b"policies: []",
        b"version: 1\npolicies: []\n---\nversion: 1\npolicies: []",
        b"version: 1\nversion: 1\npolicies: []",
        b"version: &a 1\npolicies: []",
        b"version: 1\npolicies: !!python/object/apply:os.system ['true']",
        b"? [a]\n: b",
        b"\xff",
        b"a: [",
        b"version: 1\npolicies: [{name: a, repositories: [x], rules: {signed: }},"
        b" {name: b, repositories: [x], rules: {signed: }}]",
        b"version: 1\npolicies: [{name: a, repositories: [x], rules: {signed: }},"
        b" {name: a, repositories: [y], rules: {signed: }}]",
    ],
)
def test_refuses_a_file_of_another_shape(content):
    with pytest.raises(InvalidInputError):
        policy.load(content)


def test_refuses_aliases_before_they_blow_up():
    bomb = b"a: &a [x, x]\n" + b"".join(b"b%d: &b%d [*a, *a]\n" % (n, n) for n in range(30))
    with pytest.raises(InvalidInputError, match="aliases"):
        policy.load(bomb)


@pytest.mark.parametrize("content", [b"[" * 50_000, b"a: " + b"{a: " * 5_000, b"x" * 300_000])
def test_refuses_deep_and_large_files(content):
    with pytest.raises(LimitError):
        policy.load(content)


@given(
    st.binary(max_size=200)
    | st.text(alphabet="{}[]:,&*!-'\" \nab1?|>%", max_size=80).map(str.encode)
)
def test_no_bytes_make_the_loader_fail_in_another_way(content):
    with contextlib.suppress(SeawallError):
        policy.load(content)
