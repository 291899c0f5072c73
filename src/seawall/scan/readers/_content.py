"""What the readers of text formats share: bytes to text, to bounded JSON, and words that hold.

A name or a version from an image ends in reports, SQL and terminals: it is printable, has no white
space inside and at most `MAX_TEXT` characters, or it is not one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

import msgspec

from seawall.core.limits import MIB
from seawall.scan.model import Evidence
from seawall.scan.readers import MAX_TEXT, Content, Found, Unreadable

MAX_FOUND: Final = 50_000
"""Packages that one file may name; lock files of the largest known applications name 5,000."""
MAX_LINES: Final = 1_000_000
MAX_LINE: Final = MIB
BOM: Final = b"\xef\xbb\xbf"
MAX_LOCK_BYTES: Final = 8 * MIB
"""Of a lock file or an SBOM. JSON of nothing but empty lists takes twenty times its size in memory;
lock files of the largest known applications have 4 MB."""
MAX_FIELDS: Final = 100
MAX_SMALL: Final = 16_384
"""Bytes of a JSON value that is looked into whole."""
MAX_DETAIL: Final = 200
"""Characters that a text of the file may take in an evidence."""

MANIFEST: Final = (Evidence(kind="manifest"),)
"""The package's own description of itself, beside its code."""
LOCK_FILE: Final = (Evidence(kind="lock-file"),)
"""A file that pins what shall be installed."""
DATABASE: Final = (Evidence(kind="database"),)
"""The record that an installer keeps of what it installed."""

_T = TypeVar("_T")
_DEPENDENCIES: Final = frozenset(
    {
        "node_modules",
        "nodejs",
        "site-packages",
        "dist-packages",
        "vendor",
        "_vendor",
        "gems",
        "deps",
    }
    | {".cargo", "dist-newstyle"}
)
_TESTS: Final = frozenset(
    {"test", "tests", "testdata", "fixtures", "test-fixtures", "example", "examples"}
)


def is_application(path: str) -> bool:
    """Tell whether a lock file at `path` speaks for an application that is in the image.

    Those inside an installed dependency tell how that dependency was developed, those in tests and
    documentation tell nothing.
    """
    folders = path.split("/")[:-1]
    if not _DEPENDENCIES.isdisjoint(folders) or folders[:3] == ["usr", "share", "doc"]:
        return False
    return not is_of_test(path)


def is_of_test(path: str) -> bool:
    """Tell whether a file at `path` is there to test something with."""
    return not _TESTS.isdisjoint(path.split("/")[:-1])


def text_of(content: Content) -> str:
    """Return the content as text. Raises Unreadable when it is not UTF-8."""
    try:
        return bytes(content).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8 at byte {error.start}") from error


def lenient_text_of(content: Content) -> str:
    """Return the content as text, for formats older than UTF-8: what is not, is replaced."""
    return bytes(content).decode("utf-8", "replace").removeprefix("\ufeff")


def lines_of(text: str) -> Iterator[str]:
    """Yield lines without their ends; only line feeds separate (not U+2028 and its kind).

    Raises Unreadable when there are too many.
    """
    start = 0
    for _ in range(MAX_LINES):
        end = text.find("\n", start)
        if end < 0:
            yield text[start:].removesuffix("\r")
            return
        yield text[start:end].removesuffix("\r")
        start = end + 1
    raise Unreadable(f"more than {MAX_LINES} lines")


def lines_in(content: Content) -> Iterator[str]:
    """Yield the lines of a large text, one after the other: the text itself is not kept.

    Raises Unreadable when a line is not UTF-8 or too long, or when there are too many.
    """
    start = len(BOM) if content[: len(BOM)] == BOM else 0
    for _ in range(MAX_LINES):
        end = content.find(b"\n", start)
        line = content[start : end if end >= 0 else None]
        if len(line) > MAX_LINE:
            raise Unreadable(f"a line of more than {MAX_LINE} bytes")
        try:
            yield line.decode("utf-8").removesuffix("\r")
        except UnicodeDecodeError as error:
            raise Unreadable(f"not UTF-8 at byte {start + error.start}") from error
        if end < 0:
            return
        start = end + 1
    raise Unreadable(f"more than {MAX_LINES} lines")


def blocks_of(lines: Iterable[str], section: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the blocks of one section of a lock file that a program writes in plain YAML.

    A block is a key indented by two, with the scalar fields that are indented by four; what is
    deeper, flows or folds is skipped. There are no anchors and no aliases: they stay text.
    """
    is_inside = False
    key = ""
    fields: dict[str, str] = {}
    for line in lines:
        indent = len(line) - len(line.lstrip(" "))
        if indent == len(line) or line[indent] == "#":
            continue
        if indent <= 2 and key:
            yield key, fields
            key, fields = "", {}
        if indent == 0:
            is_inside = line.rstrip() == f"{section}:"
        elif is_inside and indent == 2:
            name, colon, rest = line[2:].rpartition(":")
            key = _unquoted(name) if colon and rest.strip() in ("", "{}") else ""
        elif is_inside and indent == 4 and len(fields) < MAX_FIELDS:
            name, colon, value = line[4:].partition(": ")
            if colon:
                fields[name] = _unquoted(value)
    if key:
        yield key, fields


def packages_of_toml(text: str) -> Iterator[dict[str, str]]:
    """Yield the fields of every `[[package]]` (or `[[packages]]`) of a lock file in TOML.

    Lock files are written by programs, one field to a line. They are read by lines, for the
    standard library's parser takes quadratic time over dotted keys. Strings lose their quotes;
    arrays and inline tables stay text; fields of a table of the package (`[package.source]`) are
    called `source.type`. What spans lines is skipped.
    """
    fields: dict[str, str] | None = None
    table = close = ""
    for line in lines_of(text):
        if close:
            close = "" if close in line else close
            continue
        if line.startswith("["):
            header = line.partition("#")[0].strip()
            if header in ("[[package]]", "[[packages]]"):
                if fields is not None:
                    yield fields
                fields, table = {}, ""
            else:
                table = f"{header.strip('[]').partition('.')[2]}." if "." in header else "/"
            continue
        name, equals, value = line.partition(" = ")
        value = value.strip()
        if value[:3] in ('"""', "'''") and value.find(value[:3], 3) < 0:
            close = value[:3]
        elif equals and fields is not None and len(fields) < MAX_FIELDS and table != "/":
            fields.setdefault(table + name, _unquoted(value))
    if fields is not None:
        yield fields


def json_of(content: Content | memoryview | str, shape: type[_T]) -> _T:
    """Decode JSON into `shape`; fields that it does not name are skipped, not kept.

    The nesting is bounded by the decoder itself. Raises Unreadable.
    """
    body = content if isinstance(content, str) else _without_bom(content)
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise Unreadable(f"not the expected JSON: {str(error)[:MAX_DETAIL]}") from error
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Unreadable(f"not valid JSON: {str(error)[:MAX_DETAIL]}") from error
    except RecursionError as error:
        raise Unreadable("the JSON is nested too deeply") from error


def small(value: msgspec.Raw) -> Any:
    """Return a value that `json_of` left as it is written, None when it is absent or large.

    What shall be a word may be ten million empty lists: those are never built.
    """
    if not 0 < len(memoryview(value)) <= MAX_SMALL:
        return None
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _without_bom(content: Content | memoryview) -> memoryview:
    """Return the content in place: `Raw` fields of a large document are views of it, not copies."""
    view = memoryview(content)
    return view[len(BOM) :] if bytes(view[: len(BOM)]) == BOM else view


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def is_word(text: object) -> bool:
    """Tell whether a value of the file can be a name or a version."""
    return (
        isinstance(text, str)
        and 0 < len(text) <= MAX_TEXT
        and text.isprintable()
        and " " not in text
    )


def word(value: object) -> str:
    """Return the value when it can be a name or a version, else the empty string."""
    return value if isinstance(value, str) and is_word(value) else ""


def detail(text: str) -> str:
    """Return a text of the file as it may stand in an evidence."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text[:MAX_DETAIL])


def once(found: Iterable[Found]) -> tuple[Found, ...]:
    """Return the packages sorted, each name and version once: the first wins.

    Raises Unreadable, with those so far, when there are more than `MAX_FOUND`.
    """
    kept: dict[tuple[str, str, str], Found] = {}
    for item in found:
        if len(kept) >= MAX_FOUND:
            raise Unreadable(f"more than {MAX_FOUND} packages", _sorted(kept))
        kept.setdefault((item.type, item.name, item.version), item)
    return _sorted(kept)


def _sorted(kept: dict[tuple[str, str, str], Found]) -> tuple[Found, ...]:
    return tuple(kept[key] for key in sorted(kept))
