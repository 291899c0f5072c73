"""`seawall doctor` without an engine and without `up`: each line says what to do."""

from __future__ import annotations

import pytest

from seawall.cli import doctor
from seawall.core.errors import NotFoundError
from seawall.isolation import probe
from seawall.testing import running

ABOUT = [
    "state", "database", "disk", "seawall up", "pages", "gate", "engine", "trusted keys",
    "advisories", "policy", "jobs", "audit log",
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_engine(shell):
    """No test may find an engine of this machine."""
    (shell.state / "seawall.toml").write_text(f'[engine]\nsocket = "{shell.home}/no.sock"\n')


def test_every_part_has_its_line_and_what_is_not_well_has_its_remedy(shell):
    done = shell("doctor", "--json")
    lines = done.lines()
    assert 1 == done.code
    assert ABOUT == [line["about"] for line in lines]
    for line in lines:
        assert line["seen"]
        assert line["is_well"] is not False or line["remedy"]


@pytest.mark.parametrize(
    "words",
    ["seawall up     does not run", "engine         none answers at unix:",
     "trusted keys   none: nothing runs", "advisories     none: nothing runs",
     "policy         the built-in one", "audit log      whole, 1 ", "→ start it: seawall up"],
)  # fmt: skip
def test_what_is_missing_is_said_with_what_to_do(shell, words):
    assert words in shell("doctor").out


def test_a_policy_with_a_mistake_and_a_changed_log_are_seen(shell):
    (shell.state / "policy.yaml").write_text("x: 1\n")
    said = shell("doctor").out
    assert "NO  policy" in said
    assert "→ seawall policy check" in said


def test_a_feed_that_never_came_is_told_as_that(shell):
    shell("feeds", "update", "Debian", "--url", "http://127.0.0.1:9")
    assert "Debian: 0, never imported; the last attempt failed" in shell("doctor").out


def test_a_feed_and_a_key_are_named(shell):
    feed = shell.file("tests.jsonl", running.advisory("libhole", "2.0-1") + "\n")
    shell("feeds", "import", feed)
    shell("key", "trust", shell.key())
    said = shell("doctor").out
    assert "ok  advisories     tests: 1, imported" in said
    assert "ok  trusted keys   release" in said


def test_without_an_engine_no_container_can_be_proven(shell, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    done = shell("doctor", "--container", "app")
    assert (3, "") == (done.code, done.out)
    assert "no engine answers" in done.err


class FakeDocker:
    """An engine with one container, `app`, whose process is this machine's first."""

    def __init__(self, socket):
        pass

    def inspect(self, container):
        if container != "app":
            raise NotFoundError("the engine does not know it")
        return {"State": {"Pid": 1}, "HostConfig": {"CapAdd": ["KILL"], "PidsLimit": 100}}


@pytest.fixture
def container(monkeypatch):
    monkeypatch.setattr("seawall.engine.docker.Docker", FakeDocker)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(probe, "judge_outside", lambda *_, **__: ())


def test_a_container_that_is_not_there_is_named(shell, container):
    done = shell("doctor", "--container", "other")
    assert 3 == done.code
    assert "the engine has no container other" in done.err
    assert "docker ps" in done.err


@pytest.mark.parametrize("says", ["neither perl nor python3 in this image", ""])
def test_an_image_in_which_nothing_can_be_tried_is_told_as_that(
    shell, container, monkeypatch, says
):
    monkeypatch.setattr(doctor, "_run_bounded", lambda command: (f"{says}\n", ""))
    done = shell("doctor", "--container", "app")
    assert 1 == done.code, "what could not be tried is not proven"
    assert f"nothing could be tried inside: {says or 'nothing came back'}" in done.err
    assert "perl or python3" in done.err


def test_a_container_that_does_not_answer_is_not_waited_for_without_end(monkeypatch):
    monkeypatch.setattr(doctor, "EXEC_SECONDS", 0.05)
    out, err = doctor._run_bounded(["sleep", "60"])
    assert ("", "no answer within 0.05 s") == (out, err)
    assert ("hi\n", "") == doctor._run_bounded(["echo", "hi"])
