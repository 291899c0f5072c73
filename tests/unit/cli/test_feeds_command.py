"""`seawall feeds`: editions come in whole or not at all, and age is shown."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from seawall.core.clock import SystemClock
from seawall.testing import running

HOLE = running.advisory("libhole", "2.0-1") + "\n"


def test_without_feeds_the_list_says_how_to_get_them(shell):
    done = shell("feeds", "list")
    assert (0, "") == (done.code, done.out)
    assert "seawall feeds update" in done.err
    assert "" == shell("feeds", "list", "--json").out


def test_an_imported_edition_is_counted_and_listed(shell):
    done = shell("feeds", "import", shell.file("tests.jsonl", HOLE))
    assert 0 == done.code, done.err
    assert done.out.startswith("tests: 1 ")
    assert "1 new, 0 changed" in done.out
    again = shell("feeds", "import", shell.file("tests.jsonl", HOLE))
    assert "unchanged" in again.out
    (listed,) = shell("feeds", "list", "--json").lines()
    assert ("tests", 1, False) == (listed["name"], listed["records"], listed["is_stale"])
    assert "STALE" not in shell("feeds", "list").out


def test_an_edition_can_be_given_a_name(shell):
    (told,) = shell(
        "feeds", "import", shell.file("x.jsonl", HOLE), "--feed", "own", "--json"
    ).lines()
    assert ("own", 1, 1) == (told["feed"], told["records"], told["added"])


def test_an_old_edition_is_shown_as_stale(shell, monkeypatch):
    shell("feeds", "import", shell.file("tests.jsonl", HOLE))
    later = SystemClock().now() + dt.timedelta(days=8)
    monkeypatch.setattr(SystemClock, "now", lambda self: later)
    assert "  STALE" in shell("feeds", "list").out
    assert shell("feeds", "list", "--json").lines()[0]["is_stale"]


@pytest.mark.parametrize(
    ("content", "code", "why"),
    [("{nope\n", 2, "not valid JSON"), ("", 2, ""), (b"\xff\xfe\n", 2, "")],
)
def test_refuses_a_file_that_is_no_edition_and_keeps_the_one_in_use(shell, content, code, why):
    shell("feeds", "import", shell.file("tests.jsonl", HOLE))
    done = shell("feeds", "import", shell.file("tests.jsonl", content))
    assert (code, "") == (done.code, done.out)
    assert why in done.err
    assert 1 == shell("feeds", "list", "--json").lines()[0]["records"]


def test_a_file_that_is_not_there_is_named(shell):
    done = shell("feeds", "import", "none.jsonl")
    assert 3 == done.code
    assert "none.jsonl" in done.err


def test_refuses_one_name_for_several_files(shell):
    files = [shell.file(name, HOLE) for name in ("a.jsonl", "b.jsonl")]
    done = shell("feeds", "import", *files, "--feed", "both")
    assert 2 == done.code
    assert "one by one" in done.err


def test_an_update_that_fails_says_so_for_each_feed_and_leaves_the_editions(shell):
    done = shell("feeds", "update", "--url", "http://127.0.0.1:9")
    assert 3 == done.code
    assert "Debian: FAILED, the old edition stays in use" in done.out
    assert "PyPI: FAILED" in done.out
    told = shell("feeds", "update", "PyPI", "--url", "http://127.0.0.1:9", "--json")
    assert ["PyPI"] == [json.loads(line)["feed"] for line in told.out.splitlines()]
    assert "never imported" in shell("feeds", "list").out
