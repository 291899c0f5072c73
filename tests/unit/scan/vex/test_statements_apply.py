"""Which VEX statement holds for which finding, and why another does not."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.scan import vex
from seawall.scan.vex import products
from seawall.scan.vex.model import Document, Product, Statement, Status
from seawall.testing import reports

NAME = "registry.example/team/app:1"
OCI = f"pkg:oci/app@{reports.IMAGE.replace(':', '%3A')}"
LIBSSL = reports.LIBSSL
REPORT = msgspec.structs.replace(reports.full(), suppressed=(), unapplied=())


def said(
    *names: str, status: Status = Status.NOT_AFFECTED, inside: tuple[str, ...] = (), at: str = "1",
    identifier: str = "CVE-2024-2", author: str = "us",
) -> Document:  # fmt: skip
    statement = Statement(
        ids=(identifier,), status=status, at=at, text="because",
        products=(Product(names=names, subcomponents=inside),),
    )  # fmt: skip
    return Document(
        format="openvex", digest=f"{author}{at}", author=author, issued_at=at,
        statements=(statement,),
    )  # fmt: skip


def left(*documents: Document, report=REPORT) -> set[str]:
    """Return the purls that CVE-2024-2 is still found in: libssl3 and openssl at first."""
    applied = vex.apply(report, documents, names=(NAME,))
    assert len(report.findings) == len(applied.findings) + len(applied.suppressed)
    return {one.purl for one in applied.findings if one.id == "CVE-2024-2"}


BOTH = {reports.LIBSSL, reports.OPENSSL}


@pytest.mark.parametrize(
    "name",
    [
        reports.IMAGE,
        OCI,
        f"{OCI}?repository_url=elsewhere.example/x",
        f"registry.example/team/app@{reports.IMAGE}",
        "pkg:oci/app?repository_url=registry.example/team/app",
        "pkg:oci/app?repository_url=registry.example/team/app&tag=1",
        "pkg:oci/app",
        NAME,
        "registry.example/team/app",
    ],
)
def test_a_statement_about_this_image_holds_for_all_of_it(name):
    assert set() == left(said(name))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("sha256:" + 64 * "0", "another digest"),
        ("pkg:oci/app@sha256:" + 64 * "0", "another digest"),
        (f"{NAME}@sha256:{64 * '0'}", "another digest"),
        ("pkg:oci/other", "no name of this image"),
        ("pkg:oci/app?tag=2", "no name of this image"),
        ("pkg:oci/app?repository_url=registry.example/other/app", "no name of this image"),
        ("registry.example/team/app:2", "no name of this image"),
        ("other.example/team/app:1", "no name of this image"),
        ("https://example/product", "no name of this image"),
        ("pkg:deb/debian/zlib1g@1", "not about"),
        ("pkg:deb/debian/libssl3@9", "version 3.0.11-1 is installed"),
        ("pkg:deb/debian/libssl3@3.0.11-1?arch=arm64", "arch=amd64"),
        ("pkg:deb/debian/libssl3?os_name=debian&os_version=11", "distro=debian-12"),
        ("pkg:deb/debian/libssl3?os_name=debian", "distro=debian-12"),
        ("pkg:deb/ubuntu/libssl3@3.0.11-1", "not about"),
        ("pkg:rpm/debian/libssl3", "not about"),
    ],
)
def test_a_statement_about_something_else_is_told_with_the_reason(name, why):
    assert left(said(name)) == BOTH
    applied = vex.apply(REPORT, [said(name)], names=(NAME,))
    assert any(why in text for text in applied.unapplied), applied.unapplied


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (LIBSSL, {reports.OPENSSL}),
        ("pkg:deb/debian/libssl3", {reports.OPENSSL}),
        ("pkg:deb/debian/libssl3?os_name=debian&os_version=12&arch=amd64", {reports.OPENSSL}),
        ("pkg:deb/debian/openssl", set()),  # the source of both
        ("pkg:deb/debian/openssl@3.0.11-1?arch=source", set()),
        ("pkg:deb/debian/openssl?arch=amd64", {reports.LIBSSL}),  # the binary package alone
    ],
)
def test_a_statement_about_a_package_holds_for_it_alone(name, expected):
    assert expected == left(said(name))
    assert expected == left(said(OCI, inside=(name,)))


def test_a_part_of_another_image_says_nothing_about_this_one():
    assert BOTH == left(said("pkg:oci/other", inside=(LIBSSL,)))


def test_an_alias_names_the_same_hole():
    applied = vex.apply(REPORT, [said(OCI, identifier="GHSA-xxxx-yyyy-zzzz")])
    assert "CVE-2024-1" not in {one.id for one in applied.findings}


@pytest.mark.parametrize("status", Status)
def test_only_not_affected_and_fixed_take_a_finding_out(status):
    is_out = status in (Status.NOT_AFFECTED, Status.FIXED)
    assert (set() if is_out else BOTH) == left(said(OCI, status=status))


def test_the_newest_of_equally_narrow_statements_wins():
    first, second = said(OCI, at="1"), said(OCI, at="2", status=Status.AFFECTED)
    assert BOTH == left(first, second) == left(second, first)
    third = said(OCI, at="3", status=Status.FIXED)
    assert set() == left(first, second, third)


def test_of_two_of_one_time_the_careful_one_wins():
    careful = said(OCI, status=Status.UNDER_INVESTIGATION)
    assert BOTH == left(said(OCI), careful) == left(careful, said(OCI))


NARROW_FIRST = [
    said(OCI, inside=(LIBSSL,)),
    said(OCI, inside=("pkg:deb/debian/libssl3",)),
    said(OCI),
    said(NAME, inside=(LIBSSL,)),
    said(NAME),
    said("pkg:oci/app", inside=(LIBSSL,)),
    said("pkg:oci/app"),
    said(LIBSSL),
    said("pkg:deb/debian/libssl3"),
]


@pytest.mark.parametrize("pair", [*itertools.combinations(range(len(NARROW_FIRST)), 2)], ids=str)
def test_a_broader_newer_statement_never_overrides_a_narrower_one(pair):
    narrow, broad = (NARROW_FIRST[at] for at in pair)
    statement = msgspec.structs.replace(broad.statements[0], at="9", status=Status.AFFECTED)
    broader = msgspec.structs.replace(broad, author="them", statements=(statement,))
    applied = vex.apply(REPORT, [narrow, broader], names=(NAME,))
    assert LIBSSL not in {one.purl for one in applied.findings if one.id == "CVE-2024-2"}
    assert any("is newer and broader" in text for text in applied.unapplied)


def test_what_was_taken_out_stays_with_author_reason_and_document():
    (one, _) = vex.apply(REPORT, [said(OCI)]).suppressed
    assert ("not_affected", "because", "us", "us1") == (
        one.status,
        one.reason,
        one.author,
        one.document,
    )


def test_nothing_is_said_about_holes_that_were_not_found():
    applied = vex.apply(REPORT, [said("pkg:oci/other", identifier="CVE-1999-1")])
    assert REPORT == applied


@given(
    st.permutations([said(OCI, at="1"), said(NAME, at="3"), said(OCI, at="2", status=Status.FIXED)])
)
def test_the_order_of_documents_does_not_matter(documents):
    (one, _) = vex.apply(REPORT, documents, names=(NAME,)).suppressed
    assert "fixed" == one.status


@pytest.mark.parametrize(
    ("text", "path", "version"),
    [
        ("pkg:npm/%40babel/core@7.20.12", ("@babel", "core"), "7.20.12"),
        ("pkg:npm/@babel/core", ("@babel", "core"), ""),
        ("pkg:golang/github.com/a/b@v1?type=module#sub", ("github.com", "a", "b"), "v1"),
        ("pkg:pypi/Jinja2@3.1", ("jinja2",), "3.1"),
        ("PKG://deb/Debian/x@1%3A2", ("debian", "x"), "1:2"),
    ],
)
def test_package_urls_are_taken_apart(text, path, version):
    found = products.parse_purl(text)
    assert found is not None
    assert (path, version) == (found.path, found.version)


@given(st.text(max_size=80))
def test_no_text_breaks_the_reading_of_a_product(text):
    image = products.Image(digest=reports.IMAGE, names=(NAME,))
    product = Product(names=(text, f"pkg:{text}"), subcomponents=(text,))
    scope = products.scope_of(product, image, REPORT.findings[0])
    assert isinstance(scope, tuple | str)
