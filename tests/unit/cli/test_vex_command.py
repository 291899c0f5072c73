"""`seawall vex`: what an administrator lets in counts, and what is taken away counts no longer."""

from __future__ import annotations

import json

import pytest

DOCUMENT = {
    "@context": "https://openvex.dev/ns/v0.2.0",
    "author": "us\x1b[31m",
    "timestamp": "2026-01-01T00:00:00Z",
    "statements": [
        {"vulnerability": {"name": "CVE-1"}, "products": [{"@id": "pkg:oci/app"}],
         "status": "fixed"},
    ],
}  # fmt: skip


@pytest.fixture
def file(shell) -> str:
    return shell.file("answers.json", json.dumps(DOCUMENT))


def test_a_document_is_let_in_listed_and_taken_away(shell, file):
    added = shell("vex", "add", file, "--json")
    assert 0 == added.code, added.err
    (told,) = added.lines()
    assert ("openvex", 1) == (told["format"], told["statements"])
    (listed,) = shell("vex", "list", "--json").lines()
    assert told["digest"] == listed["digest"]
    assert "answers.json" == listed["source"]
    gone = shell("vex", "remove", str(told["digest"]))
    assert 0 == gone.code, gone.err
    assert "" == shell("vex", "list").out


def test_letting_in_and_taking_away_are_events(shell, file):
    digest = shell("vex", "add", file, "--json").lines()[0]["digest"]
    shell("vex", "remove", str(digest))
    kinds = [one["event"] for one in shell("audit", "--json").lines()]
    assert {"VexAccepted", "VexRemoved"} <= set(kinds)


def test_hostile_authors_do_not_move_the_cursor(shell, file):
    assert "\x1b" not in shell("vex", "add", file).out
    assert "\x1b" not in shell("vex", "list").out


def test_refuses_the_same_document_twice(shell, file):
    assert 0 == shell("vex", "add", file).code
    done = shell("vex", "add", file)
    assert 3 == done.code
    assert "already let in" in done.err


def test_refuses_what_is_no_document(shell):
    assert 2 == shell("vex", "add", shell.file("x.json", "{}")).code
    assert 3 == shell("vex", "add", "/no/such").code
    assert 3 == shell("vex", "remove", "sha256:" + 64 * "0").code
    assert 2 == shell("vex", "remove", "yesterday").code
