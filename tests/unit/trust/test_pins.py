import dataclasses

import pytest

from seawall import audit
from seawall.core.actor import SYSTEM, operator
from seawall.core.errors import ConflictError, InvalidInputError, NotFoundError
from seawall.oci.names import RepositoryName
from seawall.testing import trees
from seawall.testing.signatures import new_key
from seawall.trust import pins
from seawall.trust.pins import Pins
from seawall.trust.tuf.chain import Pin
from seawall.trust.tuf.names import ROOT, TARGETS, TIMESTAMP

ADA = operator("ada")
APP = RepositoryName("team/app")


@pytest.fixture
def remembered(database, clock):
    return Pins(database, clock)


def events(database):
    with database.read() as connection:
        return [(entry.kind, entry.details()) for entry in audit.read(connection)]


def test_a_pin_is_kept_with_who_made_it_and_when(remembered, clock, database):
    pin = trees.simple().pin
    remembered.pin(APP, pin, actor=ADA)
    kept = remembered.get(APP)
    assert (pin, "operator:ada", clock.now()) == (kept.pin, kept.pinned_by, kept.pinned_at)
    [(kind, details)] = events(database)
    assert ("RootPinned", sorted(pin.root_key_ids), 1) == (
        kind, details["root_keys"], details["root_version"],
    )  # fmt: skip


def test_nothing_is_pinned_at_first(remembered):
    assert remembered.get(APP) is None


def test_keys_alone_may_be_pinned(remembered):
    pin = Pin(root_key_ids=trees.simple().pin.root_key_ids)
    remembered.pin(APP, pin, actor=ADA)
    assert pin == remembered.get(APP).pin


def test_refuses_another_pin_unless_it_is_replaced_on_purpose(remembered, database):
    first, second = trees.simple().pin, trees.simple().pin
    remembered.pin(APP, first, actor=ADA)
    with pytest.raises(ConflictError):
        remembered.pin(APP, second, actor=ADA)
    assert first == remembered.get(APP).pin
    remembered.pin(APP, second, actor=ADA, may_replace=True)
    assert second == remembered.get(APP).pin
    assert sorted(first.root_key_ids) == events(database)[-1][1]["former_root_keys"]


@pytest.mark.parametrize("ids", [(), ("abc",), ("A" * 64,), ("g" * 64,)])
def test_refuses_a_pin_of_no_key_or_of_what_is_no_id(remembered, ids):
    with pytest.raises(InvalidInputError):
        remembered.pin(APP, Pin(root_key_ids=frozenset(ids)), actor=ADA)


def test_what_was_seen_goes_on_with_its_event_and_stands_still_without(remembered, database):
    lab = trees.simple()
    remembered.pin(APP, lab.pin, actor=ADA)
    after = trees.prove(lab, lab.tree(), pin=lab.pin).pin_after
    remembered.advance(APP, before=lab.pin, after=after, actor=SYSTEM)
    assert after == remembered.get(APP).pin
    assert ("TreeAdvanced", {"root": 1, "snapshot": 1, "targets": 1, "timestamp": 1}) == (
        events(database)[-1][0], events(database)[-1][1]["seen"],
    )  # fmt: skip
    remembered.advance(APP, before=after, after=after, actor=SYSTEM)
    assert ["RootPinned", "TreeAdvanced"] == [kind for kind, _ in events(database)]


def test_pinning_the_same_keys_again_forgets_nothing(remembered):
    lab = trees.simple()
    remembered.pin(APP, lab.pin, actor=ADA)
    after = trees.prove(lab, lab.tree(), pin=lab.pin).pin_after
    remembered.advance(APP, before=lab.pin, after=after, actor=SYSTEM)
    remembered.pin(APP, lab.pin, actor=ADA)
    assert after == remembered.get(APP).pin


def test_refuses_to_go_back_to_what_a_slower_proof_saw(remembered):
    lab = trees.simple()
    remembered.pin(APP, lab.pin, actor=ADA)
    slow = dataclasses.replace(lab.pin, seen={ROOT: 1, TARGETS: 1, TIMESTAMP: 4})
    quick = dataclasses.replace(lab.pin, seen={ROOT: 1, TARGETS: 1, TIMESTAMP: 9})
    remembered.advance(APP, before=lab.pin, after=quick, actor=SYSTEM)
    remembered.advance(APP, before=lab.pin, after=slow, actor=SYSTEM)
    assert 9 == remembered.get(APP).pin.seen[TIMESTAMP]


def test_a_proof_of_a_former_pin_does_not_bring_it_back(remembered):
    old, new = trees.simple(), trees.simple()
    remembered.pin(APP, old.pin, actor=ADA)
    after = trees.prove(old, old.tree(), pin=old.pin).pin_after
    remembered.pin(APP, new.pin, actor=ADA, may_replace=True)
    remembered.advance(APP, before=old.pin, after=after, actor=SYSTEM)
    assert new.pin == remembered.get(APP).pin


def test_a_pin_may_be_taken_away_and_that_is_written_down(remembered, database):
    remembered.pin(APP, trees.simple().pin, actor=ADA)
    remembered.unpin(APP, actor=ADA)
    assert remembered.get(APP) is None
    assert "RootUnpinned" == events(database)[-1][0]
    with pytest.raises(NotFoundError):
        remembered.unpin(APP, actor=ADA)


def test_a_refused_tree_is_written_down_once_until_something_else_happens(remembered, database):
    lab = trees.simple()
    remembered.pin(APP, lab.pin, actor=ADA)
    for _ in range(3):
        remembered.refuse(APP, step="remembered", why="version 1", actor=SYSTEM)
    remembered.refuse(APP, step="remembered", why="version 2", actor=SYSTEM)
    assert ["RootPinned", "TreeRefused", "TreeRefused"] == [kind for kind, _ in events(database)]


def test_the_pin_of_a_root_file_names_its_keys_and_its_version():
    lab = trees.simple()
    lab.root_keys.append(new_key())
    lab.root(also_by=lab.old_root_signers())
    pin = pins.of_root(lab.roots[-1].content)
    assert (lab.pin.root_key_ids, {ROOT: 2}) == (pin.root_key_ids, pin.seen)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff"])
def test_refuses_to_pin_what_is_no_root(content):
    with pytest.raises(InvalidInputError):
        pins.of_root(content)
