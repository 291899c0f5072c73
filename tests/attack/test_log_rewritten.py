"""A log that changes its story: rewound, forked, split, with entries changed, hidden or crashed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import NotFoundError
from seawall.testing import logs, signatures
from seawall.testing.logs import LogStage
from seawall.trust.log import following, merkle, notes
from seawall.trust.log.following import LogAlarmError, Memory, SeenEntry

KEY = signatures.new_key()


@pytest.fixture
def stage(tmp_path: Path) -> LogStage:
    stage = logs.log_in(tmp_path / "honest", KEY)
    stage.enter_facts(7)
    return stage


def follow(stage: LogStage, memory: Memory | None = None) -> Memory:
    return following.follow(
        memory, stage.checkpoint(), stage.log.trusted, stage.read, each=lambda _entry: None
    )


def replay(stage: LogStage, memory: Memory | None = None) -> Memory:
    return following.replay(
        memory, stage.checkpoint(), stage.log.trusted, stage.read, each=lambda _entry: None
    )


def forked(stage: LogStage, directory: Path, *, kept: int, more: int) -> LogStage:
    """Return a log of the same key that tells something else after `kept` entries."""
    other = logs.log_in(directory, stage.key)
    other.enter_facts(kept)
    other.enter_facts(more, repository="other/story")
    return other


def test_an_honest_log_is_followed(stage: LogStage) -> None:
    memory = follow(stage)
    assert 7 == memory.size
    assert memory == follow(stage, memory) == replay(stage, memory)
    stage.enter_facts(6)
    path = stage.log.prove_consistency(7, 13)
    following.check_consistency(memory, stage.checkpoint(), stage.log.trusted, path)
    assert replay(stage, memory) == follow(stage, memory)


def test_refuses_a_rewound_log(stage: LogStage, tmp_path: Path) -> None:
    memory = follow(stage)
    rewound = forked(stage, tmp_path / "b", kept=5, more=0)
    for look in (follow, replay):
        with pytest.raises(LogAlarmError, match="rewound: it had 7 entries and now has 5"):
            look(rewound, memory)


def test_refuses_two_checkpoints_of_one_size(stage: LogStage, tmp_path: Path) -> None:
    memory = follow(stage)
    split = forked(stage, tmp_path / "b", kept=6, more=1)
    for look in (follow, replay):
        with pytest.raises(LogAlarmError, match="split view"):
            look(split, memory)


@pytest.mark.parametrize("kept", range(7))
def test_refuses_a_fork_however_far_back(stage: LogStage, tmp_path: Path, kept: int) -> None:
    memory = follow(stage)
    fork = forked(stage, tmp_path / "b", kept=kept, more=12 - kept)
    with pytest.raises(LogAlarmError, match="do not lead to the root"):
        follow(fork, memory)
    with pytest.raises(LogAlarmError, match="a fork"):
        replay(fork, memory)
    path = fork.log.prove_consistency(7, 12)
    with pytest.raises(LogAlarmError, match="a fork"):
        following.check_consistency(memory, fork.checkpoint(), fork.log.trusted, path)


@given(data=st.data())
def test_refuses_a_broken_proof_of_consistency(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    stage = GROWN.get(tmp_path_factory)
    memory, path = GROWN.memory, list(stage.log.prove_consistency(7, 13))
    at = data.draw(st.integers(0, len(path) - 1))
    wrong = data.draw(
        st.sampled_from([[*path[:at], bytes(32), *path[at + 1 :]], path[:-1], [*path, path[0]], []])
    )
    with pytest.raises(LogAlarmError):
        following.check_consistency(memory, stage.checkpoint(), stage.log.trusted, wrong)


class _Grown:
    """One grown log for all examples."""

    def __init__(self) -> None:
        self._stage: LogStage | None = None
        self.memory: Memory

    def get(self, factory: pytest.TempPathFactory) -> LogStage:
        if self._stage is None:
            self._stage = logs.log_in(factory.mktemp("grown"))
            self._stage.enter_facts(7)
            self.memory = follow(self._stage)
            self._stage.enter_facts(6)
        return self._stage


GROWN = _Grown()


def test_refuses_a_checkpoint_by_another_key(stage: LogStage, tmp_path: Path) -> None:
    stranger = logs.log_in(tmp_path / "b")
    stranger.enter_facts(7)
    with pytest.raises(LogAlarmError, match="not signed by the log"):
        following.follow(
            None, stranger.checkpoint(), stage.log.trusted, stage.read, each=lambda _entry: None
        )


@pytest.mark.parametrize("number", range(7))
def test_refuses_an_entry_that_was_changed_in_the_database(stage: LogStage, number: int) -> None:
    body = stage.log.entries(0, 7)[(number + 1) % 7].body
    with stage.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE trust_log_entry SET body = ? WHERE number = ?", (body, number)
        )
    with pytest.raises(LogAlarmError, match=f"entry {number} is not what its hash says"):
        replay(stage)


def test_refuses_an_entry_changed_together_with_its_hash(stage: LogStage) -> None:
    stage.checkpoint()
    fact = logs.fact_entry(99)
    values = (fact.body, merkle.leaf_hash(fact.body))
    with stage.database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE trust_log_entry SET body = ?, leaf_hash = ? WHERE number = 3", values
        )
    with pytest.raises(LogAlarmError, match="do not lead to the root"):
        replay(stage)


@pytest.mark.parametrize(
    "change",
    [
        lambda page: [],
        lambda page: page[1:],
        lambda page: [page[0], *page],
        lambda page: [replace(page[0], leaf_hash=b"short"), *page[1:]],
        lambda page: [replace(page[0], number=5), *page[1:]],
        lambda page: list(reversed(page)),
    ],
)
def test_refuses_pages_with_entries_left_out_or_out_of_order(stage: LogStage, change) -> None:
    def read(start: int, end: int) -> Sequence[SeenEntry]:
        page: Sequence[SeenEntry] = change(stage.read(start, end))
        return page

    with pytest.raises(LogAlarmError):
        following.follow(
            None, stage.checkpoint(), stage.log.trusted, read, each=lambda _entry: None
        )


def test_refuses_a_tail_that_was_cut_off_by_restoring_an_old_copy(
    stage: LogStage, tmp_path: Path
) -> None:
    """A backup put back: the log goes on from the past, and signs other entries for one size."""
    source = tmp_path / "honest" / "test.sqlite"
    with stage.database.read() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    (tmp_path / "old").mkdir()
    shutil.copy(source, tmp_path / "old" / "copy.sqlite")
    stage.enter_facts(2)
    memory = follow(stage)
    old = _opened(tmp_path / "old" / "copy.sqlite", stage)
    with pytest.raises(LogAlarmError, match="rewound"):
        follow(old, memory)
    old.enter_facts(4, repository="other/story")
    with pytest.raises(LogAlarmError):
        follow(old, memory)


def _opened(path: Path, stage: LogStage) -> LogStage:
    from seawall.store import Database
    from seawall.trust.log.transparency import TransparencyLog

    database = Database.open_file(path)
    log = TransparencyLog(
        database, stage.clock, signer=stage.key, sealing=logs.SEALING, name=logs.NAME
    )
    return LogStage(database=database, log=log, key=stage.key, clock=stage.clock)


def test_refuses_proofs_into_a_future_that_it_has_not(stage: LogStage) -> None:
    with pytest.raises(NotFoundError):
        stage.log.prove_consistency(3, 8)
    with pytest.raises(NotFoundError):
        stage.log.prove_inclusion(7, 7)


def test_refuses_to_sign_two_trees_of_one_size(stage: LogStage) -> None:
    """The checkpoint of a size is kept: even with the entries changed below it, it is the same."""
    before = str(stage.checkpoint())
    with stage.database.write() as connection:
        connection.exec_driver_sql("UPDATE trust_log_node SET hash = zeroblob(32)")
    assert before == str(stage.checkpoint())
    assert 7 == notes.parse_checkpoint(stage.checkpoint().text).size
