"""What is kept in memory of an image that is run often: no query while nothing happens, and every
change is seen at once, also one by another process or without an event."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from nacl.signing import SigningKey

from seawall.core.reason import Refusal
from seawall.engine.model import Admitted
from seawall.oci.names import Tag
from seawall.testing import houses, signatures
from seawall.testing.houses import CI, OPERATOR, SHOP, Stage
from seawall.trust.log import notes
from seawall.trust.log.notes import WitnessKey

APP = "shop/app:1"
CLEAN = houses.image(pillow="11.0")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage.opened(tmp_path_factory.mktemp("known")) as stage:
        yield stage.with_clean_shop()


@pytest.fixture
def here(shared: Stage) -> Iterator[Stage]:
    """One process. Every test leaves the image admitted, which is a part of what it shows."""
    assert isinstance(shared.may_run(APP), Admitted)
    yield shared
    assert isinstance(shared.may_run(APP), Admitted)


@pytest.fixture
def elsewhere(here: Stage) -> Stage:
    """Another process over the same state."""
    other = here.restarted()
    assert isinstance(other.may_run(APP), Admitted)
    return other


def why_not(stage: Stage, name: str = APP) -> set[str]:
    answer = stage.may_run(name)
    assert isinstance(answer, Refusal), answer
    return {reason.rule for reason in answer.reasons}


def queries(stage: Stage) -> list[str]:
    """Ask again, the verdict being written; return what the database was asked."""
    assert isinstance(stage.may_run(APP), Admitted)
    found: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        found.append(statement)

    engine = stage.house.database.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        assert isinstance(stage.may_run(APP), Admitted)
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    return found


def blob_path(stage: Stage) -> Path:
    digest = next(one for one in CLEAN.blobs if len(CLEAN.blobs[one]) > 100)
    (path,) = stage.house.settings.blobs.rglob(digest.hex)
    return path


def test_an_image_that_is_known_is_admitted_without_a_query(here: Stage) -> None:
    assert [] == queries(here)


def test_the_number_of_a_verdict_is_that_of_the_one_in_force(here: Stage, elsewhere: Stage) -> None:
    policy = here.house.settings.policy
    first = here.may_run(APP)
    policy.write_text(
        "version: 1\npolicies: [{name: two, repositories: ['**'], rules: {signed: {signers: 2}}}]\n"
    )
    assert {"signed"} == why_not(elsewhere)
    policy.unlink()
    second = here.may_run(APP)
    assert isinstance(first, Admitted)
    assert isinstance(second, Admitted)
    assert first.verdict < second.verdict == here.events("VerdictGiven")[-1].seq


def test_a_policy_of_the_same_size_and_time_is_seen(here: Stage) -> None:
    policy = here.house.settings.policy
    text = "version: 1\npolicies: [{name: n, repositories: ['**'], rules: {signed: {signers: 1}}}]"
    policy.write_text(text)
    before = policy.stat()
    assert isinstance(here.may_run(APP), Admitted)
    policy.write_text(text.replace("signers: 1", "signers: 2"))
    os.utime(policy, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert {"signed"} == why_not(here)
    policy.unlink()


def test_a_key_that_another_process_distrusts_is_seen(here: Stage, elsewhere: Stage) -> None:
    (key,) = elsewhere.house.trusted_keys.list()
    elsewhere.house.trusted_keys.distrust(key.key_id, actor=OPERATOR)
    assert {"signed"} == why_not(here)
    elsewhere.house.trusted_keys.trust(
        key.public_pem, name=key.name, patterns=key.patterns, actor=OPERATOR
    )


def test_a_tag_that_another_process_moves_is_seen(here: Stage, elsewhere: Stage) -> None:
    elsewhere.push(SHOP, houses.image(pillow="12.0"), "1")
    assert "signed" in why_not(here)
    elsewhere.house.registry.delete_tag(SHOP, Tag("1"), CI)
    assert {"image-known"} == why_not(here)
    elsewhere.push(SHOP, CLEAN, "1")


def test_a_blob_that_vanishes_without_an_event_is_seen_each_time(here: Stage) -> None:
    path = blob_path(here)
    aside = path.with_name("aside")
    path.rename(aside)
    assert {"content-whole"} == why_not(here)
    aside.rename(path)
    assert isinstance(here.may_run(APP), Admitted)


def test_a_blob_that_is_cut_off_is_seen(here: Stage, elsewhere: Stage) -> None:
    path = blob_path(here)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1])
    assert {"content-whole"} == why_not(here)
    assert {"content-whole"} == why_not(elsewhere)
    elsewhere.push(SHOP, CLEAN, "1")


def test_a_witness_that_another_process_drops_counts_no_more(here: Stage, elsewhere: Stage) -> None:
    key, secret = signatures.new_key(), SigningKey.generate()
    here.trust(key, "logged")
    here.sign_into_the_log(key, SHOP, CLEAN, "1")
    witness = WitnessKey(name="witness.example", public=bytes(secret.verify_key))
    here.house.settings.policy.write_text(
        "version: 1\npolicies: [{name: seen, repositories: ['**'],"
        " rules: {signed: {logged: true, witnesses: 1}}}]\n"
    )
    assert {"signed"} == why_not(here)
    elsewhere.house.witnesses.accept(witness, actor=OPERATOR)
    note = elsewhere.house.log.checkpoint()
    line = notes.cosign(note.text, name=witness.name, key=secret, now=here.house.clock.now())
    size = notes.parse_checkpoint(note.text).size
    assert {"signed"} == why_not(here)
    elsewhere.house.witnesses.cosign(line, size=size)
    assert isinstance(here.may_run(APP), Admitted)
    assert [] == queries(here)
    elsewhere.house.witnesses.drop(witness.name, actor=OPERATOR)
    assert {"signed"} == why_not(here)
    here.house.settings.policy.unlink()
