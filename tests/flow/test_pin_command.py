"""`seawall trust pin --installation` and `seawall explain --proof`, on a real state directory."""

import json

import pytest

from seawall.cli import main
from seawall.testing import houses
from seawall.testing.houses import SHOP, Stage
from seawall.testing.tree_owners import TreeOwner
from seawall.trust import pins

APP = houses.image(pillow="12.0")


@pytest.fixture
def stage(tmp_path):
    with Stage.opened(tmp_path) as opened:
        opened.push(SHOP, APP, "1")
        yield opened


@pytest.fixture
def fingerprint(stage):
    owner = TreeOwner(house=stage.house, repository=SHOP).init()
    [key_id] = pins.of_root(owner.tree.roots[-1]).root_key_ids
    return key_id


def run(stage, *words):
    return main.main([*words, "--state", str(stage.house.settings.state)])


def pin(stage, *words):
    return run(stage, "trust", "pin", "shop/app", "--installation", *words)


def test_nothing_is_believed_at_first_sight_but_its_fingerprint_is_shown(
    stage, fingerprint, capsys
):
    assert 2 == pin(stage)
    assert fingerprint in capsys.readouterr().err
    assert stage.house.pins.get(SHOP) is None


def test_a_fingerprint_is_pinned_for_the_gate_and_shown(stage, fingerprint, capsys):
    assert 0 == pin(stage, "--root", fingerprint, "--json")
    assert [fingerprint] == json.loads(capsys.readouterr().out)["root_key_ids"]
    assert {fingerprint} == stage.house.pins.get(SHOP).pin.root_key_ids
    assert 0 == pin(stage)
    assert fingerprint in capsys.readouterr().out
    assert ["RootPinned"] == [entry.kind for entry in stage.events("RootPinned")]


def test_refuses_a_fingerprint_that_is_not_the_trees(stage, fingerprint, capsys):
    assert 0 != pin(stage, "--root", "0" * 64)
    assert "not pinned" in capsys.readouterr().err
    assert stage.house.pins.get(SHOP) is None


def test_a_pin_can_be_forgotten_and_then_is_gone(stage, fingerprint, capsys):
    pin(stage, "--root", fingerprint)
    assert 0 == pin(stage, "--forget")
    assert stage.house.pins.get(SHOP) is None
    assert 3 == pin(stage, "--forget")


def test_explain_shows_the_steps_of_tree_and_signatures(stage, fingerprint, capsys):
    pin(stage, "--root", fingerprint)
    capsys.readouterr()
    assert 1 == run(stage, "explain", "shop/app:1", "--proof")
    shown = capsys.readouterr().out
    assert " 12  pin         ok" in shown
    assert " 23  tag         NO" in shown
    assert 1 == run(stage, "explain", "shop/app:1", "--json")
    steps = json.loads(capsys.readouterr().out)["proof"]
    assert {"tree", "signatures"} == {step["part"] for step in steps}
