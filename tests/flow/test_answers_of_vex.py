"""A VEX document that an administrator lets in changes the verdict, and nothing else does."""

from __future__ import annotations

import json

import pytest

from seawall.core.reason import Refusal
from seawall.engine.model import Admitted
from seawall.oci.digest import Digest
from seawall.testing import houses, signatures
from seawall.testing.houses import OPERATOR, SHOP, Stage

APP = "shop/app:1"


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory):
    with Stage.opened(tmp_path_factory.mktemp("vex")) as opened:
        yield opened.with_signed_shop()


def holes(stage: Stage) -> set[str]:
    judged = stage.house.judge.judge(SHOP, digest_of(stage), tag=None)
    assert judged.report is not None
    return {finding.id for finding in judged.report.findings}


def digest_of(stage: Stage) -> Digest:
    return stage.house.registry.resolve(SHOP, "1")


def in_force(stage: Stage) -> object:
    """Return what the newest verdict about the signed tag in the log says."""
    said = [one.details() for one in stage.events("VerdictGiven")]
    return [one["allowed"] for one in said if one["tag"] == "1"][-1]


def document(product: str, ids: set[str], status: str = "not_affected") -> bytes:
    return json.dumps(
        {
            "@context": "https://openvex.dev/ns/v0.2.0",
            "author": "us",
            "timestamp": "2026-01-01T00:00:00Z",
            "statements": [
                {
                    "vulnerability": {"name": one},
                    "products": [{"@id": product}],
                    "status": status,
                    "justification": "vulnerable_code_not_present",
                }
                for one in sorted(ids)
            ],
        }
    ).encode()


def test_what_is_let_in_changes_the_verdict_until_it_is_taken_away(stage: Stage) -> None:
    found = holes(stage)
    assert found
    refused = stage.may_run(APP)
    assert isinstance(refused, Refusal)
    assert {"nothing-fixable"} == {reason.rule for reason in refused.reasons}

    content = document(f"pkg:oci/app@{digest_of(stage)}", found)
    accepted = stage.house.vex.accept(content, source="x.json", actor=OPERATOR)
    assert set() == holes(stage)
    assert isinstance(stage.may_run(APP), Admitted)

    stage.house.vex.remove(Digest.parse(accepted.digest), actor=OPERATOR)
    assert found == holes(stage)
    assert isinstance(stage.may_run(APP), Refusal)


def test_the_new_verdict_is_written_down(stage: Stage) -> None:
    assert in_force(stage) is False
    content = document(f"pkg:oci/app@{digest_of(stage)}", holes(stage))
    stage.house.vex.accept(content, source="x.json", actor=OPERATOR)
    stage.work()
    assert in_force(stage) is True


@pytest.mark.parametrize(
    ("product", "status"),
    [
        ("pkg:oci/other", "not_affected"),
        (f"pkg:oci/app@{Digest.of(b'other')}", "not_affected"),
        ("elsewhere.example/shop/app:1", "not_affected"),
        ("pkg:oci/app", "affected"),
        ("pkg:oci/app", "under_investigation"),
    ],
)
def test_a_statement_about_something_else_changes_nothing(
    stage: Stage, product: str, status: str
) -> None:
    found = holes(stage)
    content = document(product, found, status)
    stage.house.vex.accept(content, source="x.json", actor=OPERATOR)
    assert found == holes(stage)
    assert isinstance(stage.may_run(APP), Refusal)


@pytest.mark.parametrize("tag", ["1", "2"])
def test_a_statement_about_a_tag_is_about_what_has_the_tag(stage: Stage, tag: str) -> None:
    host = stage.house.settings.registry_hosts[0]
    content = document(f"{host}/shop/app:{tag}", holes(stage))
    stage.house.vex.accept(content, source="x.json", actor=OPERATOR)
    assert (set() == holes(stage)) is (tag == "1")


def test_a_document_beside_the_image_changes_nothing(stage: Stage) -> None:
    """Whoever may push must not empty the report."""
    found = holes(stage)
    predicate = json.loads(document(f"pkg:oci/app@{digest_of(stage)}", found))
    kind = predicate["@context"]
    stage.attest(signatures.new_key(), SHOP, houses.image(), kind, predicate)
    stage.work()
    assert found == holes(stage)


def test_a_waiver_of_the_policy_is_shown_with_its_owner_and_counts_for_the_policy(
    stage: Stage,
) -> None:
    found = holes(stage)
    rows = "".join(
        f"      - {{finding: {one}, reason: ticket 17, owner: alice, expires: 2999-01-01}}\n"
        for one in sorted(found)
    )
    stage.house.settings.policy.write_text(
        "version: 1\npolicies:\n  - name: shop\n    repositories: ['**']\n"
        f"    rules: {{nothing-fixable: {{severity: low}}}}\n    waivers:\n{rows}"
    )
    assert isinstance(stage.may_run(APP), Admitted)
    judged = stage.house.judge.judge(SHOP, digest_of(stage), tag=None)
    assert judged.report is not None
    assert () == judged.report.findings
    assert {("waived", "alice")} == {(one.status, one.author) for one in judged.report.suppressed}
    (rule,) = [one for one in judged.verdict.results if one.rule == "nothing-fixable"]
    assert set(rule.waived) <= found
    assert rule.waived, "policy counts for itself, and says what it did not count"
