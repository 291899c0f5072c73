"""The program around the commands: short ones do not look for cycles, those that stay do."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest

from seawall.cli import main


@pytest.fixture
def threshold() -> Iterator[int]:
    before = gc.get_threshold()
    yield before[0]
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.parametrize("words", [["sign", "x"], ["--state", "d", "verify", "x"]])
def test_a_short_command_collects_rarely(
    words: list[str], threshold: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main.COLLECT_AFTER == seen(words, monkeypatch) > threshold


@pytest.mark.parametrize("words", [["up"], ["serve", "web"], ["--state", "d", "serve", "gate"]])
def test_a_command_that_stays_collects_as_python_does(
    words: list[str], threshold: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert threshold == seen(words, monkeypatch)


def seen(words: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the threshold that a command sees."""
    monkeypatch.setattr(sys, "argv", ["seawall", *words])
    monkeypatch.setattr(main, "main", lambda: gc.get_threshold()[0])
    return main.program()
