"""Debian's database is read as dpkg reads it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.scan.system import dpkg
from seawall.scan.system.dpkg import Package


def stanza(**fields: str) -> bytes:
    known = {
        "Package": "foo",
        "Status": "install ok installed",
        "Architecture": "amd64",
        "Version": "1.0-1",
    }
    known |= {key.replace("_", "-"): value for key, value in fields.items()}
    return "".join(f"{key}: {value}\n" for key, value in known.items() if value).encode() + b"\n"


def one(**fields: str) -> Package:
    found = dpkg.parse_status(stanza(**fields))
    assert 1 == len(found.packages)
    assert 0 == found.refused
    return found.packages[0]


def test_source_and_its_version_default_to_the_binary() -> None:
    assert Package("foo", "1.0-1", "amd64", "foo", "1.0-1") == one()


def test_source_version_differs_after_a_rebuild_and_with_an_epoch() -> None:
    package = one(Version="1.0-1+b3", Source="src (1.0-1)")
    assert ("src", "1.0-1") == (package.source_name, package.source_version)
    package = one(Version="2:1.0-1", Source="src (1:0.9-2)")
    assert ("src", "1:0.9-2") == (package.source_name, package.source_version)


def test_a_rebuild_without_a_source_version_is_of_the_version_without_the_suffix() -> None:
    package = one(Version="1.0-1+b12")
    assert ("1.0-1+b12", "1.0-1") == (package.version, package.source_version)


@pytest.mark.parametrize("status", ["install ok triggers-pending", "hold ok installed"])
def test_usable_packages_count(status: str) -> None:
    assert "foo" == one(Status=status).name


@pytest.mark.parametrize(
    "status",
    [
        "deinstall ok config-files",
        "install ok half-installed",
        "install ok unpacked",
        "purge ok not-installed",
        "installed",
        "",
    ],
)
def test_what_is_not_installed_does_not_count(status: str) -> None:
    assert dpkg.Packages(()) == dpkg.parse_status(stanza(Status=status))


def test_a_file_of_status_d_needs_no_status() -> None:
    found = dpkg.parse_status(stanza(Status=""), is_status_required=False)
    assert ["foo"] == [package.name for package in found.packages]


def test_the_same_package_of_two_architectures_is_two() -> None:
    content = stanza(Architecture="amd64") + stanza(Architecture="i386")
    found = dpkg.parse_status(content).packages
    assert ["amd64", "i386"] == [package.architecture for package in found]


def test_field_names_ignore_case_and_continuation_lines_are_no_fields() -> None:
    content = (
        b"PACKAGE: foo\nstatus: install ok installed\nversion: 1\nDescription: x\n Version: 9\n"
    )
    assert "1" == dpkg.parse_status(content).packages[0].version


def test_the_first_of_two_fields_counts() -> None:
    content = stanza().rstrip(b"\n") + b"\nVersion: 99\n"
    assert "1.0-1" == dpkg.parse_status(content).packages[0].version


@pytest.mark.parametrize(
    "fields",
    [
        {"Package": "a b"},
        {"Package": "../x"},
        {"Version": "1 2"},
        {"Version": "<b>"},
        {"Version": ""},
        {"Source": "x (1"},
        {"Source": "x (1) y"},
        {"Architecture": "a/b"},
    ],
)
def test_refuses_and_counts_what_breaks_the_grammar(fields: dict[str, str]) -> None:
    found = dpkg.parse_status(stanza(**fields) + stanza())
    assert (1, 1) == (len(found.packages), found.refused)


@given(st.binary(max_size=500))
def test_any_bytes_parse(content: bytes) -> None:
    dpkg.parse_status(content)
    dpkg.files_in_list(content)
    dpkg.sums_of(content)


@given(
    st.lists(st.sampled_from([b"Package: a\n", b"Version:", b" ", b"\n", b"Status: ", b"(", b"x"]))
)
def test_any_order_of_parts_parses(parts: list[bytes]) -> None:
    dpkg.parse_status(b"".join(parts))


def test_lists_and_sums_are_relative_to_the_root() -> None:
    assert ["usr", "usr/bin/foo"] == dpkg.files_in_list(b"/.\n/usr\n/usr/bin/foo\n")
    md5 = "01" * 16
    sums = dpkg.sums_of(f"{md5}  usr/bin/foo\n{md5} *./usr/x y\nrubbish\n".encode())
    assert [("usr/bin/foo", b"\1" * 16), ("usr/x y", b"\1" * 16)] == sums


def test_diversions_lead_from_the_new_place_to_the_old_one() -> None:
    text = b"/bin/sh\n/bin/sh.distrib\ndash\n/usr/bin/x\n/usr/bin/x.real\n:\n/cut\n"
    assert {"bin/sh.distrib": "bin/sh", "usr/bin/x.real": "usr/bin/x"} == dpkg.diversions(text)
    assert {} == dpkg.diversions(b"relative\nalso\nx\n")


def test_refuses_more_diversions_than_a_system_has() -> None:
    many = b"/a\n/b\nc\n" * (dpkg.MAX_DIVERSIONS + 1)
    assert 1 == len(dpkg.diversions(many))
    each = b"".join(b"/a%d\n/b%d\nc\n" % (n, n) for n in range(dpkg.MAX_DIVERSIONS + 5))
    assert len(dpkg.diversions(each)) <= dpkg.MAX_DIVERSIONS + 1


def test_the_package_of_a_list_has_no_architecture() -> None:
    assert "libc6" == dpkg.package_of("libc6:amd64.list")
    assert "g++" == dpkg.package_of("g++.md5sums")


@pytest.mark.interop
def test_agrees_with_dpkg_on_this_machine() -> None:
    status = Path("/var/lib/dpkg/status")
    if not status.is_file():
        pytest.skip("needs a Debian machine")
    show = (
        "${db:Status-Status} ${Package} ${Version} ${Architecture} "
        "${source:Package} ${source:Version}\n"
    )
    command = ["dpkg-query", "-W", "-f", show]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    expected = {tuple(line.split()[1:]) for line in lines if line.startswith("installed ")}
    found = dpkg.parse_status(status.read_bytes())
    assert 0 == found.refused
    assert expected == {
        (p.name, p.version, p.architecture, p.source_name, p.source_version) for p in found.packages
    }
