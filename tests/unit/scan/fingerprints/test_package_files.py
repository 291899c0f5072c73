"""Packages of every kind are opened, and tell who they are and which programs they hold."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest

from seawall.core.errors import InvalidInputError
from seawall.scan.fingerprints import archives, learn, releases
from seawall.scan.fingerprints.pack import LearnedFile, LearnedPackage
from seawall.scan.model import PackageType
from seawall.testing import executables, packages

TOOL = executables.elf({".text": b"tool" * 300}, build_id=b"\x07" * 20)
FILES = {"usr/bin/tool": TOOL, "usr/share/doc/tool": b"no program", "usr/bin/script": b"#!/bin/sh"}
CONTROL = "Package: libtool0\nSource: tool (1:1.0-2)\nVersion: 1:1.0-2+b1\nArchitecture: amd64\n"

MADE = [
    ("tool.deb", packages.deb(CONTROL, FILES), (PackageType.DEB, "libtool0", "1:1.0-2+b1", "tool")),
    (
        "tool.apk",
        packages.apk({"pkgname": "tool", "pkgver": "1.0-r2", "origin": "tools"}, FILES),
        (PackageType.APK, "tool", "1.0-r2", "tools"),
    ),
    (
        "tool.rpm",
        packages.rpm(
            {1000: "tool", 1001: "1.0", 1002: "2.el9", 1003: 1, 1022: "x86_64",
             1044: "tools-1.0-2.el9.src.rpm"},
            FILES,
        ),
        (PackageType.RPM, "tool", "1:1.0-2.el9", "tools"),
    ),
    (
        "tool-1.0-py3-none-any.whl",
        packages.wheel("tool", "1.0", FILES),
        (PackageType.PYPI, "tool", "1.0", ""),
    ),
    (
        "tool-1.0.jar",
        packages.jar("org.x", "tool", "1.0", FILES),
        (PackageType.MAVEN, "org.x:tool", "1.0", ""),
    ),
    (
        "tool-1.0.tgz",
        packages.npm("@x/tool", "1.0", FILES),
        (PackageType.NPM, "@x/tool", "1.0", ""),
    ),
    ("tool-1.0.tar.gz", packages.tar_gz(FILES), (PackageType.GENERIC, "tool", "1.0", "")),
]  # fmt: skip


def opened(content: bytes, name: str) -> tuple[LearnedPackage, dict[str, bytes]]:
    package, members = archives.open_package(io.BytesIO(content), name)
    return package, dict(members)


@pytest.mark.parametrize(("name", "content", "expected"), MADE, ids=[each[0] for each in MADE])
def test_a_package_tells_who_it_is_and_yields_its_programs(
    name: str, content: bytes, expected: tuple[str, ...]
) -> None:
    package, members = opened(content, name)
    assert expected == (package.type, package.name, package.version, package.source_name)
    (path,) = members
    assert path.endswith("usr/bin/tool")
    assert TOOL == members[path]


@pytest.mark.interop
def test_a_package_that_dpkg_made_is_opened(tmp_path: Path) -> None:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("there is no dpkg-deb")
    folder = tmp_path / "tool"
    (folder / "DEBIAN").mkdir(parents=True)
    described = f"{CONTROL}Maintainer: us <us@example.org>\nDescription: a tool\n"
    (folder / "DEBIAN/control").write_text(described)
    (folder / "usr/bin").mkdir(parents=True)
    (folder / "usr/bin/tool").write_bytes(TOOL)
    for packing in ("xz", "gzip", "zstd"):
        made = tmp_path / f"{packing}.deb"
        command = ["dpkg-deb", "--root-owner-group", f"-Z{packing}", "-b", str(folder), str(made)]
        subprocess.run(command, check=True, capture_output=True)
        package, members = opened(made.read_bytes(), made.name)
        assert ("libtool0", "1:1.0-2+b1", "1:1.0-2") == (
            package.name, package.version, package.source_version
        )  # fmt: skip
        assert {"usr/bin/tool": TOOL} == members


@pytest.mark.interop
@pytest.mark.parametrize("packing", ["w9.gzdio", "w3.zstdio", "w6.xzdio"])
def test_a_package_that_rpmbuild_made_is_opened(tmp_path: Path, packing: str) -> None:
    if shutil.which("rpmbuild") is None:
        pytest.skip("there is no rpmbuild")
    (tmp_path / "tool").write_bytes(TOOL)
    spec = tmp_path / "tool.spec"
    spec.write_text(
        "Name: tool\nVersion: 1.0\nRelease: 2.fc41\nEpoch: 3\nSummary: x\nLicense: x\n"
        "%define __strip /bin/true\n%define debug_package %{nil}\n"
        f"%define _binary_payload {packing}\n%define _build_id_links none\n"
        "%description\nx\n%install\nmkdir -p %{buildroot}/usr/bin\n"
        f"cp {tmp_path}/tool %{{buildroot}}/usr/bin/tool\n%files\n/usr/bin/tool\n"
    )
    command = ["rpmbuild", "-bb", "--nodeps", f"-D_topdir {tmp_path}/top", str(spec)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert 0 == ended.returncode, ended.stderr[-2000:]
    (made,) = tmp_path.glob("top/RPMS/*/*.rpm")
    package, members = opened(made.read_bytes(), made.name)
    assert ("tool", "3:1.0-2.fc41", "tool") == (package.name, package.version, package.source_name)
    assert "fedora-41" == releases.guess(package)
    assert {"usr/bin/tool": TOOL} == members


@pytest.mark.parametrize(
    ("kind", "version", "expected"),
    [
        (PackageType.DEB, "1.2-3+deb12u4", "debian-12"),
        (PackageType.DEB, "1.2-3~deb13u1", "debian-13"),
        (PackageType.DEB, "1.2-3~bpo11+1", "debian-11"),
        (PackageType.DEB, "1.2-3ubuntu0.22.04.1", "ubuntu-22.04"),
        (PackageType.DEB, "1.2-3", ""),
        (PackageType.RPM, "1.2-3.amzn2023.0.1", "amzn-2023"),
        (PackageType.RPM, "1.2-3.azl3", "azurelinux-3"),
        (PackageType.RPM, "1.2-3.el9", ""),
        (PackageType.APK, "1.2-r3", ""),
    ],
)
def test_the_release_is_told_by_the_version(kind: PackageType, version: str, expected: str) -> None:
    assert expected == releases.guess(LearnedPackage(type=kind, name="x", version=version))


def learned(version: str, distribution: str = "") -> list[LearnedFile]:
    deb = packages.deb(f"Package: x\nVersion: {version}\nArchitecture: all\n", FILES)
    return list(learn.learn(io.BytesIO(deb), "x.deb", distribution=distribution))


def test_packages_without_a_release_have_that_of_the_others() -> None:
    found = releases.completed([*learned("1.0-1+deb12u1"), *learned("2.0-1")])
    assert ["debian-12", "debian-12"] == [each.package.distribution for each in found]
    (told,) = releases.completed(learned("1.0-1+deb11u1", "debian-12"))
    assert "debian-12" == told.package.distribution


def test_refuses_packages_whose_release_is_not_clear() -> None:
    for files in (learned("1.0-1"), [*learned("1.0-1+deb12u1"), *learned("1.0-1+deb13u1")]):
        with pytest.raises(InvalidInputError, match="not clear") as raised:
            releases.completed(files)
        assert "--distribution" in raised.value.remedy
