"""`--state DIR` names the installation, wherever it stands on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall import config
from seawall.cli import main

COMMANDS = [
    ("user", "list"),
    ("grant", "list"),
    ("key", "list"),
    ("feeds", "list"),
    ("client", "list"),
    ("audit",),
    ("audit", "verify"),
    ("audit", "list", "--json"),
    ("policy", "check"),
    ("policy", "show", "team/app"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_state_counts_before_the_command_behind_it_and_behind_its_action(shell, words):
    state = str(shell.state)
    expected = shell.bare("--state", state, *words)
    assert 0 == expected.code, expected.err
    for at in range(1, len(words) + 1):
        for option in (("--state", state), (f"--state={state}",)):
            line = (*words[:at], *option, *words[at:])
            assert expected == shell.bare(*line), line


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_refuses_to_fall_back_to_another_installation(shell, tmp_path, words, monkeypatch):
    monkeypatch.setenv("SEAWALL_STATE", str(shell.state))
    nothing = str(tmp_path / "nothing")
    for line in (("--state", nothing, *words), (*words, "--state", nothing)):
        done = shell.bare(*line)
        if words[0] == "policy":
            assert "built-in" in done.out
        else:
            assert 3 == done.code
            assert f"there is no installation in {nothing}" in done.err
            assert "seawall up" in done.err


def test_the_environment_names_the_installation_when_the_line_does_not(shell, monkeypatch):
    monkeypatch.setenv("SEAWALL_STATE", str(shell.state))
    assert 0 == shell.bare("user", "list").code
    monkeypatch.delenv("SEAWALL_STATE")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    here = shell.home / ".local" / "state" / "seawall"
    assert f"there is no installation in {here}" in shell.bare("user", "list").err


def test_a_relative_directory_is_taken_from_where_the_person_is(shell, monkeypatch):
    monkeypatch.chdir(shell.state.parent)
    assert 0 == shell.bare("user", "list", "--state", shell.state.name).code


@pytest.mark.parametrize(
    "words",
    [
        ("--state",),
        ("--state", "", "user", "list"),
        ("--state=", "user", "list"),
        ("user", "list", "--state"),
        ("user", "--state", "--json", "list"),
    ],
    ids=" ".join,
)
def test_refuses_an_empty_state_directory(shell, words, monkeypatch):
    monkeypatch.setenv("SEAWALL_STATE", str(shell.state))
    done = shell.bare(*words)
    assert 2 == done.code
    assert "--state needs a directory" in done.err


def test_the_last_of_several_counts(shell):
    state = str(shell.state)
    assert 0 == shell.bare("--state", "/nowhere", "user", "list", "--state", state).code
    assert 3 == shell.bare("--state", state, "user", "list", "--state", "/nowhere").code


def test_behind_two_dashes_it_is_a_word_like_any_other(shell):
    done = shell.bare("--state", str(shell.state), "key", "show", "--json", "--", "--state")
    assert 3 == done.code
    assert "there is no key file --state" in done.err


@given(
    before=st.lists(st.sampled_from(["user", "list", "--json", "x", "-h"]), max_size=4),
    after=st.lists(st.sampled_from(["user", "list", "--json", "x", "-h"]), max_size=4),
    directory=st.text(min_size=1).filter(lambda text: not text.startswith("-")),
    is_joined=st.booleans(),
)
def test_taking_it_out_leaves_every_other_word(before, after, directory, is_joined):
    option = [f"--state={directory}"] if is_joined else ["--state", directory]
    assert (directory, before + after) == main._take_state([*before, *option, *after])


def test_up_is_told_too(tmp_path: Path, shell):
    done = shell.bare("up", "--state", "/proc/nothing")
    assert 3 == done.code
    assert "choose another one with --state" in done.err


def test_a_user_without_an_account_entry_has_a_home_and_a_name(monkeypatch):
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("SEAWALL_STATE", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 3_999_999_999)
    settings = config.load()
    assert Path("/.local/state/seawall") == settings.state
    assert "uid3999999999" == settings.home.login
