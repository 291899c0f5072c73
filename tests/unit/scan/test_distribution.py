"""The distribution is known by os-release, and by what there was before it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.scan import distribution


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("os-release", "ID=\"ol\"\nVERSION_ID='9.3'\n", ("ol", "9.3", "")),
        (
            "lsb-release",
            "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=14.04\nDISTRIB_CODENAME=trusty\n",
            ("ubuntu", "14.04", "trusty"),
        ),
        ("alpine-release", "3.11.5\n", ("alpine", "3.11.5", "")),
        ("redhat-release", "CentOS Linux release 7.9.2009 (Core)\n", ("centos", "7.9.2009", "")),
        ("redhat-release", "CentOS release 6.10 (Final)\n", ("centos", "6.10", "")),
        (
            "redhat-release",
            "Red Hat Enterprise Linux Server release 6.10 (Santiago)\n",
            ("rhel", "6.10", ""),
        ),
        ("redhat-release", "Red Hat Enterprise Linux release 9.2 (Plow)", ("rhel", "9.2", "")),
        ("system-release", "Amazon Linux AMI release 2018.03", ("amzn", "2018.03", "")),
        ("system-release", "Amazon Linux release 2 (Karoo)", ("amzn", "2", "")),
        ("redhat-release", "Rocky Linux release 8.8 (Green Obsidian)", ("rocky", "8.8", "")),
        ("redhat-release", "AlmaLinux release 9.4 (Seafoam Ocelot)", ("almalinux", "9.4", "")),
        ("fedora-release", "Fedora release 39 (Thirty Nine)", ("fedora", "39", "")),
        (
            "SuSE-release",
            "SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4\n",
            ("sles", "11.4", ""),
        ),
        ("debian_version", "10.3\n", ("debian", "10", "")),
        ("debian_version", "bookworm/sid\n", ("debian", "", "bookworm")),
        ("arch-release", "", ("arch", "", "")),
    ],
)
def test_files_that_name_a_distribution(
    path: str, text: str, expected: tuple[str, str, str]
) -> None:
    found = distribution.parse(text.encode(), f"etc/{path}")
    assert found is not None
    assert expected == (found.id, found.version_id, found.codename)


@given(st.sampled_from(distribution.PATHS), st.binary(max_size=200))
def test_any_bytes_are_a_distribution_or_none(path: str, content: bytes) -> None:
    distribution.parse(content, path)
    distribution.parse(b"CentOS Linux release " + content, path)
