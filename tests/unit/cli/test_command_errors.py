"""What is wrong ends with the documented code, and the message says what to do; never a traceback.

2: the command line or other input is wrong. 3: it could not be done now.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from seawall.core.secret import Secret
from seawall.trust import keys

IMAGE = "localhost:1/team/app:1"
KEY = ("--key", "release.key", "--passphrase-file", "phrase")

CASES: dict[tuple[str, ...], tuple[int, str]] = {
    ("user", "add", "alice", "--password-file", "huge"): (2, "more than 4096 bytes"),
    ("user", "add", "alice", "--password-file", "."): (3, "cannot read ."),
    ("user", "add", "A B", "--password-file", "phrase"): (2, "use 1 to 64 of"),
    ("client", "issue", "admin", "--days", "-1"): (2, "use --days 1 to 366"),
    ("client", "issue", "admin", "--days", "9" * 30): (2, "use --days 1 to 366"),
    ("client", "issue", "admin", "--days", "x"): (2, "--days"),
    ("client", "issue", "admin", "--output", "phrase"): (3, "phrase: File exists"),
    ("client", "issue", "admin", "--output", "/proc/none"): (3, "/proc/none: No such file"),
    ("key", "trust", "none.pub"): (3, "there is no key file none.pub"),
    ("key", "trust", "phrase"): (2, "give a file with one BEGIN"),
    ("key", "distrust", "none"): (3, "see: seawall key list"),
    ("feeds", "import", "folder"): (3, "folder: Is a directory"),
    ("feeds", "import", "phrase", "--feed", "../x"): (2, "use up to 64"),
    ("sign", IMAGE): (3, "make one: seawall key generate"),
    ("sign", IMAGE, "--key", "none", "--passphrase-file", "phrase"): (3, "there is no key none"),
    ("sign", IMAGE, "--ca", "none", *KEY): (3, "there is no CA file none"),
    ("sign", IMAGE, *KEY): (3, "check the address"),
    ("verify", IMAGE, "--key", "none"): (3, "no key file none"),
    ("verify", IMAGE): (3, "check the address"),
    ("explain", "A B"): (2, "is not a repository name"),
    ("scan", "A B"): (2, "is not a repository name"),
}


@pytest.fixture(scope="module")
def key_files_made():
    """A key pair's files by name: making one takes a while."""
    pair = keys.generate(Secret("correct horse battery"))
    return {"release.key": pair.private_pem, "release.pub": pair.public_pem}


@pytest.fixture
def desk(shell, key_files_made):
    """A shell with some files at hand."""
    shell.file("phrase", "correct horse battery\n")
    shell.file("short", "short\n")
    shell.file("binary", b"\xff\xfe")
    shell.file("huge", "x" * 5000)
    (shell.home / "folder").mkdir()
    for name, content in key_files_made.items():
        shell.file(name, content)
    return shell


@pytest.mark.parametrize("words", CASES, ids=lambda words: " ".join(words)[:60])
def test_an_error_has_its_code_and_says_what_to_do(desk, words):
    code, remedy = CASES[words]
    done = desk(*words)
    assert code == done.code, done.err
    assert remedy in done.err + done.out
    assert "Traceback" not in done.err
    said = [line for line in (done.err + done.out).splitlines() if line.startswith("seawall: ")]
    assert said or words[0] == "feeds" or "usage:" in done.err


def test_a_certificate_that_could_not_be_written_was_not_issued(desk):
    assert 3 == desk("client", "issue", "admin", "--output", "/proc/none").code
    assert "" == desk("client", "list").out


@pytest.mark.parametrize(
    "words",
    [("user", "list"), ("grant", "list"), ("client", "list"), ("key", "list"), ("feeds", "list"),
     ("audit",), ("audit", "verify"), ("scan", "app"), ("explain", "app"), ("doctor",),
     ("verify", IMAGE), ("serve", "web"), ("serve", "gate"), ("serve", "worker")],
    ids=" ".join,
)  # fmt: skip
def test_where_nothing_is_installed_every_command_says_how_to_start(newcomer, tmp_path, words):
    done = newcomer.bare(*words, "--state", str(tmp_path / "none"))
    assert (3, "") == (done.code, done.out)
    assert f"there is no installation in {tmp_path}/none" in done.err
    assert "start one with `seawall up`, or name its directory with --state" in done.err
    assert not (tmp_path / "none").exists(), "looking makes nothing"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("nothing = 1", "nothing"),
        ('[web]\nport = "x"', "port"),
        ("[web]\nport = 70000", "web.port 70000 is not a port"),
        ("[web]\nnames = []", "names must not be empty"),
        ("[workers]\ncount = 0", "workers.count"),
        ("[web", ""),
        ("\xff", ""),
    ],
)
def test_refuses_settings_that_are_not_understood(newcomer, content, why):
    newcomer.state.mkdir()
    (newcomer.state / "seawall.toml").write_text(content, encoding="latin-1")
    for words in (("user", "list"), ("up",), ("audit", "verify")):
        done = newcomer(*words)
        assert (2, "") == (done.code, done.out)
        assert f"{newcomer.state}/seawall.toml" in done.err
        assert why in done.err


def test_a_state_that_is_a_file_is_named(shell):
    done = shell.bare("user", "list", "--state", shell.file("state.txt", ""))
    assert 3 == done.code
    assert "state.txt" in done.err
    assert "Not a directory" in done.err


def test_only_the_owner_may_look(shell, tmp_path):
    """As another user, in a process of its own: root may read everything."""
    for folder in (tmp_path, *tmp_path.parents[:3]):
        if folder.stat().st_uid == 0 and folder != Path("/tmp"):
            folder.chmod(0o755)
    script = (
        "import os, sys\n"
        "from seawall import config\n"
        "from seawall.app import setup\n"
        "from seawall.cli import main, user\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "sys.exit(main.main(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "user", "list", "--state", str(shell.state)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (3, "") == (done.returncode, done.stdout), done.stderr
    assert "Traceback" not in done.stderr
    assert "owner" in done.stderr or "Permission denied" in done.stderr


def test_a_second_up_on_the_same_state_is_refused(shell):
    from seawall.app import lock

    with lock.held(shell.state / "run"):
        done = shell("up")
    assert 3 == done.code
    assert "Traceback" not in done.err
    assert str(shell.state) in done.err
