"""The log keeps its promises on both databases, also with several writers at once."""

from __future__ import annotations

import concurrent.futures

from seawall.store import Database
from seawall.testing import logs, signatures
from seawall.testing.clocks import FakeClock
from seawall.testing.logs import LogStage
from seawall.trust.log import following, merkle
from seawall.trust.log.transparency import TransparencyLog

WRITERS, EACH = 4, 12


def stage_of(database: Database) -> LogStage:
    key, clock = signatures.new_key(), FakeClock()
    log = TransparencyLog(database, clock, signer=key, sealing=logs.SEALING, name=logs.NAME)
    return LogStage(database=database, log=log, key=key, clock=clock)


def test_many_writers_make_one_tree_that_replays(database: Database) -> None:
    stage = stage_of(database)
    signer = signatures.new_key()
    envelopes = [
        logs.envelope(signer, f"h.example/team/app:v{number}") for number in range(WRITERS * EACH)
    ]
    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        logged = list(pool.map(lambda one: stage.enter(one, signer), envelopes))
    assert list(range(WRITERS * EACH)) == sorted(one.entry.number for one in logged)
    for one in logged:
        checkpoint = one.inclusion.checkpoint
        assert merkle.is_included(
            one.entry.leaf_hash,
            index=one.entry.number,
            size=checkpoint.size,
            root=checkpoint.root,
            path=one.inclusion.path,
        )
    memory = following.replay(
        None, stage.checkpoint(), stage.log.trusted, stage.read, each=lambda _entry: None
    )
    assert WRITERS * EACH == memory.size
    first = stage.log.prove_consistency(1, memory.size)
    leaf = stage.log.entries(0, 1)[0].leaf_hash
    assert merkle.is_consistent(
        first=1, first_root=leaf, second=memory.size, second_root=memory.root, path=first
    )


def test_the_same_signature_by_many_at_once_is_one_entry(database: Database) -> None:
    stage = stage_of(database)
    signer = signatures.new_key()
    envelope = logs.envelope(signer)
    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        logged = list(pool.map(lambda _: stage.enter(envelope, signer), range(WRITERS)))
    assert {0} == {one.entry.number for one in logged}
    assert 1 == stage.log.size()
