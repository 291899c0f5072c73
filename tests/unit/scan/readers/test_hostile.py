"""Whatever the bytes are, a reader returns what is bounded and printable, or says why not."""

from __future__ import annotations

import itertools
import json
import mmap
import tempfile
import time
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.scan.readers import MAX_TEXT, Content, Found, Reader, Unreadable
from unit.scan.readers.samples import SAMPLES, all_readers, zipped

READERS = all_readers()
CASES = [
    (READERS[form], path, content) for form, files in SAMPLES.items() for path, content in files
]
IDS = [path for _, path, _ in CASES]

DEEP = 20_000
WRONG_TYPES: tuple[object, ...] = (None, True, 1, 1.5, "", "x", [], {}, [[]], [{}], {"a": []})
HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "zero bytes": b"\0" * 1_000,
    "not UTF-8": b"\xff\xfe\xfa" * 100,
    "lone surrogate": b'{"name": "\\ud800", "version": "1"}',
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep dependencies": b'{"dependencies":{"a":' * 5_000 + b"{}" + b"}}" * 5_000,
    "deep components": b'{"bomFormat":"CycloneDX","components":[' * 400 + b"]}" * 400,
    "deep TOML": b"a = " + b"[" * DEEP + b"]" * DEEP,
    "TOML bomb": b"[" + b"a." * DEEP + b"a]\n",
    "large number": b'{"version": ' + b"9" * 5_000 + b"}",
    "ZIP end only": b"PK\x05\x06" + b"\0" * 18,
    "ZIP end of many": b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0",
    "YAML aliases": b"a: &a [x,x]\npackages:\n  b: &b [*a,*a]\n  c: [*b,*b]\n",
    "XML entities": b'<!DOCTYPE a [<!ENTITY b "bb">]><packages><package id="&b;" version="1"/>',
}
LONG = 200_000
REPEATED = tuple(
    unit * (LONG // len(unit))
    for unit in (
        *(b"\n", b" ", b"\t", b'"', b"'", b"\\", b'"\\', b",", b", ", b"{", b"[", b"(", b"@", b"/"),
        *(b"a", b"A", b"1", b"-", b"a-", b"a@", b"a.b/", b": ", b"a: ", b"=", b"1.", b"<license>"),
        *(b"PK\x05\x06", b"PK\x01\x02", b"GEM\n", b"  a:\n", b"packages:\n", b"[[package]]\n"),
        *(b"namespace PhpMyAdmin;\n", b"define('VERSION', '", b"s.name = ", b"# stub: a 1 ruby\n"),
        *(
            b"{vsn,",
            b"{application,",
            b"hackage: a-",
            b"any.a ==",
            b"<package id=",
            b"ExternalRef: ",
        ),
    )
)


def read(reader: Reader, content: Content, path: str) -> Sequence[Found]:
    """Return what was found, also beside trouble; every other exception is a failure."""
    said = "found"
    try:
        found = reader.read(content, path)
    except Unreadable as error:
        said, found = str(error), error.found
    assert 0 < len(said) < 2_000
    check(found)
    return found


def check(found: Iterable[Found]) -> None:
    for item in found:
        for text in (item.name, item.version):
            assert 0 < len(text) <= MAX_TEXT
            assert text.isprintable()
            assert " " not in text
        for text in (item.architecture, *item.licenses, *(e.detail for e in item.evidence)):
            assert len(text) <= MAX_TEXT
            assert text.isprintable()
        assert item.inside.isprintable()
        assert len(item.inside) <= 6 * 1_030


@pytest.mark.parametrize(("reader", "path", "content"), CASES, ids=IDS)
def test_hostile_content(reader: Reader, path: str, content: bytes) -> None:
    for hostile in HOSTILE.values():
        read(reader, hostile, path)


@pytest.mark.parametrize(("reader", "path", "content"), CASES, ids=IDS)
def test_truncated_at_every_step(reader: Reader, path: str, content: bytes) -> None:
    for end in range(0, len(content), max(1, len(content) // 60)):
        read(reader, content[:end], path)


@pytest.mark.parametrize(("reader", "path", "content"), CASES, ids=IDS)
def test_repetition_costs_no_more_than_its_length(
    reader: Reader, path: str, content: bytes
) -> None:
    """Half a CPU second for all of them; a pattern that starts anew at every byte takes minutes."""
    begin = time.process_time()
    for repeated in REPEATED:
        read(reader, repeated, path)
    assert 10 > time.process_time() - begin


@pytest.mark.parametrize(("reader", "path", "content"), CASES, ids=IDS)
def test_a_long_run_inside_costs_no_more_than_its_length(
    reader: Reader, path: str, content: bytes
) -> None:
    """Runs that two parts of a pattern could share between them, at many places of a good file."""
    begin = time.process_time()
    for run in (b" " * 60_000, b" " * 60_000 + b"x" * 600, b"a" * 60_000):
        for at in range(0, len(content), max(1, len(content) // 25)):
            read(reader, content[:at] + run + content[at:], path)
    assert 10 > time.process_time() - begin


@pytest.mark.parametrize(("reader", "path", "content"), CASES, ids=IDS)
def test_the_same_from_a_mapped_file(reader: Reader, path: str, content: bytes) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        assert list(reader.read(content, path)) == list(reader.read(mapped, path))
        mapped.close()  # raises BufferError when the reader kept a view of it


def is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


JSON_CASES = [case for case in CASES if is_json(case[2])]


@pytest.mark.parametrize(
    ("reader", "path", "content"), JSON_CASES, ids=[path for _, path, _ in JSON_CASES]
)
def test_any_value_may_have_any_type(reader: Reader, path: str, content: bytes) -> None:
    document = json.loads(content)
    for place in places(document):
        for wrong in WRONG_TYPES:
            read(reader, json.dumps(replaced(document, place, wrong)).encode(), path)


@pytest.mark.parametrize(
    "name", ["a\x1b[31mb", "a\nb", "a b", "a\u202eb", "\u2028", "a" * 300, "", "../../etc/passwd\0"]
)
@pytest.mark.parametrize(
    ("reader", "path", "content"), JSON_CASES, ids=[p for _, p, _ in JSON_CASES]
)
def test_no_text_leaves_unchecked(reader: Reader, path: str, content: bytes, name: str) -> None:
    document = json.loads(content)
    for place in places(document):
        read(reader, json.dumps(replaced(document, place, name)).encode(), path)


@settings(max_examples=300)
@given(data=st.data())
def test_mutations(data: st.DataObject) -> None:
    reader, path, content = data.draw(st.sampled_from(CASES))
    other = data.draw(st.sampled_from(CASES))[2]
    body = bytearray(content)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(body)))
        length = data.draw(st.integers(0, 40))
        kind = data.draw(st.sampled_from(("set", "insert", "delete", "repeat", "splice")))
        if kind == "set":
            body[at : at + length] = data.draw(st.binary(max_size=40))
        elif kind == "insert":
            body[at:at] = data.draw(st.binary(max_size=8) | st.sampled_from(TOKENS))
        elif kind == "delete":
            del body[at : at + length]
        elif kind == "repeat":
            body[at:at] = body[at : at + length] * data.draw(st.integers(1, 20))
        else:
            start = data.draw(st.integers(0, len(other)))
            body[at:at] = other[start : start + length]
    read(reader, bytes(body), path)


TOKENS = (b'"', b"\\", b"{", b"}", b"[", b"]", b"\n", b"\n  ", b"\r", b"\0", b"\xff", b"\x1b[2J",
          b"\xe2\x80\xae", b"/", b"..", b"@", b"'", b"PK\x05\x06")  # fmt: skip


@given(content=st.binary(max_size=300), path=st.text(max_size=60))
@settings(max_examples=100)
def test_any_bytes_at_any_path(content: bytes, path: str) -> None:
    for reader in READERS.values():
        reader.is_wanted(path)
        read(reader, content, path)


def test_a_file_names_a_bounded_number_of_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seawall.scan.readers._content.MAX_FOUND", 3)
    places = {f"node_modules/a{n}": {"version": "1.0.0"} for n in range(10)}
    with pytest.raises(Unreadable) as caught:
        READERS["npm lock file"].read(json.dumps({"packages": places}).encode(), "a/x.json")
    assert 3 == len(caught.value.found)


def test_members_with_hostile_names_are_shown_printable() -> None:
    inner = zipped({"META-INF/maven/g/a/pom.properties": b"groupId=g\nartifactId=a\nversion=1\n"})
    outer = zipped({"lib/\x1b[31m\u202e.jar": inner})
    (found,) = read(READERS["Java archive"], outer, "x/x.jar")
    assert "g:a" == found.name
    assert "lib/\ufffd[31m\ufffd.jar" == found.inside


def places(document: object, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    children: Iterable[tuple[str | int, object]] = ()
    if isinstance(document, dict):
        children = document.items()
    elif isinstance(document, list):
        children = enumerate(document)
    below = (places(child, (*place, key)) for key, child in children)
    return [place, *itertools.chain.from_iterable(below)]


def replaced(document: object, place: tuple[str | int, ...], value: object) -> object:
    if not place:
        return value
    key, *rest = place
    if isinstance(document, dict):
        return {k: replaced(v, tuple(rest), value) if k == key else v for k, v in document.items()}
    assert isinstance(document, list)
    return [replaced(v, tuple(rest), value) if k == key else v for k, v in enumerate(document)]
