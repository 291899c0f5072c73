"""Version orders against the field's own comparisons, and against dpkg itself."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from seawall.scan import versions
from seawall.scan.versions import debian, pypi

SIGNS = {-1: "<", 0: "=", 1: ">"}


def sign(left: bytes, right: bytes) -> str:
    return SIGNS[(left > right) - (left < right)]


def comparisons(path: Path) -> Iterator[tuple[str, str, str]]:
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith(("#", "//")):
            left, operator, right = line.split()
            yield left, operator, right


@pytest.mark.parametrize(
    ("ecosystem", "file", "at_least"),
    [
        ("Debian", "debian-versions.txt", 25),
        ("Debian", "debian-versions-generated.txt", 14_000),
        ("PyPI", "pypi-versions.txt", 35),
        ("PyPI", "pypi-versions-generated.txt", 12_000),
        ("Alpine", "alpine-versions.txt", 700),
        ("Alpine", "alpine-versions-generated.txt", 13_000),
        ("AlmaLinux", "redhat-versions.txt", 160),
        ("npm", "semver-versions.txt", 85),
        ("Pub", "pub-versions.txt", 100),
        ("NuGet", "nuget-versions.txt", 35),
        ("CRAN", "cran-versions.txt", 20),
        ("CRAN", "cran-versions-generated.txt", 50),
        ("Hackage", "hackage-versions.txt", 10),
        ("RubyGems", "rubygems-versions.txt", 25),
        ("RubyGems", "rubygems-versions-generated.txt", 4_000),
        ("Packagist", "packagist-versions.txt", 90),
        ("Packagist", "packagist-versions-generated.txt", 10_000),
        ("Maven", "maven-versions.txt", 100),
        ("Maven", "maven-versions-generated.txt", 14_000),
    ],
)
def test_every_comparison_of_the_field_holds(
    shared: Path, ecosystem: str, file: str, at_least: int
) -> None:
    key = versions.ORDERS[ecosystem].key
    lines = list(comparisons(shared / "data/fixtures/version-order" / file))
    wrong = [line for line in lines if line[1] != sign(key(line[0]), key(line[2]))]
    assert [line for line in CIRCLES if line in wrong] == wrong
    assert len(lines) >= at_least


CIRCLES = {
    # What the field says of these contradicts what it says of the versions between them, which
    # stand behind each line: no order of all versions can hold them.
    ("1.0.0-gradle-rework-beta3", "<", "1.0.0.RC7-3"): ("Maven", "1.0.0.RC7-3", "1.0.0"),
    ("2.9.0-1", "<", "2.9.0.RC1"): ("Maven", "2.9.0.RC1", "2.9.0"),
    ("1.1.0-01-glassfish", "<", "1.1.0.Beta1"): ("Maven", "1.1.0.Beta1", "1.1.0"),
    ("1.2.3.#", "=", "1.2.3.1"): ("Packagist", "1.2.3", "1.2.3.1"),
}


@pytest.mark.parametrize("line", CIRCLES, ids=str)
def test_a_line_that_does_not_hold_runs_in_a_circle(line: tuple[str, str, str]) -> None:
    """The two ends of the line are apart on the side of its middle that everybody agrees on."""
    ecosystem, low, middle = CIRCLES[line]
    key = versions.ORDERS[ecosystem].key
    assert key(low) < key(middle)
    if ecosystem == "Maven":
        assert key(middle) < key(line[0]), "a release is before what is built on it"
    else:
        assert key(line[0]) == key(low), "and the field says so"


DEBIAN = st.builds(
    lambda epoch, upstream, revision: epoch + upstream + revision,
    st.sampled_from(["", "0:", "1:", "10:"]),
    st.from_regex(r"[0-9][0-9a-zB.+~]{0,8}", fullmatch=True),
    st.sampled_from(["", "-0", "-1", "-1~deb12u1", "-1+b1", "-~", "-a"]),
)


@pytest.mark.interop
@settings(max_examples=300, deadline=None)
@given(DEBIAN, DEBIAN)
def test_orders_as_dpkg_does(left: str, right: str) -> None:
    if shutil.which("dpkg") is None:
        pytest.skip("needs dpkg, and it is not installed")
    operators = {"<": "lt", "=": "eq", ">": "gt"}
    said = sign(debian.key(left), debian.key(right))
    result = subprocess.run(["dpkg", "--compare-versions", left, operators[said], right])
    assert 0 == result.returncode, (left, said, right)


PEP440 = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "1!"]),
        st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,3}){0,3}", fullmatch=True),
        st.sampled_from(["", "a1", "b2", "rc1", "rc10"]),
        st.sampled_from(["", ".post0", ".post2", "-3"]),
        st.sampled_from(["", ".dev0", ".dev4"]),
        st.sampled_from(["", "+a", "+1", "+a.1", "+1.a", "+cu124"]),
    ),
)


@settings(max_examples=500)
@given(PEP440, PEP440)
def test_orders_as_packaging_does(left: str, right: str) -> None:
    expected = SIGNS[(Version(left) > Version(right)) - (Version(left) < Version(right))]
    assert expected == sign(pypi.key(left), pypi.key(right))


@given(st.sampled_from(sorted(versions.ORDERS)), st.text(max_size=40))
def test_every_text_has_a_key_within_the_bounds(ecosystem: str, text: str) -> None:
    order = versions.ORDERS[ecosystem]
    key = order.key(order.clean(text))
    assert versions.BEFORE_ALL < key < order.after(order.clean(text)) < versions.BEYOND_ALL


@given(st.text(max_size=30))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    assert pypi.clean(text) == pypi.clean(pypi.clean(text))


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ("3.7.3+dfsg", "3.7.3+dfsg"),
        ("3.7.3~dfsg", "3.7.3+dfsg"),
        ("2.6.0-NA", "2.6.0+na"),
        ("4.6.0.stable11", "4.6.0+stable.11"),
        (" 1.0 ", "1.0"),
        ("unknown", "unknown"),
    ],
)
def test_a_distributions_spelling_stands_for_a_valid_version(spelled: str, meant: str) -> None:
    assert meant == pypi.clean(spelled)


def test_a_patched_spelling_sorts_directly_after_its_release() -> None:
    patched = pypi.key(pypi.clean("3.7.3~dfsg"))
    assert pypi.key("3.7.3") < patched < pypi.key("3.7.4.dev0")


def test_local_builds_belong_to_their_release() -> None:
    assert pypi.key("2.6.0") < pypi.key("2.6.0+cu124") < pypi.after("2.6.0") < pypi.key("2.6.1")


def test_digits_without_end_still_compare() -> None:
    huge = "9" * 5_000
    assert debian.key("1") < debian.key(huge) < debian.key(huge + "0")


@pytest.mark.parametrize(
    ("ecosystem", "is_known"),
    [
        ("Debian:12", True),
        ("Debian", True),
        ("PyPI", True),
        ("npm", True),
        ("AlmaLinux:9", True),
        ("GIT", False),
        ("debian", False),
    ],
)
def test_only_listed_ecosystems_have_an_order(ecosystem: str, is_known: bool) -> None:
    assert is_known is (versions.order_of(ecosystem) is not None)
