"""`seawall log` against a real web process: verify, watch, witness, and the alarms of each."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from seawall.core import actor
from seawall.core.secret import Secret
from seawall.flows.transparency import Submission
from seawall.oci.names import RepositoryName
from seawall.testing import logs, signatures
from seawall.testing.installations import Installation, installation
from seawall.trust import key_files, keys

PHRASE = "correct horse battery"
OURS, STRANGER = signatures.new_key(), signatures.new_key()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    house: Installation
    home: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{self.house.web_port}"

    def enter(self, key: keys.PrivateKey, tag: str) -> None:
        """Enter a signature, as the door does."""
        envelope = logs.envelope(key, f"h.example/team/app:{tag}")
        asked = Submission(
            repository=RepositoryName("team/app"), tag=None, envelope=envelope, signer=key.public
        )
        with self.house.rooms() as house:
            house.logging.submit(asked, actor=actor.user("ci"))

    def log(self, action: str, *more: str, remote: bool = True) -> subprocess.CompletedProcess[str]:
        (self.home / "password").write_text(self.house.password + "\n")
        where = (
            "--url", self.url, "--ca", str(self.house.settings.server_authority),
            "--user", "admin", "--password-file", str(self.home / "password"),
        ) if remote else ()  # fmt: skip
        return self.house.seawall("log", action, *where, *more)

    def root(self) -> Path:
        path = self.home / "root.json"
        path.write_text(self.log("trusted-root", remote=False).stdout)
        return path


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("SEAWALL_CONFIG_HOME", str(tmp_path / "config"))
    with installation(tmp_path) as house:
        house.prepare()
        bench = Bench(house=house, home=tmp_path)
        for number in range(3):
            bench.enter(OURS, f"v{number}")
        house.serve("web")
        yield bench


def test_a_log_elsewhere_is_believed_only_under_a_key_that_was_given(bench: Bench) -> None:
    asked = bench.log("verify")
    assert 2 == asked.returncode
    assert "--trusted-root" in asked.stderr
    done = bench.log("verify", "--trusted-root", str(bench.root()), "--json")
    assert 0 == done.returncode, done.stderr
    result = json.loads(done.stdout)
    assert (True, 3, None, 0) == tuple(
        result[name] for name in ("is_whole", "size", "seen_before", "hidden")
    )
    again = json.loads(bench.log("verify", "--json").stdout)
    assert 3 == again["seen_before"]


def test_a_log_that_was_put_back_is_an_alarm_here_and_there(bench: Bench) -> None:
    root = bench.root()
    assert 0 == bench.log("verify", remote=False).returncode
    database = bench.house.settings.database
    copy = bench.home / "copy"
    copy.mkdir()
    for served in bench.house._served:
        served.kill()
    for file in database.parent.glob("seawall.sqlite*"):
        shutil.copy(file, copy)
    bench.enter(OURS, "v3")
    bench.house._served[0].start()
    assert 0 == bench.log("verify", "--trusted-root", str(root)).returncode
    assert 0 == bench.log("verify", remote=False).returncode
    for served in bench.house._served:
        served.kill()
    for file in database.parent.glob("seawall.sqlite*"):
        file.unlink()
    for file in copy.iterdir():
        shutil.copy(file, database.parent)
    bench.house._served[0].start()
    for remote in (True, False):
        done = bench.log("verify", remote=remote)
        assert 1 == done.returncode
        assert "ALARM: the log was rewound: it had 4 entries and now has 3" in done.stderr
    bench.enter(STRANGER, "w1")
    bench.enter(STRANGER, "w2")
    done = bench.log("verify", "--json")
    assert 1 == done.returncode
    assert "a fork" in json.loads(done.stdout)["alarm"]


def test_watch_alarms_once_on_a_key_that_is_not_known(bench: Bench) -> None:
    known = bench.home / "ours.pub"
    known.write_bytes(OURS.public.pem)
    words = ("team/*", "--known", str(known), "--once", "--json")
    first = bench.log("watch", *words, "--trusted-root", str(bench.root()))
    assert 0 == first.returncode, first.stderr
    bench.enter(STRANGER, "v9")
    alarmed = bench.log("watch", *words)
    assert 1 == alarmed.returncode
    told = json.loads(alarmed.stdout.splitlines()[0])
    assert (3, "team/app", STRANGER.public.key_id) == (
        told["number"], told["repository"], told["key_id"],
    )  # fmt: skip
    assert 0 == bench.log("watch", *words).returncode
    other = bench.log("watch", "shop/*", "--known", str(known), "--once", remote=False)
    assert 0 == other.returncode, other.stderr


def test_a_witness_cosigns_only_what_grew(bench: Bench) -> None:
    (bench.home / "phrase").write_text(PHRASE + "\n")
    phrase = ("--passphrase-file", str(bench.home / "phrase"))
    key = bench.home / "witness.key"
    made = bench.log("witness-key", "witness.example", "--output", str(key), *phrase, remote=False)
    assert 0 == made.returncode, made.stderr
    words = ("--key", str(key), *phrase, "--once", "--trusted-root", str(bench.root()))
    refused = bench.log("witness", *words)
    assert 3 == refused.returncode
    accepted = bench.log("accept-witness", made.stdout.strip(), remote=False)
    assert 0 == accepted.returncode, accepted.stderr
    done = bench.log("witness", *words)
    assert 0 == done.returncode, done.stderr
    with bench.house.rooms() as house:
        assert 2 == len(house.log.witnessed_checkpoint().signatures)
    assert made.stdout == bench.log("witnesses", remote=False).stdout
    assert 0 == bench.log("drop-witness", "witness.example", remote=False).returncode
    assert "" == bench.log("witnesses", remote=False).stdout


def test_a_log_with_another_key_is_an_alarm(bench: Bench) -> None:
    root = bench.root()
    assert 0 == bench.log("verify", "--trusted-root", str(root)).returncode
    document = json.loads(root.read_text())
    with bench.house.rooms() as house:
        from seawall.trust.log import trusted_roots
        from seawall.trust.log.trusted_roots import TrustedLog

        other = TrustedLog(key=STRANGER.public, name=house.log.trusted.name)
        root.write_bytes(trusted_roots.build(other))
    assert document != json.loads(root.read_text())
    done = bench.log("verify", "--trusted-root", str(root))
    assert 1 == done.returncode
    assert "another key than before" in done.stderr


def test_entries_are_shown_to_people(bench: Bench) -> None:
    done = bench.log("show", remote=False)
    assert 0 == done.returncode, done.stderr
    assert 3 == len(done.stdout.splitlines())
    assert "envelope   team/app by" in done.stdout
    shown = bench.log("show", "--json", "--limit", "1", remote=False)
    assert 2 == json.loads(shown.stdout)["number"]


def test_a_witness_key_file_is_encrypted_and_never_overwritten(tmp_path: Path) -> None:
    from seawall.core.errors import ConflictError, DeniedError
    from seawall.trust.log import witness_keys

    signer = witness_keys.generate("witness.example")
    path = tmp_path / "w.key"
    witness_keys.write(signer, path, Secret(PHRASE))
    assert bytes(signer.key) not in path.read_bytes()
    assert signer.public == witness_keys.read(path, Secret(PHRASE)).public
    with pytest.raises(DeniedError):
        witness_keys.read(path, Secret("another phrase"))
    with pytest.raises(ConflictError):
        witness_keys.write(signer, path, Secret(PHRASE))
    assert key_files.PRIVATE_MODE == path.stat().st_mode & 0o777
