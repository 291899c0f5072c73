"""Commands run in this process, over an installation that is made once and copied for each test."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from seawall import config
from seawall.app import setup
from seawall.cli import main


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended. An argparse error ends with its code like any other."""

    code: int
    out: str
    err: str

    def lines(self) -> list[dict[str, object]]:
        """Return its output, read as one JSON object a line."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """A person at the shell of the machine; `state` is an installation, `home` theirs."""

    state: Path
    home: Path
    capture: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> Ended:
        """Run a command on the installation."""
        return self.bare(*words, "--state", str(self.state))

    def bare(self, *words: str) -> Ended:
        """Run a command line as it stands."""
        self.capture.readouterr()
        try:
            code = main.main(words)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        said = self.capture.readouterr()
        return Ended(code=code, out=said.out, err=said.err)

    def file(self, name: str, content: str | bytes) -> str:
        """Write a file of theirs; return its path."""
        path = self.home / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def key(self, name: str = "release") -> str:
        """Make a key pair; return the path of the public one."""
        phrase = self.file("phrase", "correct horse battery\n")
        prefix = str(self.home / name)
        made = self("key", "generate", "--output", prefix, "--passphrase-file", phrase)
        assert 0 == made.code, made.err
        return f"{prefix}.pub"


@pytest.fixture(scope="session")
def prepared_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation as `seawall up` leaves it, with its first administrator."""
    state = tmp_path_factory.mktemp("prepared") / "state"
    settings = config.load(str(state))
    setup.make_directories(settings)
    setup.prepare(settings)
    return state


@pytest.fixture
def newcomer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """Somebody at a machine where nothing is installed yet."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("SEAWALL_STATE", "SEAWALL_CONFIG_HOME", "DOCKER_CONFIG", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    return Shell(state=tmp_path / "state", home=home, capture=capsys)


@pytest.fixture
def shell(newcomer: Shell, prepared_state: Path) -> Shell:
    shutil.copytree(prepared_state, newcomer.state)
    return newcomer
