"""What `seawall scan` remembers: an image that it knows costs a look at its manifest."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from seawall.cli import scan_memory
from seawall.testing import images

CRITICAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
STATUS = "Package: libhole\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0-1\n\n"
BASE = images.layer(
    {
        "etc/os-release": b'ID=debian\nVERSION_ID="12"\n',
        "var/lib/dpkg/status": STATUS.encode(),
    }
)
TOP = images.layer({"srv/hello": b"hello"})


def advisory(name: str) -> str:
    record = {
        "id": name,
        "modified": "2026-01-01T00:00:00Z",
        "severity": [{"type": "CVSS_V3", "score": CRITICAL}],
        "affected": [
            {
                "package": {"ecosystem": "Debian:12", "name": "libhole"},
                "ranges": [
                    {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0-1"}]}
                ],
            }
        ],
    }
    return json.dumps(record) + "\n"


def blob(layout: Path, layer: images.Layer) -> Path:
    return layout / "blobs" / "sha256" / layer.digest.hex


@pytest.fixture
def layout(shell) -> Path:
    done = shell("feeds", "import", shell.file("holes.jsonl", advisory("CVE-2026-1")))
    assert 0 == done.code, done.err
    return images.write_layout(shell.home / "layout", images.image(BASE, TOP), tag="1")


@pytest.fixture
def known(shell, layout) -> Path:
    """A layout that was scanned, and whose layers are gone: whoever reads them fails."""
    assert 0 == shell("scan", str(layout)).code
    for layer in (BASE, TOP):
        blob(layout, layer).rename(shell.home / layer.digest.hex)
    return layout


def test_a_known_image_is_answered_without_its_layers(shell, known):
    done = shell("scan", str(known))
    assert 0 == done.code
    assert "CVE-2026-1" in done.out


def test_the_exit_code_is_remembered(shell, layout):
    first = shell("scan", str(layout), "--fail-on", "high")
    second = shell("scan", str(layout), "--fail-on", "high")
    assert (1, 1) == (first.code, second.code)
    assert first.out == second.out


def test_what_is_said_beside_the_answer_is_remembered(newcomer):
    layout = images.write_layout(newcomer.home / "layout", images.image(BASE), tag="1")
    first, second = newcomer("scan", str(layout)), newcomer("scan", str(layout))
    assert "there are no advisories" in first.err
    assert first == second


def test_another_format_is_made_of_the_known_layers(shell, known):
    done = shell("scan", str(known), "--json")
    assert 0 == done.code
    assert ["CVE-2026-1"] == [one["id"] for one in json.loads(done.out)["findings"]]


def test_new_advisories_are_asked_about_a_known_image(shell, known):
    more = advisory("CVE-2026-1") + advisory("CVE-2026-2")
    assert 0 == shell("feeds", "import", shell.file("holes.jsonl", more)).code
    assert "CVE-2026-2" in shell("scan", str(known)).out


def test_an_image_that_shares_a_layer_is_read_where_it_differs(shell, known):
    other = images.layer({"srv/other": b"other"})
    second = images.write_layout(shell.home / "second", images.image(BASE, other), tag="1")
    blob(second, BASE).unlink()
    done = shell("scan", str(second))
    assert 0 == done.code
    assert "CVE-2026-1" in done.out


def test_again_reads_every_layer(shell, known):
    notices = json.loads(shell("scan", str(known), "--json", "--again").out)["inventory"]["notices"]
    assert ["missing-layer"] * 2 == [notice["kind"] for notice in notices]


def test_what_could_not_be_read_is_not_remembered(shell, known):
    assert 0 == shell("scan", str(known), "--again").code
    for layer in (BASE, TOP):
        shutil.copy(shell.home / layer.digest.hex, blob(known, layer))
    report = json.loads(shell("scan", str(known), "--json").out)
    assert not report["is_partial"]


def test_refuses_to_remember_a_layer_whose_bytes_differ(shell, layout):
    wrong = blob(layout, TOP)
    content = bytearray(wrong.read_bytes())
    content[-1] ^= 1
    wrong.write_bytes(content)
    for _ in range(2):
        done = shell("scan", str(layout))
        assert 0 != done.code
        assert "not what the digest says" in done.err


@pytest.mark.parametrize("name", ["layers", "answers"])
@pytest.mark.parametrize("content", [b"", b"{}\n", b'{"bytes": 1}\nxx', b"\xff" * 40, b"[" * 2000])
def test_damaged_memory_is_no_memory(shell, layout, name, content):
    first = shell("scan", str(layout))
    for path in (shell.state / "scan" / name).iterdir():
        path.write_bytes(content)
    if name == "layers":
        shutil.rmtree(shell.state / "scan" / "answers")
    assert first == shell("scan", str(layout))


def test_a_directory_is_never_remembered(shell):
    root = shell.home / "root"
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "etc").mkdir()
    status = root / "var/lib/dpkg/status"
    status.write_text(STATUS)
    times = (1, 1)
    os.utime(status, times)
    assert "1.0-1" in shell("scan", str(root), "--sbom").out
    status.write_text(STATUS.replace("1.0-1", "3.0-1"))
    os.utime(status, times)
    assert "3.0-1" in shell("scan", str(root), "--sbom").out


def test_a_memory_that_cannot_be_written_hinders_nothing(shell, layout):
    (shell.state / "scan").write_text("in the way")
    assert 0 == shell("scan", str(layout)).code


def test_only_its_owner_can_read_the_memory(shell, known):
    modes = {path.stat().st_mode & 0o077 for path in (shell.state / "scan").rglob("*")}
    assert {0} == modes


def test_what_was_used_longest_ago_goes_first(shell, layout, monkeypatch):
    assert 0 == shell("scan", str(layout)).code
    (old,) = (shell.state / "scan/answers").iterdir()
    for path in (shell.state / "scan").rglob("*"):
        os.utime(path, (time.time() - 1000, time.time() - 1000))
    assert 0 == shell("scan", str(layout), "--json").code  # uses the layers
    size = sum(path.stat().st_size for path in (shell.state / "scan/layers").iterdir())
    monkeypatch.setattr(scan_memory, "MAX_BYTES", 2 * size + 20_000)
    assert 0 == shell("scan", str(layout), "--sbom").code
    assert old.exists()
    monkeypatch.setattr(scan_memory, "MAX_BYTES", size + old.stat().st_size)
    assert 0 == shell("scan", str(layout), "--format", "spdx").code
    assert not old.exists()
