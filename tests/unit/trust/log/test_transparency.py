"""The log over its tables: order, idempotence, proofs, checkpoints, what is sealed at rest."""

from __future__ import annotations

from pathlib import Path

import nacl.signing
import pytest

from seawall import audit
from seawall.core import actor
from seawall.core.errors import (
    ConflictError,
    DeniedError,
    IntegrityError,
    InvalidInputError,
    NotFoundError,
)
from seawall.testing import logs, signatures
from seawall.testing.clocks import FakeClock
from seawall.testing.logs import LogStage
from seawall.trust.at_rest import SealingKey
from seawall.trust.log import merkle, notes, trusted_roots, verify
from seawall.trust.log.notes import WitnessKey
from seawall.trust.log.transparency import TransparencyLog
from seawall.trust.log.witnesses import Witnesses

KEY = signatures.new_key()
WITNESS = nacl.signing.SigningKey(b"w" * 32)
WITNESS_KEY = WitnessKey(name="witness.example", public=bytes(WITNESS.verify_key))
OPERATOR = actor.operator("root")


@pytest.fixture
def stage(tmp_path: Path) -> LogStage:
    return logs.log_in(tmp_path)


def test_entries_are_numbered_in_order_and_the_tree_is_theirs(stage: LogStage) -> None:
    stage.enter_facts(21)
    found = stage.log.entries(0, 100)
    assert list(range(21)) == [one.number for one in found]
    edge = merkle.Frontier()
    for one in found:
        assert merkle.leaf_hash(one.body) == one.leaf_hash
        edge.append(one.leaf_hash)
    checkpoint = notes.parse_checkpoint(stage.checkpoint().text)
    assert (21, edge.root) == (checkpoint.size, checkpoint.root)


def test_every_entry_proves_itself(stage: LogStage) -> None:
    for number in range(9):
        signed = logs.envelope(KEY, f"host.example/team/app:v{number}")
        logged = stage.enter(signed, KEY)
        proof = verify.verify(
            logged.to_bundle_json(),
            envelope=signed,
            signer=KEY.public,
            logs=[stage.log.trusted],
            now=stage.clock.now(),
        )
        assert proof.is_valid, proof.failure
        assert number == proof.index


def test_the_same_entry_twice_is_one(stage: LogStage) -> None:
    signed = logs.envelope(KEY)
    first, again = stage.enter(signed, KEY), stage.enter(signed, KEY)
    assert first.entry == again.entry
    assert 1 == stage.log.size()


def test_an_entry_falls_with_its_transaction(stage: LogStage) -> None:
    stage.enter_facts(2)

    def fail() -> None:
        with stage.database.write() as connection:
            stage.log.add(logs.fact_entry(7), connection=connection)
            raise RuntimeError("the caller's change fails")

    with pytest.raises(RuntimeError):
        fail()
    assert 2 == stage.log.size()
    stage.enter_facts(3)
    edge = merkle.Frontier()
    for one in stage.log.entries(0, 9):
        edge.append(one.leaf_hash)
    assert edge.root == notes.parse_checkpoint(stage.checkpoint().text).root


def test_there_is_one_checkpoint_for_a_size(stage: LogStage) -> None:
    stage.enter_facts(3)
    assert str(stage.checkpoint()) == str(stage.checkpoint())


def test_proofs_hold_between_all_trees(stage: LogStage) -> None:
    roots = [merkle.EMPTY_ROOT]
    for _ in range(11):
        stage.enter_facts(1)
        roots.append(notes.parse_checkpoint(stage.checkpoint().text).root)
    for second in range(1, 12):
        for first in range(1, second + 1):
            path = stage.log.prove_consistency(first, second)
            assert merkle.is_consistent(
                first=first, first_root=roots[first],
                second=second, second_root=roots[second], path=path,
            )  # fmt: skip
        for number in range(second):
            leaf = stage.log.entries(number, number + 1)[0].leaf_hash
            assert number == stage.log.find(leaf)
            path = stage.log.prove_inclusion(number, second)
            assert merkle.is_included(
                leaf, index=number, size=second, root=roots[second], path=path
            )


@pytest.mark.parametrize(("first", "second"), [(0, 1), (2, 1), (1, 9), (-1, 1)])
def test_there_are_no_proofs_about_trees_that_are_not(
    stage: LogStage, first: int, second: int
) -> None:
    stage.enter_facts(3)
    with pytest.raises(NotFoundError):
        stage.log.prove_consistency(first, second)


@pytest.mark.parametrize(("number", "size"), [(0, 0), (3, 3), (0, 4), (-1, 2)])
def test_there_are_no_paths_of_entries_that_are_not(
    stage: LogStage, number: int, size: int
) -> None:
    stage.enter_facts(3)
    with pytest.raises(NotFoundError):
        stage.log.prove_inclusion(number, size)


def test_a_lost_node_is_an_error_and_not_a_proof(stage: LogStage) -> None:
    stage.enter_facts(4)
    with stage.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM trust_log_node")
    with pytest.raises(IntegrityError):
        stage.log.prove_inclusion(0, 4)


def test_the_key_of_the_log_is_kept_and_sealed(tmp_path: Path) -> None:
    stage = logs.log_in(tmp_path / "db")
    first, again = (
        TransparencyLog.open(
            stage.database, FakeClock(), keys=tmp_path, sealing=logs.SEALING, name="log.example"
        )
        for _ in range(2)
    )
    assert first.trusted == again.trusted
    with pytest.raises(IntegrityError):
        TransparencyLog.open(
            stage.database, FakeClock(), keys=tmp_path,
            sealing=SealingKey(b"x" * 32), name="log.example",
        )  # fmt: skip


def test_what_is_sealed_opens_for_its_purpose_alone() -> None:
    sealed = logs.SEALING.seal(b"secret", purpose="a")
    assert b"secret" == logs.SEALING.unseal(sealed, purpose="a")
    assert b"secret" not in sealed
    for wrong in (sealed[:-1], sealed + b"x", b"", b"\2" + sealed[1:], sealed[:20]):
        with pytest.raises(IntegrityError):
            logs.SEALING.unseal(wrong, purpose="a")
    with pytest.raises(IntegrityError):
        logs.SEALING.unseal(sealed, purpose="b")


def test_blinding_values_are_kept_secret_and_stable(stage: LogStage) -> None:
    assert stage.log.blind(1) == stage.log.blind(1) != stage.log.blind(2)
    other = TransparencyLog(
        stage.database, stage.clock, signer=stage.key, sealing=SealingKey(b"y" * 32), name="x"
    )
    assert other.blind(1) != stage.log.blind(1)


def test_the_trusted_root_reads_back(stage: LogStage) -> None:
    (read,) = trusted_roots.parse(trusted_roots.build(stage.log.trusted))
    assert stage.log.trusted == read


def test_a_witness_that_is_accepted_can_cosign_once(stage: LogStage) -> None:
    witnesses = Witnesses(stage.database, stage.clock)
    witnesses.accept(WITNESS_KEY, actor=OPERATOR)
    witnesses.accept(WITNESS_KEY, actor=OPERATOR)
    assert (WITNESS_KEY,) == witnesses.list()
    stage.enter_facts(2)
    text = stage.checkpoint().text
    line = notes.cosign(text, name="witness.example", key=WITNESS, now=stage.clock.now())
    assert witnesses.cosign(line, size=2)
    assert not witnesses.cosign(line, size=2)
    shown = notes.parse(str(stage.checkpoint()).encode())
    assert notes.is_signed_by_log(shown, stage.key.public)
    assert stage.clock.now() == notes.cosigned_at(shown.text, shown.signatures[1], WITNESS_KEY)
    stage.enter_facts(1)
    assert 1 == len(stage.checkpoint().signatures)
    assert str(shown) == str(stage.log.witnessed_checkpoint())
    with stage.database.read() as connection:
        kinds = [entry.kind for entry in audit.read(connection)]
    assert ["WitnessAccepted", "CheckpointCosigned"] == kinds


def test_refuses_cosignatures_that_nobody_asked_for(stage: LogStage) -> None:
    witnesses = Witnesses(stage.database, stage.clock)
    stage.enter_facts(2)
    text = stage.checkpoint().text
    line = notes.cosign(text, name="witness.example", key=WITNESS, now=stage.clock.now())
    with pytest.raises(DeniedError):
        witnesses.cosign(line, size=2)
    witnesses.accept(WITNESS_KEY, actor=OPERATOR)
    with pytest.raises(NotFoundError):
        witnesses.cosign(line, size=1)
    stranger = nacl.signing.SigningKey(b"s" * 32)
    forged = notes.cosign(text, name="witness.example", key=stranger, now=stage.clock.now())
    with pytest.raises(InvalidInputError):
        witnesses.cosign(forged, size=2)
    other = WitnessKey(name="witness.example", public=bytes(stranger.verify_key))
    with pytest.raises(ConflictError):
        witnesses.accept(other, actor=OPERATOR)
    witnesses.drop("witness.example", actor=OPERATOR)
    with pytest.raises(DeniedError):
        witnesses.cosign(line, size=2)
