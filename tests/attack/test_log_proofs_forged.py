"""Entries of a log in a bundle: stripped, forged, swapped, broken. Only the whole proof counts."""

from __future__ import annotations

import copy
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core import strictjson
from seawall.testing import logs, signatures
from seawall.testing.clocks import FakeClock
from seawall.testing.logs import LogStage
from seawall.trust import bundle
from seawall.trust.log import entries, notes, verify
from seawall.trust.log.trusted_roots import TrustedLog
from seawall.trust.log.verify import LogProof

KEY, OTHER = signatures.new_key(), signatures.new_key()
SIGNED = logs.envelope(KEY)
NOW = FakeClock().now()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> LogStage:
    stage = logs.log_in(tmp_path_factory.mktemp("log"))
    stage.enter_facts(4)
    return stage


@pytest.fixture(scope="module")
def item(stage: LogStage) -> dict[str, Any]:
    return stage.enter(SIGNED, KEY).to_bundle_json()


def prove(item: Any, stage: LogStage, *more: TrustedLog, now: dt.datetime = NOW) -> LogProof:
    return verify.verify(
        item, envelope=SIGNED, signer=KEY.public, logs=[stage.log.trusted, *more], now=now
    )


def failed_step(item: Any, stage: LogStage, **more: Any) -> int:
    proof = prove(item, stage, **more)
    assert not proof.is_valid
    assert proof.failure is not None
    assert proof.index is None
    return proof.failure.number


def test_a_whole_proof_holds(item: dict[str, Any], stage: LogStage) -> None:
    assert prove(item, stage).is_valid


@pytest.mark.parametrize(
    ("path", "value", "step"),
    [
        (("logIndex",), "5", 4),
        (("logIndex",), "-1", 1),
        (("logIndex",), "04", 1),
        (("logIndex",), 4.0, 1),
        (("logIndex",), True, 1),
        (("logIndex",), "9223372036854775807", 1),
        (("integratedTime",), "1", 4),
        (("integratedTime",), None, 1),
        (("kindVersion", "kind"), "hashedrekord", 1),
        (("kindVersion",), None, 1),
        (("inclusionPromise",), None, 1),
        (("inclusionPromise", "signedEntryTimestamp"), "AAAA", 4),
        (("inclusionProof",), None, 1),
        (("inclusionProof", "logIndex"), "3", 5),
        (("inclusionProof", "treeSize"), "4", 5),
        (("inclusionProof", "treeSize"), "6", 6),
        (("inclusionProof", "rootHash"), bundle.encode_base64(bytes(32)), 6),
        (("inclusionProof", "hashes"), [], 7),
        (("inclusionProof", "hashes"), [bundle.encode_base64(bytes(32))], 7),
        (("inclusionProof", "hashes"), [bundle.encode_base64(bytes(31))], 7),
        (("inclusionProof", "hashes"), ["AA=="] * 65, 1),
        (("inclusionProof", "checkpoint"), None, 1),
        (("inclusionProof", "checkpoint", "envelope"), "", 6),
        (("logId", "keyId"), bundle.encode_base64(bytes(32)), 2),
        (("canonicalizedBody",), bundle.encode_base64(b"{}"), 3),
        (("canonicalizedBody",), bundle.encode_base64(entries.fact_body(logs.tag_move(0))), 3),
    ],
)
def test_refuses_an_entry_with_one_thing_changed(
    item: dict[str, Any], stage: LogStage, path: tuple[str, ...], value: object, step: int
) -> None:
    changed: Any = copy.deepcopy(item)
    place = changed
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    assert step == failed_step(changed, stage)


@given(data=st.data())
def test_refuses_every_changed_character_of_an_item(
    item: dict[str, Any], stage: LogStage, data: st.DataObject
) -> None:
    text = json.dumps(item)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from('Aa0Zz9+/={}",: \\').filter(lambda c: c != text[at]))
    changed = f"{text[:at]}{other}{text[at + 1 :]}"
    try:
        value = strictjson.decode(changed.encode(), max_bytes=100_000)
    except Exception:
        return
    proof = prove(value, stage)
    # What is neither signed nor needed may differ: an unknown key, the spelling of a number,
    # the name beside a checkpoint's signature.
    assert not proof.is_valid or 4 == proof.index


@pytest.mark.parametrize("item", [None, [], "x", 1, {}, {"logIndex": "0"}])
def test_refuses_what_is_no_entry(stage: LogStage, item: object) -> None:
    assert 1 == failed_step(item, stage)


def test_refuses_a_bundle_without_entries(stage: LogStage) -> None:
    proof = verify.verify_any(
        [], envelope=SIGNED, signer=KEY.public, logs=[stage.log.trusted], now=NOW
    )
    assert not proof.is_valid


def test_refuses_the_entry_of_another_envelope(item: dict[str, Any], stage: LogStage) -> None:
    other = stage.enter(logs.envelope(KEY, "host.example/team/app:v2"), KEY).to_bundle_json()
    assert 3 == failed_step(other, stage)
    swapped = item | {"canonicalizedBody": other["canonicalizedBody"]}
    assert 3 == failed_step(swapped, stage)


def test_refuses_the_same_payload_signed_by_another_key(stage: LogStage) -> None:
    again = entries.parse_envelope(bundle.sign(SIGNED.payload, OTHER))
    assert 3 == failed_step(stage.enter(again, OTHER).to_bundle_json(), stage)


def test_refuses_a_log_that_is_not_trusted(tmp_path: Path, stage: LogStage) -> None:
    foreign = logs.log_in(tmp_path)
    entered = foreign.enter(SIGNED, KEY).to_bundle_json()
    assert 2 == failed_step(entered, stage)
    assert prove(entered, foreign).is_valid


def test_refuses_a_foreign_logs_entry_under_the_id_of_ours(
    tmp_path: Path, item: dict[str, Any], stage: LogStage
) -> None:
    foreign = logs.log_in(tmp_path).enter(SIGNED, KEY).to_bundle_json()
    assert 4 == failed_step(foreign | {"logId": item["logId"]}, stage)
    promised = foreign | {key: item[key] for key in ("logId", "inclusionPromise", "logIndex")}
    assert 5 == failed_step(promised, stage)


def test_refuses_a_promise_without_the_tree(
    tmp_path: Path, item: dict[str, Any], stage: LogStage
) -> None:
    """A log that promised, and shows a tree in which the entry is not."""
    forked = logs.log_in(tmp_path, stage.key)
    forked.enter_facts(5)
    proof = copy.deepcopy(item["inclusionProof"])
    proof["checkpoint"]["envelope"] = str(forked.checkpoint())
    assert 6 == failed_step(item | {"inclusionProof": proof}, stage)
    root = notes.parse_checkpoint(forked.checkpoint().text).root
    proof["rootHash"] = bundle.encode_base64(root)
    assert 7 == failed_step(item | {"inclusionProof": proof}, stage)


def test_refuses_a_checkpoint_of_another_log_by_the_same_key(
    item: dict[str, Any], stage: LogStage
) -> None:
    real = notes.parse_checkpoint(stage.checkpoint().text)
    other = notes.Checkpoint(origin="other.example - 1", size=5, root=real.root)
    proof = copy.deepcopy(item["inclusionProof"])
    note = notes.sign(other, stage.key, name="other.example")
    proof["checkpoint"]["envelope"] = str(note)
    assert 6 == failed_step(item | {"inclusionProof": proof}, stage)


def test_refuses_an_entry_from_the_future(item: dict[str, Any], stage: LogStage) -> None:
    assert 8 == failed_step(item, stage, now=NOW - dt.timedelta(minutes=6))
