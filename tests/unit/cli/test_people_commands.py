"""`seawall user`, `grant` and `client`: who there is, what they may, and their certificates."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

PASSWORD = "a long enough password\n"


@pytest.fixture
def people(shell):
    """The shell, with a user alice beside the administrator."""
    done = shell("user", "add", "alice", "--password-file", shell.file("pw", PASSWORD))
    assert (0, "added alice\n") == (done.code, done.out)
    return shell


def test_users_are_listed_with_what_they_are(people):
    people("user", "add", "boss", "--administrator", "--password-file", "pw")
    people("user", "disable", "alice")
    listed = {line["name"]: line for line in people("user", "list", "--json").lines()}
    assert {"admin", "alice", "boss"} == set(listed)
    assert listed["alice"]["is_disabled"]
    assert listed["boss"]["is_administrator"]
    assert "alice                    disabled\n" in people("user", "list").out
    people("user", "enable", "alice")
    assert "disabled" not in people("user", "list").out


def test_a_new_password_is_set_from_a_file(people):
    done = people("user", "password", "alice", "--password-file", people.file("n", PASSWORD * 2))
    assert 0 == done.code
    assert "their sessions have ended" in done.out


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("user", "add", "Bob", "--password-file", "pw"), 2, "cannot be the name of a user"),
        (("user", "add", "bob", "--password-file", "short"), 2, "fewer than 12 characters"),
        (("user", "add", "bob", "--password-file", "nothing"), 3, "cannot read nothing"),
        (("user", "add", "bob", "--password-file", "bytes"), 2, "is not text"),
        (("user", "add", "bob"), 2, "--password-file FILE"),
        (("user", "add", "alice", "--password-file", "pw"), 3, "a user called alice exists"),
        (("user", "password", "nobody", "--password-file", "pw"), 3, "no user called 'nobody'"),
        (("user", "disable", "nobody"), 3, "no user called 'nobody'"),
        (("user", "enable", "nobody"), 3, "no user called 'nobody'"),
        (("user", "disable", "admin"), 3, "make another one first"),
        (("grant", "give", "fly", "alice", "team/*"), 2, "name pull, push or delete"),
        (("grant", "give", "", "alice", "team/*"), 2, "name pull, push or delete"),
        (("grant", "give", "pull", "nobody", "team/*"), 3, "create the user first"),
        (("grant", "give", "pull", "alice", "TEAM"), 2, "write a name such as team/app"),
        (("grant", "take", "alice", "team/*"), 3, "has no grant on"),
        (("client", "issue", "nobody"), 3, "no user called 'nobody'"),
        (("client", "issue", "alice", "--days", "0"), 2, "use --days 1 to 366"),
        (("client", "issue", "alice", "--days", "1000000000000"), 2, "use --days 1 to 366"),
        (("client", "issue", "alice", "--output", "pw/x"), 3, "pw/x"),
        (("client", "revoke", "12"), 3, "no client certificate has the serial '12'"),
        (("client", "revoke", ""), 3, "no client certificate"),
    ],
)
def test_refuses_what_cannot_be_and_changes_nothing(people, words, code, why):
    people.file("short", "short\n")
    people.file("bytes", b"\xff\xfe\n")
    before = people("audit", "head").out
    done = people(*words)
    assert (code, "") == (done.code, done.out), done.err
    assert why in done.err
    if words[:2] != ("client", "issue") or "pw/x" not in words:
        assert before == people("audit", "head").out


def test_grants_are_given_listed_and_taken(people):
    assert (
        "alice may push,pull team/*\n"
        == people("grant", "give", "push,pull", "alice", "team/*").out
    )
    people("grant", "give", "pull", "anonymous", "public/**")
    assert [
        {"subject": "alice", "pattern": "team/*", "actions": ["pull", "push"]},
        {"subject": "anonymous", "pattern": "public/**", "actions": ["pull"]},
    ] == people("grant", "list", "--json").lines()
    assert 0 == people("grant", "take", "alice", "team/*").code
    assert ["anonymous"] == [line["subject"] for line in people("grant", "list", "--json").lines()]


def test_a_certificate_comes_with_the_commands_that_use_it(people):
    done = people("client", "issue", "alice")
    assert 0 == done.code, done.err
    folder = people.home / "seawall-alice"
    assert {"ca.pem", "cert.pem", "key.pem"} == {path.name for path in folder.iterdir()}
    assert 0 == stat.S_IMODE((folder / "key.pem").stat().st_mode) & 0o077
    assert "docker context create seawall --docker host=tcp://localhost:2376,ca=" in done.out
    assert f"DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH={folder}" in done.out
    told = json.loads(people("client", "issue", "alice", "--output", "other", "--json").out)
    assert ("alice", "tcp://localhost:2376") == (told["user"], told["address"])
    assert Path(told["folder"]).is_absolute()


def test_a_certificate_can_be_revoked_by_the_serial_that_the_list_shows(people):
    people("client", "issue", "alice")
    (listed,) = people("client", "list", "--json").lines()
    assert ("alice", False) == (listed["user"], listed["is_revoked"])
    assert 0 == people("client", "revoke", listed["serial"]).code
    assert people("client", "list", "--json").lines()[0]["is_revoked"]
    assert "revoked" in people("client", "list").out


def test_every_change_stands_in_the_log_with_the_login_at_the_shell(people):
    people("grant", "give", "pull", "alice", "team/*")
    people("client", "issue", "alice")
    newest = people("audit", "--limit", "3", "--json").lines()
    assert ["UserCreated", "GrantAdded", "ClientCertificateIssued"] == [
        line["event"] for line in newest
    ]
    assert all(str(line["actor"]).startswith("operator:") for line in newest)
