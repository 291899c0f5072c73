"""Lock files of Node are read in one pass, however large or wrong they are."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.scan.readers import Unreadable, _json_stream, node_lock

REGISTRY: Final = "https://registry.example"
WANTED: Final = frozenset({"version", "dev"})


def raw(document: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(document, ensure_ascii=False).encode())


def found(document: object) -> list[tuple[str, str]]:
    content = json.dumps(document).encode()
    return [(one.name, one.version) for one in node_lock.read_package_lock(content, "")]


def test_places_are_preferred_to_the_tree_that_repeats_them() -> None:
    lock = {
        "dependencies": {"old": {"version": "1.0.0"}},
        "packages": {
            "": {"name": "app", "version": "9.9.9"},
            "node_modules/a": {"version": "1.0.0", "resolved": f"{REGISTRY}/a/-/a-1.0.0.tgz"},
            "node_modules/a/node_modules/@b/c": {"version": "2.0.0", "dependencies": {"x": "^1"}},
            "node_modules/alias": {"name": "true-name", "version": "3.0.0"},
            "node_modules/dev": {"version": "1.0.0", "dev": True},
            "node_modules/link": {"resolved": "packages/link", "link": True},
            "node_modules/git": {"version": "1.0.0", "resolved": "git+ssh://git@example.org/x"},
        },
    }
    assert [("@b/c", "2.0.0"), ("a", "1.0.0"), ("true-name", "3.0.0")] == found(lock)


def test_a_tree_is_read_however_deep() -> None:
    tree: dict[str, object] = {}
    for number in range(200):
        tree = {f"p{number}": {"requires": {"q": "1"}, "dependencies": tree, "version": "1.0.0"}}
    assert 200 == len(found({"dependencies": tree}))


@pytest.mark.parametrize("section", ["null", "{}"])
def test_an_empty_section_names_nothing(section: str) -> None:
    content = f'{{"packages": {section}, "dependencies": {section}}}'.encode()
    assert () == node_lock.read_package_lock(content, "")
    assert () == node_lock.read_bun_lock(content, "")


@pytest.mark.parametrize("section", ["[]", "3", '"packages"', "true"])
def test_refuses_a_section_of_another_kind(section: str) -> None:
    for content in (f'{{"packages": {section}}}', f'{{"dependencies": {section}}}'):
        with pytest.raises(Unreadable):
            node_lock.read_package_lock(content.encode(), "")


texts = st.text(max_size=5)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), texts)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)
members = st.dictionaries(st.sampled_from(["version", "dev", "other"]), values, max_size=3)


@given(st.dictionaries(texts, members | values, max_size=4))
def test_the_stream_gives_what_a_whole_parser_gives(section: dict[str, object]) -> None:
    expected = [
        {"": key} | {k: v for k, v in value.items() if k in WANTED and isinstance(v, bool | str)}
        for key, value in section.items()
        if isinstance(value, dict)
    ]
    assert expected == list(_json_stream.members_of(raw(section), WANTED))


@given(st.dictionaries(texts, st.lists(values, max_size=3) | values, max_size=4))
def test_the_stream_gives_the_first_texts_of_lists(section: dict[str, object]) -> None:
    expected = [
        value[0]
        for value in section.values()
        if isinstance(value, list) and value and isinstance(value[0], str)
    ]
    assert expected == list(_json_stream.heads_of(raw(section)))


objects = st.dictionaries(texts, values, max_size=3)


@given(st.lists(objects, max_size=4) | st.dictionaries(texts, objects, max_size=4))
def test_the_stream_gives_items_as_they_stand(section: list[object] | dict[str, object]) -> None:
    expected = list(section.values()) if isinstance(section, dict) else section
    assert expected == [json.loads(bytes(item)) for item in _json_stream.items_of(raw(section))]


@pytest.mark.parametrize("section", ["3", "[3]", "[[]]", '{"a": []}', '"x"', '[{}, "x"]'])
def test_refuses_items_that_are_no_objects(section: str) -> None:
    with pytest.raises(Unreadable):
        list(_json_stream.items_of(msgspec.Raw(section.encode())))


def test_refuses_more_members_than_any_lock_file_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json_stream, "MAX_MEMBERS", 2)
    section = msgspec.Raw(b'{"a": {}, "b": {}, "c": {}}')
    with pytest.raises(Unreadable, match="more than 2 entries"):
        list(_json_stream.items_of(section))
    with pytest.raises(Unreadable, match="more than 2 entries"):
        list(_json_stream.members_of(section, WANTED))


def test_refuses_more_values_than_any_lock_file_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json_stream, "MAX_TOKENS", 10)
    with pytest.raises(Unreadable, match="more than 10 values"):
        node_lock.read_package_lock(b'{"packages": {"a": [' + b"[]," * 10 + b"[]]}}", "")


def _of_npm(number: int) -> bytes:
    place = f"node_modules/a{number % 3000}/node_modules/package-{number}"
    facts = {
        "version": "1.2.3",
        "resolved": f"{REGISTRY}/package-{number}/-/package-{number}-1.2.3.tgz",
        "integrity": f"sha512-{'A' * 86}==",
        "dependencies": {"x": "^1", "y": "^2"},
    }
    return f"  {json.dumps(place)}: {json.dumps(facts, indent=2)},\n".encode()


LARGE: Final[dict[str, tuple[bytes, Callable[[int], bytes], bytes]]] = {
    "package-lock.json": (b'{"packages": {', _of_npm, b'"": {}}}'),
    "yarn.lock": (
        b"# yarn lockfile v1\n",
        lambda n: b'p%d@^1:\n  version "1.0.%d"\n  x %s\n\n' % (n, n, b"A" * 150),
        b"",
    ),
    "pnpm-lock.yaml": (
        b"lockfileVersion: 9\n\npackages:\n\n",
        lambda n: b"  p%d@1.0.%d:\n    resolution: {integrity: %s}\n\n" % (n, n, b"A" * 150),
        b"",
    ),
}
MEASURE: Final = """
import mmap, sys
from seawall.scan.readers import Unreadable, all
path = sys.argv[1]
with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
    try:
        count = len(all.TABLE.find("app/" + path.rpartition("/")[2]).read(content, path))
    except Unreadable as error:
        count = len(error.found)
print(count, next(line.split()[1] for line in open("/proc/self/status") if "VmHWM" in line))
"""


@pytest.mark.parametrize("name", LARGE)
def test_a_lock_file_of_30_megabytes_takes_less_than_150(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    start, entry, end = LARGE[name]
    with path.open("wb") as file:
        file.write(start)
        number = 0
        while file.tell() < 30_000_000:
            file.write(entry(number))
            number += 1
        file.write(end)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    count, peak = map(int, done.stdout.split())
    assert min(number, 50_000) == count
    assert peak < 150 * 1024
