"""Secrets and privileged programs in the files of layers: told where they are, and only there."""

from __future__ import annotations

import hashlib
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.oci import media
from seawall.oci.digest import Digest
from seawall.scan import inventory, misconfiguration
from seawall.scan.image_source import LayerSource
from seawall.scan.model import Inventory, Weakness, WeaknessKind
from seawall.scan.severity import Severity
from seawall.testing import executables
from seawall.testing.images import Entry, Files, layer

TOKEN = "glpat-Zx8Yw7Vu6Ts5Rq4Po3Nm"
OTHER = "glpat-aB1cD2eF3gH4iJ5kL6mN"
TOKEN_FILE = f"url=https://gitlab/?t={TOKEN}\n".encode()
STATUS = "Package: tool\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n"
DPKG: Files = {"var/lib/dpkg/status": STATUS.encode()}
PROGRAM = executables.elf({".text": b"tool" * 300})


def take(*layers: Files) -> Inventory:
    return inventory.take([source(layer(files).content) for files in layers], None)


def source(content: bytes) -> LayerSource:
    return LayerSource(
        digest=str(Digest.of(content)),
        media_type=media.OCI_LAYER_GZIP,
        size=len(content),
        open=lambda: io.BytesIO(content),
    )


def weak(*layers: Files, kind: WeaknessKind = WeaknessKind.SECRET) -> list[Weakness]:
    return [one for one in take(*layers).weaknesses if one.kind is kind]


def rights(*layers: Files) -> list[Weakness]:
    found = weak(*layers, kind=WeaknessKind.CONFIGURATION)
    return [one for one in found if one.path]


def test_a_secret_in_a_file_is_told_with_its_place() -> None:
    image = take({"etc/hosts": b"x"}, {"srv/app/settings.ini": b"[a]\n" + TOKEN_FILE})
    (found,) = image.weaknesses
    assert ("/srv/app/settings.ini", 2, 1) == (found.path, found.line, found.layer_index)
    assert image.layers[1].digest == found.layer
    assert TOKEN not in repr(image)


def test_a_secret_that_a_higher_layer_removes_is_still_in_the_image() -> None:
    (found,) = weak({"root/.token": TOKEN_FILE}, {"etc/x": b""}, {"root/.wh..token": b""})
    assert 0 == found.layer_index
    assert "gone from view in layer 2" in found.evidence


@pytest.mark.parametrize("hiding", [{"root/.wh..wh..opq": b""}, {".wh.root": b""}, {"root": b""}])
def test_however_a_folder_is_hidden_its_secrets_are_told(hiding: Files) -> None:
    (found,) = weak({"root/.token": TOKEN_FILE}, hiding)
    assert "gone from view in layer 1" in found.evidence


def test_a_secret_that_replaces_another_is_told_beside_it() -> None:
    other = TOKEN_FILE.replace(TOKEN.encode(), OTHER.encode())
    both = weak({"root/.token": TOKEN_FILE}, {"root/.token": other})
    assert {0: True, 1: False} == {one.layer_index: "gone" in one.evidence for one in both}


def test_a_file_that_comes_again_tells_its_secret_once() -> None:
    (found,) = weak({"root/.token": TOKEN_FILE}, {"root/.token": TOKEN_FILE})
    assert 1 == found.layer_index
    assert "gone" not in found.evidence


def test_what_a_package_brought_unchanged_is_no_secret() -> None:
    sums = f"{hashlib.md5(TOKEN_FILE, usedforsecurity=False).hexdigest()}  etc/tool.conf\n".encode()
    lists: Files = {
        "var/lib/dpkg/info/tool.list": b"/.\n/etc\n/etc/tool.conf\n",
        "var/lib/dpkg/info/tool.md5sums": sums,
    }
    assert not weak({**DPKG, **lists, "etc/tool.conf": TOKEN_FILE})
    changed = TOKEN_FILE + b"# mine\n"
    assert 1 == len(weak({**DPKG, **lists, "etc/tool.conf": changed}))
    assert 1 == len(
        weak({**DPKG, **lists, "etc/tool.conf": TOKEN_FILE}, {"etc/tool.conf": changed})
    )


def test_a_password_hash_is_told_for_each_user_that_has_one() -> None:
    hashed = b"$6$Nq3kYp0z$Zk1x9vQe8rT7uW6yB5nM4"
    content = b"root:" + hashed + b":19000:0:::::\ndaemon:*:1::::::\nx:!:1::::::\n"
    (found,) = weak({"etc/shadow": content})
    assert ("password-hash", 1) == (found.rule, found.line)
    assert not weak({"etc/shadow": b"root:*:19000:0:99999:7:::\nbin:!*:1::::::\n"})


def test_a_program_of_no_package_with_the_rights_of_root_is_told() -> None:
    (found,) = rights({"opt/tool": Entry(content=PROGRAM, mode=0o4755)})
    assert ("setuid", Severity.HIGH, "/opt/tool", 0) == (
        found.rule, found.severity, found.path, found.layer_index
    )  # fmt: skip


def test_what_packages_bring_so_is_told_only_where_it_is_unusual() -> None:
    listed: Files = {"var/lib/dpkg/info/tool.list": b"/.\n/usr/bin/su\n/usr/bin/odd\n"}
    su, odd = (Entry(content=PROGRAM, mode=mode) for mode in (0o4755, 0o4755))
    (found,) = rights({**DPKG, **listed, "usr/bin/su": su, "usr/bin/odd": odd})
    assert ("/usr/bin/odd", Severity.MEDIUM) == (found.path, found.severity)
    assert "of tool" in found.evidence
    (taken,) = rights({**DPKG, **listed, "usr/bin/su": su}, {"usr/bin/su": su})
    assert ("/usr/bin/su", Severity.HIGH, 1) == (taken.path, taken.severity, taken.layer_index)


def test_a_right_that_a_higher_layer_takes_away_is_not_told() -> None:
    low: Files = {"opt/tool": Entry(content=PROGRAM, mode=0o4755)}
    assert not rights(low, {"opt/tool": Entry(content=PROGRAM, mode=0o755)})
    assert not rights(low, {"opt/.wh.tool": b""})


def test_capabilities_of_a_file_are_told_by_name() -> None:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("usr/bin/python3")
        entry.size, entry.mode = len(PROGRAM), 0o755
        attribute = "\1\0\0\2" + "\0\0\x20\0" + "\0" * 12
        entry.pax_headers = {"SCHILY.xattr.security.capability": attribute}
        archive.addfile(entry, io.BytesIO(PROGRAM))
    one = source(body.getvalue())
    (found,) = inventory.take([one], None).weaknesses
    assert ("file-capabilities", Severity.HIGH) == (found.rule, found.severity)
    assert "cap_sys_admin" in found.evidence


@given(st.binary(max_size=70), st.integers(0, 0o177777))
def test_no_attribute_and_no_mode_breaks_the_reader(attribute: bytes, mode: int) -> None:
    misconfiguration.of_mode("opt/x", mode, attribute)
