"""Policies about what the scanner found besides fixable holes, from the file to the gate's no."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from seawall.core.reason import Reason, Refusal
from seawall.engine.model import Admitted
from seawall.testing import executables, images, signatures
from seawall.testing.clocks import FakeClock
from seawall.testing.houses import OPERATOR, SHOP, SITE, Stage, dist

KEY = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)


@pytest.fixture
def stage(tmp_path: Path, clock: FakeClock) -> Iterator[Stage]:
    with Stage.opened(tmp_path, clock) as stage:
        stage.import_feeds()
        yield stage


def pushed(stage: Stage, files: dict[str, bytes]) -> None:
    system = {"etc/os-release": b'ID=debian\nVERSION_ID="12"\n'}
    made = images.image(images.layer(system | files))
    key = signatures.new_key()
    stage.trust(key)
    stage.push(SHOP, made, "1")
    stage.sign(key, SHOP, made, "1")
    stage.work()


def refused_by(stage: Stage, rules: str) -> Reason | None:
    stage.house.settings.policy.write_text(
        f"version: 1\npolicies:\n  - name: shop\n    repositories: ['**']\n    rules: {rules}\n"
    )
    answer = stage.may_run("shop/app:1")
    if isinstance(answer, Admitted):
        return None
    assert isinstance(answer, Refusal)
    (found,) = answer.reasons
    return found


def test_a_program_that_nobody_explains_is_refused_unless_its_path_is_excepted(
    stage: Stage,
) -> None:
    pushed(stage, {"opt/app/run": executables.elf()})
    refused = refused_by(stage, "{nothing-unexplained: }")
    assert refused is not None
    assert ("nothing-unexplained", True) == (refused.rule, "/opt/app/run" in refused.evidence)
    assert refused_by(stage, "{nothing-unexplained: {exceptions: [/opt/app/*]}}") is None
    assert refused_by(stage, "{nothing-unexplained: {mode: warn}}") is None


def test_a_secret_in_a_layer_is_refused(stage: Stage) -> None:
    pushed(stage, {"root/.ssh/id_rsa": KEY})
    refused = refused_by(stage, "{nothing-weak: }")
    assert refused is not None
    assert "at /root/.ssh/id_rsa" in refused.evidence
    assert refused_by(stage, "{nothing-weak: {exceptions: [/root/*]}}") is None


def test_a_hole_without_a_fix_is_refused_from_the_day_it_is_known_to_be_exploited(
    stage: Stage, tmp_path: Path
) -> None:
    pushed(stage, {f"{SITE}/pillow-9.0.dist-info/METADATA": dist("pillow", "9.0")})
    hole = {
        "id": "PYSEC-2026-7",
        "aliases": ["CVE-2026-1007"],
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": "pillow"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
            }
        ],
    }
    advisories = stage.house.advisories
    feed = tmp_path / "PyPI.jsonl"
    feed.write_text(f"{json.dumps(hole)}\n")
    advisories.import_file(feed, actor=OPERATOR)
    stage.work()
    assert refused_by(stage, "{nothing-exploited: , nothing-fixable: }") is None

    catalogue = tmp_path / "kev.json"
    entry = {"cveID": "CVE-2026-1007", "dateAdded": "2026-01-02"}
    catalogue.write_text(json.dumps({"catalogVersion": "1", "vulnerabilities": [entry]}))
    advisories.import_file(catalogue, feed="kev", actor=OPERATOR)
    stage.work()
    refused = refused_by(stage, "{nothing-exploited: , nothing-fixable: }")
    assert refused is not None
    assert ("nothing-exploited", True) == (refused.rule, "CVE-2026-1007" in refused.evidence)
