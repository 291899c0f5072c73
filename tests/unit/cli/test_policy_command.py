"""`seawall policy`: the file is checked, and what holds is shown in the words of the file."""

from __future__ import annotations

import json

import pytest

POLICY = """
version: 1
policies:
  - name: production
    repositories: ["prod/**"]
    rules:
      signed: {signers: 2, by: [release, security], must-name-repository: true}
      nothing-fixable: {severity: medium, unknown-counts-as: critical}
      scan-fresh: {max-age: 36h, mode: warn}
      scan-complete: {mode: audit}
    waivers:
      - {finding: CVE-2026-1, reason: not reachable, owner: alice, expires: 2099-12-31}
"""


def in_force(newcomer):
    """Put the policy where it counts: no more of an installation is needed to show it."""
    newcomer.state.mkdir(exist_ok=True)
    (newcomer.state / "policy.yaml").write_text(POLICY)


def test_without_a_file_the_check_says_that_the_built_in_policy_is_in_force(newcomer):
    done = newcomer("policy", "check")
    assert (0, "") == (done.code, done.err)
    assert (
        f"there is no {newcomer.state}/policy.yaml: the built-in policy is in force\n" == done.out
    )
    assert [] == json.loads(newcomer("policy", "check", "--json").out)


def test_a_file_that_is_named_must_be_there(newcomer):
    done = newcomer("policy", "check", "other.yaml")
    assert 3 == done.code
    assert "there is no other.yaml" in done.err


def test_the_file_in_force_and_any_other_can_be_checked(newcomer):
    other = newcomer.file("other.yaml", POLICY)
    assert f"production: prod/**\n{other}: 1 policy, no mistakes\n" == (
        newcomer("policy", "check", other).out
    )
    in_force(newcomer)
    assert "1 policy, no mistakes" in newcomer("policy", "check").out
    checked = json.loads(newcomer("policy", "check", "--json").out)
    assert ["production"] == [one["name"] for one in checked]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("version: 1", "'policies' is missing"),
        (POLICY.replace("signers: 2", "signers: two"), "signers"),
        (POLICY.replace("scan-fresh", "scan-often"), "no such rule"),
        (POLICY + "extra: 1\n", "unknown key 'extra'"),
        ("{", ""),
        (b"\xff\xfe", ""),
    ],
)
def test_refuses_a_file_with_a_mistake_and_says_where(newcomer, content, why):
    done = newcomer("policy", "check", newcomer.file("bad.yaml", content))
    assert (2, "") == (done.code, done.out)
    assert why in done.err
    assert "docs/reference/policy.md" in done.err or not why


def test_the_rules_of_a_repository_are_shown_in_the_words_of_the_file(newcomer):
    in_force(newcomer)
    expected = """\
prod/app: policy production (prod/**)
  enforce  signed           signers: 2  by: release, security  must-name-repository: true
  enforce  nothing-fixable  severity: medium  unknown-counts-as: critical
  warn     scan-fresh       max-age: 36h
  audit    scan-complete
  enforce  tree             unpinned: allow
  waiver   CVE-2026-1 until 2099-12-31 (alice)
"""
    assert expected == newcomer("policy", "show", "prod/app").out


def test_the_built_in_policy_is_shown_for_what_no_pattern_fits(newcomer):
    expected = """\
team/app: policy built-in (**)
  enforce  content-whole
  enforce  tree-intact
  enforce  signed           signers: 1
  enforce  tree             unpinned: allow
  enforce  scan-fresh       max-age: 7d
  enforce  scan-complete
  enforce  nothing-fixable  severity: high  unknown-counts-as: high
"""
    assert expected == newcomer("policy", "show", "team/app").out
    in_force(newcomer)
    assert expected == newcomer("policy", "show", "team/app").out


def test_the_rules_are_told_as_json_with_what_they_are_set_to(newcomer):
    in_force(newcomer)
    shown = json.loads(newcomer("policy", "show", "prod/app", "--json").out)
    assert {
        "rule": "signed",
        "mode": "enforce",
        "signers": 2,
        "by": ["release", "security"],
        "must-name-repository": True,
    } == shown["rules"][0]
    assert {"rule": "scan-fresh", "mode": "warn", "max-age": "36h"} == shown["rules"][2]
    assert "2099-12-31T00:00:00+00:00" == shown["waivers"][0]["expires"]


@pytest.mark.parametrize("name", ["A B", "prod/*", "prod/app:1", "../x", ""])
def test_refuses_to_show_what_is_no_repository(newcomer, name):
    done = newcomer("policy", "show", name)
    assert 2 == done.code
    assert "is not a repository name" in done.err
