"""Pins of a person: written whole, never back, and never silently lost."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.cli import pin_files
from seawall.core.errors import InvalidInputError
from seawall.oci.names import RepositoryName
from seawall.testing import trees
from seawall.trust.tuf.chain import Pin
from seawall.trust.tuf.names import TARGETS, TIMESTAMP, Gun

GUN = trees.GUN


def test_a_pin_comes_back_as_it_was_written(tmp_path):
    lab = trees.simple()
    pin = dataclasses.replace(lab.pin, seen={TIMESTAMP: 7, TARGETS: 2})
    pin_files.remember(tmp_path, GUN, pin)
    assert pin == pin_files.read(tmp_path, GUN)
    only_ids = Pin(root_key_ids=lab.pin.root_key_ids)
    pin_files.replace(tmp_path, GUN, only_ids)
    assert only_ids == pin_files.read(tmp_path, GUN)


def test_an_older_state_never_replaces_a_newer_one(tmp_path):
    pin = trees.simple().pin
    newer = dataclasses.replace(pin, seen={TIMESTAMP: 9})
    pin_files.remember(tmp_path, GUN, newer)
    pin_files.remember(tmp_path, GUN, dataclasses.replace(pin, seen={TIMESTAMP: 8}))
    assert newer == pin_files.read(tmp_path, GUN)


def test_a_newer_root_counts_even_if_its_timestamps_begin_anew(tmp_path):
    lab = trees.simple()
    pin_files.remember(tmp_path, GUN, dataclasses.replace(lab.pin, seen={TIMESTAMP: 2**62}))
    second = lab.root(also_by=lab.old_root_signers())
    newer = dataclasses.replace(lab.pin, root=second.content, seen={TIMESTAMP: 3})
    pin_files.remember(tmp_path, GUN, newer)
    assert newer == pin_files.read(tmp_path, GUN)


def test_repositories_inside_of_one_another_have_pins_of_their_own(tmp_path):
    guns = [
        Gun.of("registry.test", RepositoryName(name))
        for name in ("team", "team/app", "team/pin.json", "team/app/deep")
    ]
    pins = [trees.simple().pin for _ in guns]
    for gun, pin in zip(guns, pins, strict=True):
        pin_files.remember(tmp_path, gun, pin)
    assert pins == [pin_files.read(tmp_path, gun) for gun in guns]


def test_a_forgotten_pin_is_gone(tmp_path):
    assert not pin_files.forget(tmp_path, GUN)
    pin_files.remember(tmp_path, GUN, trees.simple().pin)
    assert pin_files.forget(tmp_path, GUN)
    assert pin_files.read(tmp_path, GUN) is None


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{}", b'{"root_key_ids":[],"root":null}',
        b'{"root_key_ids":{},"root":null,"seen":{}}',
        b'{"root_key_ids":[],"root":"?","seen":{}}',
        b'{"root_key_ids":[],"root":"e30=","seen":{}}',
        b'{"root_key_ids":[],"root":null,"seen":{"nobody":1}}',
        b'{"root_key_ids":[],"root":null,"seen":{"targets":true}}',
        b'{"root_key_ids":[],"root":null,"seen":{"targets":-1}}',
    ],
)  # fmt: skip
def test_a_broken_pin_is_an_error_and_no_unknown_repository(tmp_path, content):
    pin_files.remember(tmp_path, GUN, trees.simple().pin)
    next(tmp_path.rglob("_pin.json")).write_bytes(content)
    with pytest.raises(InvalidInputError, match="does not parse"):
        pin_files.read(tmp_path, GUN)


@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_pin_or_an_error(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("pins")
    pin_files.remember(folder, GUN, trees.simple().pin)
    next(folder.rglob("_pin.json")).write_bytes(content)
    with pytest.raises(InvalidInputError):
        pin_files.read(folder, GUN)
