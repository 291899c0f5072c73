"""Tag moves and signatures enter the log: all of them, once, in order, whatever dies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall import audit
from seawall.core.errors import InvalidInputError
from seawall.flows import transparency
from seawall.flows.transparency import Submission
from seawall.jobs import dispatch, queue
from seawall.oci.names import RepositoryName, Tag
from seawall.testing import houses, logs, signatures
from seawall.testing.houses import CI, OTHER, SHOP, Stage
from seawall.trust import bundle
from seawall.trust.log import entries
from seawall.trust.log.entries import Kind, SignedEnvelope
from seawall.trust.log.transparency import StoredEntry, TransparencyLog

OLD, NEW = houses.image(pillow="9.0"), houses.image(pillow="11.0")
KEY = signatures.new_key()
JOB = queue.Job(id=1, kind=transparency.LOG, key=transparency.LOG, payload=b"{}", attempts=1)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage.opened(tmp_path) as stage:
        yield stage


def logged(stage: Stage) -> list[StoredEntry]:
    return list(stage.house.log.entries(0, 10_000))


def moves(stage: Stage) -> list[tuple[str, str, str | None, str | None]]:
    parsed = [entries.parse(one.body) for one in logged(stage)]
    return [
        (one.repository, one.tag, one.previous, one.digest)
        for one in parsed
        if isinstance(one, entries.TagMove)
    ]


def submission(envelope: SignedEnvelope, repository: str = "team/app") -> Submission:
    return Submission(
        repository=RepositoryName(repository), tag=Tag("v1"), envelope=envelope, signer=KEY.public
    )


def test_a_tag_that_is_made_moved_back_and_deleted_is_in_the_log(stage: Stage) -> None:
    first, second = stage.push(SHOP, OLD, "1"), stage.push(SHOP, NEW, "1")
    stage.push(SHOP, OLD, "1")
    stage.house.registry.delete_tag(SHOP, Tag("1"), CI)
    stage.work()
    assert [
        (SHOP, "1", None, first),
        (SHOP, "1", first, second),
        (SHOP, "1", second, first),
        (SHOP, "1", first, None),
    ] == moves(stage)


def test_entries_stand_in_the_order_of_the_audit_log_and_only_once(stage: Stage) -> None:
    for number in range(5):
        stage.push(SHOP, OLD, f"a{number}")
        stage.push(OTHER, NEW, f"b{number}")
        stage.work()
    facts = [entries.parse(one.body) for one in logged(stage)]
    events = [one.event for one in facts if not isinstance(one, entries.SignatureEntry)]
    assert sorted(set(events)) == events
    assert 10 == len(moves(stage))
    stage.house.logging.log_job(JOB)
    assert len(facts) == len(logged(stage))


def test_the_jobs_of_many_events_are_one(stage: Stage) -> None:
    for number in range(3):
        stage.push(SHOP, OLD, f"{number}")
    house = stage.house
    rules = transparency.RULES
    while dispatch.dispatch(house.database, name="test", rules=rules, now=house.clock.now()):
        pass
    with house.database.read() as connection:
        assert 1 == queue.counts(connection, now=house.clock.now()).queued


def test_a_crash_in_the_middle_of_a_portion_leaves_nothing_and_repeats_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        stage.push(SHOP, OLD, f"{number}")
    whole, entered = TransparencyLog.add, []

    def dying(self, entry, *, connection):
        if len(entered) == 2:
            raise KeyboardInterrupt("the process dies")
        entered.append(entry)
        return whole(self, entry, connection=connection)

    monkeypatch.setattr(TransparencyLog, "add", dying)
    with pytest.raises(KeyboardInterrupt):
        stage.house.logging.log_job(JOB)
    assert [] == logged(stage)
    monkeypatch.undo()
    stage.work()
    assert ["0", "1", "2", "3"] == [tag for _, tag, _, _ in moves(stage)]


def test_a_signature_found_on_an_image_and_what_refers_to_it_are_in_the_log(stage: Stage) -> None:
    stage.with_signed_shop()
    stage.work()
    kinds = [one.kind for one in logged(stage)]
    assert Kind.SIGNATURE in kinds
    assert Kind.REFERRER in kinds
    assert any(tag.endswith(".sig") for _, tag, _, _ in moves(stage))


def test_equal_moves_of_two_houses_have_different_hashes(
    stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Who guesses names and digests cannot find them in the hashes that all may see."""
    stage.push(SHOP, OLD, "1")
    stage.work()
    with Stage.opened(tmp_path_factory.mktemp("second")) as other:
        other.push(SHOP, OLD, "1")
        other.work()
        assert moves(stage) == moves(other)
        hashes = {one.leaf_hash for one in logged(stage)}
        assert not hashes & {one.leaf_hash for one in logged(other)}


def test_a_submitted_signature_is_proven_once_and_recorded_once(stage: Stage) -> None:
    asked = submission(logs.envelope(KEY))
    first, is_new = stage.house.logging.submit(asked, actor=CI)
    assert is_new
    again, is_news = stage.house.logging.submit(asked, actor=CI)
    assert not is_news
    assert first.entry == again.entry
    (event,) = stage.events("SignatureLogged")
    assert ("team/app", CI) == (event.repository, event.actor)
    assert 0 == event.details()["number"]
    with stage.house.database.read() as connection:
        assert isinstance(audit.verify(connection), audit.Head)


def test_a_signature_that_does_not_hold_never_enters(stage: Stage) -> None:
    good, other = logs.envelope(KEY), logs.envelope(signatures.new_key())
    raw = SignedEnvelope(payload=good.payload, payload_type=good.payload_type, signature=b"\0" * 64)
    foreign = SignedEnvelope(
        payload=good.payload, payload_type="text/plain", signature=good.signature
    )
    attestation = entries.parse_envelope(bundle.sign(b'{"_type":"x"}', KEY))
    for wrong in (other, raw, foreign, attestation):
        with pytest.raises(InvalidInputError):
            stage.house.logging.submit(submission(wrong), actor=CI)
    with pytest.raises(InvalidInputError, match="is about team/app"):
        stage.house.logging.submit(submission(good, "other/app"), actor=CI)
    assert [] == logged(stage)
