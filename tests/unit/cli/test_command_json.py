"""`--json` is there wherever something is shown, and parses; people's output says the same."""

from __future__ import annotations

import json
import shutil
import ssl

import pytest

from seawall.cli import main
from seawall.core.secret import Secret
from seawall.trust import keys


@pytest.fixture(scope="module")
def filled_once(prepared_state, tmp_path_factory):
    """A folder with an installation that has one of everything, and with the files it was given."""
    folder = tmp_path_factory.mktemp("filled")
    state = folder / "state"
    shutil.copytree(prepared_state, state)
    pair = keys.generate(Secret("correct horse battery"))
    (folder / "release.pub").write_bytes(pair.public_pem)
    (folder / "phrase").write_text("correct horse battery\n")
    (folder / "holes.jsonl").write_text('{"id": "X-1", "modified": "2026-01-01T00:00:00Z"}\n')
    for words in (
        ("user", "add", "alice", "--password-file", f"{folder}/phrase"),
        ("grant", "give", "pull,push", "alice", "team/*"),
        ("client", "issue", "alice", "--output", f"{folder}/bundle"),
        ("key", "trust", f"{folder}/release.pub", "--for", "team/*"),
        ("feeds", "import", f"{folder}/holes.jsonl"),
    ):
        assert 0 == main.main([*words, "--state", str(state)])
    return folder


@pytest.fixture
def filled(shell, filled_once):
    """A shell whose installation has one of everything."""
    shutil.rmtree(shell.state)
    shutil.copytree(filled_once / "state", shell.state)
    shutil.copy(filled_once / "holes.jsonl", shell.home)
    return shell


def test_an_issued_certificate_says_where_it_is_and_how_to_use_it(filled):
    told = json.loads(filled("client", "issue", "admin", "--output", "mine", "--json").out)
    folder = filled.home / "mine"
    expected = {"user": "admin", "folder": str(folder), "address": "tcp://localhost:2376"}
    assert expected == told
    assert 0o700 == folder.stat().st_mode & 0o777
    for name in ("ca.pem", "cert.pem", "key.pem"):
        assert 0o600 == (folder / name).stat().st_mode & 0o777
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    said = filled("client", "issue", "admin").out
    assert f"DOCKER_CERT_PATH={filled.home}/seawall-admin" in said
    assert "docker context create seawall --docker host=tcp://localhost:2376," in said


def test_keys_are_listed(filled):
    (one,) = filled("key", "list", "--json").lines()
    assert ("release", ["team/*"]) == (one["name"], one["patterns"])
    assert one == json.loads(filled("key", "distrust", one["key_id"][:8], "--json").out)
    assert "" == filled("key", "list").out


def test_the_doctor_tells_every_check_with_its_remedy(filled):
    done = filled("doctor", "--json")
    checks = {one["about"]: one for one in done.lines()}
    assert 1 == done.code
    assert not checks["seawall up"]["is_well"]
    assert "seawall up" in checks["seawall up"]["remedy"]
    assert checks["audit log"]["is_well"]
    shown = filled("doctor")
    assert 1 == shown.code
    for about in checks:
        assert about in shown.out
    assert "→" in shown.out
