"""The databases of rpm are read in each of the three containers it has used."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seawall.scan.model import PackageType
from seawall.scan.path_hashes import pack
from seawall.scan.readers import Unreadable
from seawall.scan.system import Database, rpm
from seawall.testing.rpm_databases import DEMO, berkeley, header, ndb, sqlite

Container = Callable[[list[bytes], Path], bytes]
CONTAINERS: list[Container] = [
    sqlite,
    lambda blobs, folder: sqlite(blobs, folder, 512),
    lambda blobs, _: ndb(blobs),
    lambda blobs, _: berkeley(blobs),
    lambda blobs, _: berkeley(blobs, ">"),
]
IDS = ["sqlite", "sqlite-512", "ndb", "bdb", "bdb-big-endian"]


def read(content: bytes) -> Database:
    return rpm.read(content, "var/lib/rpm/Packages")


@pytest.mark.parametrize("container", CONTAINERS, ids=IDS)
def test_packages_are_read_with_their_source_and_files(
    container: Container, tmp_path: Path
) -> None:
    many = {1000: "many", 1001: "1", 1002: "1", 1117: [f"f{n}" for n in range(2000)]}
    many |= {1116: [0] * 2000, 1118: ["/opt/"]}
    key = header({1000: "gpg-pubkey", 1001: "abc", 1002: "def"})
    found = read(container([header(DEMO), key, header(many)], tmp_path))
    assert ["demo", "many"] == [package.name for package in found.found]
    demo = found.found[0]
    assert PackageType.RPM is demo.type
    assert "2:1.4~rc1-3.el9" == demo.version
    assert ("demo-src", "2:1.4~rc1-3.el9") == (demo.source_name, demo.source_version)
    assert ("x86_64", "Example Ltd", "demo:1.4") == (demo.architecture, demo.vendor, demo.module)
    assert ("MIT",) == demo.licenses
    owned = found.owned[0]
    assert pack(["usr/bin/demo", "usr/share"]) == owned.paths
    assert ("sha256", b"\xab" * 8 + bytes(8)) == (owned.algorithm, owned.sums)
    assert pack(f"opt/f{n}" for n in range(2000)) == found.owned[1].paths
    assert 0 == found.refused


@pytest.mark.parametrize("container", CONTAINERS, ids=IDS)
def test_a_header_that_does_not_parse_is_counted_and_the_others_stand(
    container: Container, tmp_path: Path
) -> None:
    bad = [b"\0\0\0\xff" * 20, header({1000: "x\x1b[2J", 1001: "1", 1002: "1"})]
    found = read(container([*bad, header(DEMO)], tmp_path))
    assert ["demo"] == [package.name for package in found.found]
    assert 2 == found.refused


@pytest.mark.parametrize("content", [b"", b"x" * 600, b"SQLite format 3\0" + bytes(600)])
def test_refuses_what_is_no_database(content: bytes) -> None:
    with pytest.raises(Unreadable):
        read(content)


@pytest.mark.parametrize("container", CONTAINERS, ids=IDS)
def test_any_damage_is_refused_or_read(container: Container, tmp_path: Path) -> None:
    whole = container([header(DEMO)] * 3, tmp_path)

    @given(st.data())
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def damage(data: st.DataObject) -> None:
        content = bytearray(whole)
        for _ in range(data.draw(st.integers(1, 8))):
            at = data.draw(st.integers(0, len(content) - 1))
            content[at] = data.draw(st.integers(0, 255))
        cut = data.draw(st.integers(0, len(content)) | st.just(len(content)))
        try:
            found = read(bytes(content[:cut]))
        except Unreadable:
            return
        assert len(found.found) <= 10

    damage()


def test_a_chain_of_pages_that_loops_ends() -> None:
    content = bytearray(berkeley([header(DEMO) * 20]))
    page = 4096 * 2
    content[page + 16 : page + 20] = (2).to_bytes(4, "little")  # its next is itself
    length = content.index(header(DEMO)[:8])
    assert length
    places = content.find(b"\x03\0\0\0\2\0\0\0")
    content[places + 8 : places + 12] = (1 << 31).to_bytes(4, "little")
    with pytest.raises(Unreadable, match="larger than the file"):
        read(bytes(content))


@pytest.mark.interop
def test_reads_what_rpm_itself_wrote(tmp_path: Path) -> None:
    if not shutil.which("rpmbuild"):
        pytest.skip("rpmbuild is not installed")
    (tmp_path / "demo.spec").write_text(
        "Name: demo\nEpoch: 2\nVersion: 1.4\nRelease: 3\nSummary: x\nLicense: MIT\n"
        "%description\nx\n%install\nmkdir -p %{buildroot}/usr/bin\n"
        "echo hello > %{buildroot}/usr/bin/demo\n%files\n/usr/bin/demo\n"
    )
    build = ["rpmbuild", "-bb", "--define", f"_topdir {tmp_path}/top", f"{tmp_path}/demo.spec"]
    subprocess.run(build, check=True, capture_output=True)
    (package,) = tmp_path.glob("top/RPMS/*/*.rpm")
    install = ["rpm", "--dbpath", str(tmp_path / "db"), "--justdb", "--nodeps", "-i", str(package)]
    subprocess.run(install, check=True, capture_output=True)
    found = read((tmp_path / "db/rpmdb.sqlite").read_bytes())
    assert [("demo", "2:1.4-3", "demo")] == [
        (each.name, each.version, each.source_name) for each in found.found
    ]
    assert pack(["usr/bin/demo"]) == found.owned[0].paths
