"""`seawall audit`: list and filter, follow, note the head, and prove that nothing was rewritten."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import sqlite3

import pytest

from seawall.cli import audit, main


@pytest.fixture(scope="module")
def logged(prepared_state, tmp_path_factory):
    """An installation whose log has several entries, made once."""
    state = tmp_path_factory.mktemp("logged") / "state"
    shutil.copytree(prepared_state, state)
    for words in (
        ("give", "pull", "anonymous", "public/*"),
        ("give", "pull,push", "authenticated", "team/*"),
        ("take", "anonymous", "public/*"),
        ("give", "pull", "anonymous", "team/app"),
    ):
        assert 0 == main.main(["grant", *words, "--state", str(state)])
    return state


@pytest.fixture
def log(shell, logged):
    """A shell whose log has several entries."""
    shutil.rmtree(shell.state)
    shutil.copytree(logged, shell.state)
    return shell


def kinds(done):
    assert 0 == done.code, done.err
    return [line["event"] for line in done.lines()]


def test_the_list_is_oldest_first_and_the_limit_keeps_the_newest(log):
    every = ["UserCreated", "GrantAdded", "GrantAdded", "GrantRemoved", "GrantAdded"]
    assert every == kinds(log("audit", "--json"))
    assert every == kinds(log("audit", "list", "--json"))
    newest = log("audit", "--json", "--limit", "2").lines()
    assert [4, 5] == [line["seq"] for line in newest]
    assert "" == log("audit", "--limit", "0").out


def test_the_list_for_people_has_one_line_for_each_entry(log):
    lines = log("audit").out.splitlines()
    assert 5 == len(lines)
    for word in ("GrantAdded", "operator:", "pattern=public/*", "subject=anonymous"):
        assert word in lines[1]


def test_filters_hold_together(log):
    assert ["GrantAdded"] * 3 == kinds(log("audit", "--json", "--kind", "GrantAdded"))
    both = log("audit", "--json", "--kind", "GrantAdded", "--kind", "GrantRemoved")
    assert 4 == len(kinds(both))
    assert ["UserCreated"] == kinds(log("audit", "--json", "--actor", "seawall"))
    assert [] == kinds(log("audit", "--json", "--actor", "seawall", "--kind", "GrantAdded"))
    assert [] == kinds(log("audit", "--json", "--repository", "team/app"))
    assert [] == kinds(log("audit", "--json", "--digest", f"sha256:{'0' * 64}"))


def test_since_takes_a_time_and_an_age(log):
    for since in ("1d", "90m", "12h", "2000-01-01", "2000-01-01T00:00:00Z"):
        assert 5 == len(kinds(log("audit", "--json", "--since", since))), since
    later = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat()
    assert [] == kinds(log("audit", "--json", "--since", later))


@pytest.mark.parametrize(
    "since", ["", "never", "7w", "d", "99999999999999d", "9" * 5000 + "d", "2026-13-01",
              "0001-01-01T00:00:00+14:00", "٣d"],
)  # fmt: skip
def test_refuses_what_is_no_time(log, since):
    done = log("audit", f"--since={since}")
    assert (2, "") == (done.code, done.out) if since else done.code == 0
    assert ("write 90m, 12h, 7d" in done.err) == bool(since)


@pytest.mark.parametrize("limit", ["-1", "x", "1.5", ""])
def test_refuses_what_is_no_number_of_entries(log, limit):
    assert 2 == log("audit", f"--limit={limit}").code


def test_follow_goes_on_with_what_happens_next(log, monkeypatch):
    steps = iter(
        [
            ("grant", "take", "anonymous", "team/app"),
            (),
            ("grant", "take", "authenticated", "team/*"),
        ]
    )

    def sleep(_seconds):
        words = next(steps, None)
        if words is None:
            raise KeyboardInterrupt
        if words:
            assert 0 == main.main([*words, "--state", str(log.state)])

    monkeypatch.setattr(audit.time, "sleep", sleep)
    done = log("audit", "--follow", "--json", "--limit", "1")
    assert 130 == done.code
    lines = [json.loads(line) for line in done.out.splitlines() if line.startswith("{")]
    assert ["GrantAdded", "GrantRemoved", "GrantRemoved"] == ([line["event"] for line in lines])


def test_a_noted_head_proves_the_log_later(log):
    head = log("audit", "head").out.strip()
    told = json.loads(log("audit", "head", "--json").out)
    assert f"{told['seq']}:{told['hash']}" == head
    assert 0 == log("grant", "take", "anonymous", "team/app").code
    done = log("audit", "verify", "--noted", head)
    assert 0 == done.code
    assert done.out.startswith("whole: 6 entries, head 6:")
    assert {"is_whole": True, "seq": 6} == {
        key: value
        for key, value in json.loads(log("audit", "verify", "--json").out).items()
        if key != "hash"
    }


@pytest.mark.parametrize(
    ("rewrite", "seq"),
    [
        ("UPDATE {log} SET body = replace(body, 'public', 'secret') WHERE seq = 2", 2),
        ("UPDATE {log} SET at = '2000-01-01T00:00:00.000000Z' WHERE seq = 3", 3),
        ("DELETE FROM {log} WHERE seq = 3", 3),
    ],
)
def test_refuses_a_log_that_was_rewritten_and_names_the_entry(log, rewrite, seq):
    change(log, rewrite)
    done = log("audit", "verify")
    assert 1 == done.code
    assert done.out.startswith(f"NOT WHOLE: entry {seq}: ")
    told = json.loads(log("audit", "verify", "--json").out)
    assert (False, seq) == (told["is_whole"], told["seq"])


def test_refuses_a_log_whose_tail_was_cut_off_before_a_noted_head(log):
    head = log("audit", "head").out.strip()
    change(log, "DELETE FROM {log} WHERE seq > 3")
    assert 0 == log("audit", "verify").code, "a chain alone cannot show it"
    done = log("audit", "verify", "--noted", head)
    assert 1 == done.code
    assert "the log ends before the head that was noted" in done.out


def change(shell, statement):
    """Do what somebody with the file could do; the triggers against it go first."""
    with sqlite3.connect(shell.state / "seawall.sqlite") as database:
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            database.execute(f"DROP TRIGGER {name}")
        log = next(
            name
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if name.startswith("audit")
        )
        assert database.execute(statement.format(log=log)).rowcount > 0
    database.close()


@pytest.mark.parametrize("noted", ["", "x", "1", "1:", "1:zz", ":00", "1.0:00"])
def test_refuses_what_is_no_head(log, noted):
    done = log("audit", "verify", f"--noted={noted}")
    if done.code == 1:
        assert "NOT WHOLE" in done.out  # a head of no bytes is a wrong one
    else:
        assert 2 == done.code
        assert "seawall audit head" in done.err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("list", "--noted", "1:00"), "--noted"),
        (("--noted", "1:00"), "--noted"),
        (("head", "--noted", "1:00"), "--noted"),
        (("verify", "--follow"), "--follow"),
        (("head", "--follow"), "--follow"),
    ],
)
def test_refuses_an_option_that_would_not_be_looked_at(log, words, why):
    done = log("audit", *words)
    assert 2 == done.code
    assert why in done.err
