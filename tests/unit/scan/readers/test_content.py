"""Lock files read by lines say what the full parsers of their languages say."""

from __future__ import annotations

import tomllib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from seawall.scan.readers import Unreadable, _content, _licenses
from seawall.scan.readers._content import blocks_of, lines_in, packages_of_toml
from unit.scan.readers.samples import SAMPLES

TOML = [*SAMPLES["Cargo.lock"], *SAMPLES["Python lock file"]]
YAML = [*SAMPLES["pnpm-lock.yaml"], *SAMPLES["pubspec.lock"]]
WORDS = st.text("abcXYZ09._-+", min_size=1, max_size=12)


@pytest.mark.parametrize(("path", "content"), TOML, ids=[path for path, _ in TOML])
def test_toml_as_the_standard_library_reads_it(path: str, content: bytes) -> None:
    document = tomllib.loads(content.decode())
    expected = [
        (package["name"], package["version"])
        for package in document.get("package", document.get("packages"))
    ]
    found = list(packages_of_toml(content.decode()))
    assert expected == [(package["name"], package["version"]) for package in found]


@pytest.mark.parametrize(("path", "content"), YAML, ids=[path for path, _ in YAML])
def test_yaml_as_a_full_parser_reads_it(path: str, content: bytes) -> None:
    expected = yaml.safe_load(content)["packages"]
    found = dict(blocks_of(lines_in(content), "packages"))
    assert list(expected) == list(found)
    for key, fields in found.items():
        for name, value in fields.items():
            if isinstance(expected[key][name], str):
                assert expected[key][name] == value


@given(st.lists(st.fixed_dictionaries({"name": WORDS, "version": WORDS, "source": WORDS})))
def test_any_list_of_packages(packages: list[dict[str, str]]) -> None:
    text = 'version = 3\n\n[metadata]\nname = "no"\n'
    for package in packages:
        text += "\n[[package]]\n" + "".join(f'{key} = "{package[key]}"\n' for key in package)
        text += 'dependencies = [\n "x",\n]\n\n[package.extras]\nname = "no"\n'
    document = tomllib.loads(text)
    expected = [
        {key: package[key] for key in ("name", "version", "source")}
        for package in document.get("package", [])
    ]
    found = [
        {key: package[key] for key in ("name", "version", "source")}
        for package in packages_of_toml(text)
    ]
    assert expected == found


def test_a_text_of_many_lines_is_no_field() -> None:
    text = '[[package]]\nname = "a"\ndescription = """\nversion = "9"\n"""\nversion = "1"\n'
    assert [{"name": "a", "version": "1"}] == list(packages_of_toml(text))


def test_only_line_feeds_end_lines() -> None:
    assert ["a\u2028b\x0cc", "d", ""] == list(_content.lines_of("a\u2028b\x0cc\r\nd\n"))


def test_too_many_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_content, "MAX_LINES", 3)
    with pytest.raises(Unreadable, match="more than 3 lines"):
        list(_content.lines_of("\n" * 5))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The MIT License (MIT)", ("MIT",)),
        ("http://www.apache.org/licenses/LICENSE-2.0.txt", ("Apache-2.0",)),
        ("Apache License, Version 2.0", ("Apache-2.0",)),
        ("MIT OR Apache-2.0", ("MIT OR Apache-2.0",)),
        ("BSD", ("BSD",)),
        ("GPL", ("GPL",)),
        ("GNU General Public License v3 or later (GPLv3+)", ("GPL-3.0-or-later",)),
        ("UNKNOWN", ()),
        ("Copyright " + "x" * 200, ()),
        ("a\nb", ()),
    ],
)
def test_only_texts_with_one_meaning_are_translated(text: str, expected: tuple[str, ...]) -> None:
    assert expected == _licenses.normalise([text])


def test_licences_are_few_and_once() -> None:
    assert ("MIT",) == _licenses.normalise(["MIT", "mit license", None, 1])
    assert _licenses.MAX_LICENSES == len(_licenses.normalise(f"L-{n}" for n in range(1_000)))
