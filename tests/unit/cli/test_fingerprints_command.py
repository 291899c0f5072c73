"""`seawall fingerprints`: packages are learned, packs are carried signed, scans know by them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seawall.testing import executables, images, packages

TOOL = executables.elf({".text": b"tool" * 300}, build_id=b"\x07" * 20)
CONTROL = "Package: libtool0\nSource: tool\nVersion: 1.0-2+deb12u1\nArchitecture: amd64\n"


@pytest.fixture
def deb(shell) -> str:
    return shell.file("tool.deb", packages.deb(CONTROL, {"usr/bin/tool": TOOL}))


@pytest.fixture
def root(shell) -> str:
    folder = shell.home / "root"
    (folder / "etc").mkdir(parents=True)
    (folder / "etc/os-release").write_text("ID=alpine\nVERSION_ID=3.20.1\n")
    (folder / "opt").mkdir()
    (folder / "opt/copied").write_bytes(TOOL)
    return f"{folder}/"


def components(shell, *words: str) -> list[str]:
    ended = shell("scan", *words, "--json")
    assert 0 == ended.code, ended.err
    return [one["purl"] for one in json.loads(ended.out)["inventory"]["components"]]


def exported(shell, deb: str) -> tuple[str, str]:
    """Return the file and the public key."""
    public = shell.key()
    assert 0 == shell("fingerprints", "learn", deb).code
    phrase = str(shell.home / "phrase")
    ended = shell(
        "fingerprints", "export", "debian-12", "--output", "x.tar",
        "--key", public.replace(".pub", ".key"), "--passphrase-file", phrase,
    )  # fmt: skip
    assert 0 == ended.code, ended.err
    return str(shell.home / "x.tar"), public


def test_a_learned_package_is_known_where_it_was_copied_to(shell, deb, root):
    assert [] == components(shell, root)
    ended = shell("fingerprints", "learn", deb, "--json")
    assert 0 == ended.code, ended.err
    (told,) = ended.lines()
    assert ("debian-12", 1, 1) == (told["name"], told["files"], told["packages"])
    assert ["pkg:deb/debian/libtool0@1.0-2%2Bdeb12u1?arch=amd64&distro=debian-12"] == components(
        shell, root
    )


def test_a_known_image_is_asked_again_after_something_was_learned(shell, deb):
    image = images.image(images.layer({"opt/copied": TOOL}))
    layout = str(images.write_layout(shell.home / "layout", image, tag="1"))
    assert [] == components(shell, layout)
    assert 0 == shell("fingerprints", "learn", deb).code
    assert 1 == len(components(shell, layout))
    assert 0 == shell("fingerprints", "remove", "debian-12").code
    assert [] == components(shell, layout)


def test_packs_are_listed_shown_and_taken_away(shell, deb):
    assert "no fingerprints yet" in shell("fingerprints", "list").err
    assert 0 == shell("fingerprints", "learn", deb, "--name", "mine").code
    (listed,) = shell("fingerprints", "list", "--json").lines()
    assert ("mine", ["debian-12"]) == (listed["name"], listed["distributions"])
    (shown,) = shell("fingerprints", "show", "mine", "--json").lines()
    assert ("libtool0", "tool") == (shown["name"], shown["product"])
    assert 0 == shell("fingerprints", "remove", "mine").code
    assert "" == shell("fingerprints", "list").out
    assert 3 == shell("fingerprints", "remove", "mine").code


def test_bringing_in_and_taking_away_are_events(shell, deb):
    shell("fingerprints", "learn", deb)
    shell("fingerprints", "remove", "debian-12")
    kinds = [one["event"] for one in shell("audit", "--json").lines()]
    assert {"FingerprintsAdded", "FingerprintsRemoved"} <= set(kinds)


def test_a_signed_file_brings_a_pack_to_another_installation(shell, deb, root, tmp_path):
    file, public = exported(shell, deb)
    other = str(tmp_path / "other")
    ended = shell.bare("fingerprints", "import", file, "--key", public, "--json", "--state", other)
    assert 0 == ended.code, ended.err
    (told,) = ended.lines()
    assert ("debian-12", 1) == (told["name"], len(told["signed_by"]))
    assert (
        "distro=debian-12" in shell.bare("scan", root, "--format", "purls", "--state", other).out
        or "libtool0" in shell.bare("scan", root, "--json", "--state", other).out
    )


def test_a_pack_in_a_file_is_used_for_one_scan(shell, deb, root, tmp_path):
    shell("fingerprints", "learn", deb)
    pack = next((shell.state / "fingerprints").glob("*.pack")).rename(tmp_path / "x.pack")
    assert [] == components(shell, root)
    assert 1 == len(components(shell, root, "--fingerprints", str(pack)))


def test_a_folder_is_learned_and_what_does_not_parse_is_told(shell):
    folder = shell.home / "debs"
    folder.mkdir()
    (folder / "good.deb").write_bytes(packages.deb(CONTROL, {"usr/bin/tool": TOOL}))
    (folder / "bad.deb").write_bytes(b"!<arch>\n")
    (folder / "notes.txt").write_bytes(b"not looked at")
    ended = shell("fingerprints", "learn", str(folder))
    assert 0 == ended.code, ended.err
    assert "bad.deb" in ended.err
    assert "notes.txt" not in ended.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["learn", "/no/such"], 3, "there is no /no/such"),
        (["learn", "bad.deb"], 2, "without control.tar"),
        (["learn", "plain.deb"], 2, "--distribution"),
        (["learn", "tool.deb", "--name", "../up"], 2, "not a name"),
        (["learn", "tool.deb", "--distribution", "Debian 12"], 2, "no release"),
        (["learn", "empty.deb"], 2, "no program or library"),
        (["import", "bad.deb"], 2, "--key"),
        (["import", "bad.deb", "--unsafe-unsigned"], 2, "fingerprints export"),
        (["show", "nothing"], 3, "there is no pack"),
        (["export", "nothing"], 3, "there is no pack"),
    ],
)
def test_what_cannot_be_done_is_told_with_a_way_out(shell, deb, words, code, said):
    shell.file("bad.deb", b"!<arch>\n")
    shell.file("empty.deb", packages.deb(CONTROL, {"x": b"text"}))
    plain = CONTROL.replace("+deb12u1", "")
    shell.file("plain.deb", packages.deb(plain, {"usr/bin/tool": TOOL}))
    ended = shell("fingerprints", *words)
    assert code == ended.code, ended.err
    assert said in ended.err


def test_an_image_of_this_installation_takes_no_file(shell):
    ended = shell("scan", "team/app", "--fingerprints", "x.pack")
    assert 2 == ended.code
    assert "fingerprints import" in ended.err


def test_a_broken_pack_stops_no_scan(shell, deb, root):
    shell("fingerprints", "learn", deb)
    (shell.state / "fingerprints" / "broken.pack").write_bytes(b"\x81")
    assert 1 == len(components(shell, root))
    assert "BROKEN" in shell("fingerprints", "list").out
    assert "broken" in shell("scan", root).out


def test_packs_are_private_to_the_installation(shell, deb):
    shell("fingerprints", "learn", deb)
    (path,) = Path(shell.state / "fingerprints").iterdir()
    assert 0o600 == path.stat().st_mode & 0o777
