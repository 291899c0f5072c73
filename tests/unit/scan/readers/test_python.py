"""Python distributions are read as the packaging standards write them."""

from __future__ import annotations

import importlib.metadata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from seawall.scan.readers import python
from seawall.scan.readers.python import Metadata

PATH = "site/Foo.Bar-1.2.dist-info/METADATA"


def parse(text: str, path: str = PATH) -> Metadata | None:
    return python.parse(text.encode(), path)


def test_names_are_normalised_and_versions_kept() -> None:
    assert Metadata("foo-bar", "1.2") == parse(
        "Metadata-Version: 2.1\nName: Foo._Bar\nVersion: 1.2\n"
    )
    assert Metadata("foo", "3.7.3+dfsg") == parse("Name: foo\nVersion: 3.7.3+dfsg\n")


@pytest.mark.parametrize(
    ("path", "name", "version"),
    [
        ("x/Foo_Bar-1.2.dist-info/METADATA", "foo-bar", "1.2"),
        ("x/foo-bar-1.2-py3.9.egg-info", "foo-bar", "1.2"),
        ("x/foo-1!2.0.post1-py3.11-linux-x86_64.egg-info/PKG-INFO", "foo", "1!2.0.post1"),
    ],
)
def test_the_folder_tells_what_the_file_leaves_out(path: str, name: str, version: str) -> None:
    assert Metadata(name, version) == parse("Name: UNKNOWN\n", path)


def test_fields_after_the_first_empty_line_are_text() -> None:
    assert Metadata("foo", "1") == parse("Name: foo\nVersion: 1\n\nName: bar\nLicense: MIT\n")


@pytest.mark.parametrize(
    "text", ["Name: foo\n", "Version: 1\n", "", "Name: a b\nVersion: 1", "Name: a\nVersion: 1 2"]
)
def test_refuses_what_has_no_valid_name_and_version(text: str) -> None:
    assert parse(text, "x/foo.egg-info/PKG-INFO") is None


@pytest.mark.parametrize(
    ("fields", "licenses"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: x", ("MIT OR Apache-2.0",)),
        (
            "License: BSD-3-Clause\nClassifier: License :: OSI Approved :: MIT License",
            ("BSD-3-Clause",),
        ),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License", ("MIT",)),
        ("License: " + "long text " * 50, ()),
        ("Classifier: License :: OSI Approved", ()),
    ],
)
def test_licenses(fields: str, licenses: tuple[str, ...]) -> None:
    assert Metadata("foo", "1", licenses) == parse(f"Name: foo\nVersion: 1\n{fields}\n")


@given(st.text(st.sampled_from("aB1.-_"), min_size=1, max_size=20))
def test_normalises_as_packaging_does(name: str) -> None:
    assert canonicalize_name(name) == python.normalise(name)


@given(st.binary(max_size=300), st.text(max_size=60))
def test_any_bytes_parse(content: bytes, path: str) -> None:
    python.parse(content, path)
    python.parse(b"Name: " + content + b"\nVersion: 1", path)


def test_agrees_with_the_standard_library_on_this_environment() -> None:
    seen = 0
    for distribution in importlib.metadata.distributions():
        text = distribution.read_text("METADATA")
        if text is None:
            continue
        found = python.parse(text.encode(), PATH)
        assert found is not None
        expected = (canonicalize_name(distribution.metadata["Name"]), distribution.version)
        assert expected == (found.name, found.version)
        seen += 1
    assert seen > 10
