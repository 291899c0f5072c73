"""Records of PEAR are read as PHP wrote them, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.scan.readers import Unreadable, pear


def serialised(value: object) -> str:
    match value:
        case dict():
            inner = "".join(serialised(key) + serialised(one) for key, one in value.items())
            return f"a:{len(value)}:{{{inner}}}"
        case str():
            return f's:{len(value.encode())}:"{value}";'
        case bool():
            return f"b:{int(value)};"
        case None:
            return "N;"
        case _:
            return f"{'d' if isinstance(value, float) else 'i'}:{value};"


RECORD = {"name": "redis", "channel": "pecl.php.net", "version": {"release": "5.3.7"}}

keys = st.integers(0, 9) | st.text(max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.dictionaries(keys, inner, max_size=3),
)


@given(st.dictionaries(st.text("xyz", min_size=1, max_size=5), values, max_size=4))
def test_whatever_else_stands_in_a_record_it_is_found(rest: dict[str, object]) -> None:
    content = serialised({**rest, **RECORD, "after": rest}).encode()
    (found,) = pear.read_record(content, "")
    assert ("pecl.php.net/redis", "5.3.7") == (found.name, found.version)


@pytest.mark.parametrize(
    "content",
    [
        'a:1:{s:4:"name";s:99:"redis";}',
        'a:1:{s:4:"name";}',
        'a:1:{s:4:"name";O:1:"X":0:{}}',
        's:4:"name";',
        "a:1:{a:0:{}i:1;}",
        "a:1:{" * 10,
        "a:1:{i:0;" * 1_000,
        "}",
        "",
    ],
)
def test_refuses_what_php_does_not_serialise(content: str) -> None:
    with pytest.raises(Unreadable):
        pear.read_record(content.encode(), "")


@pytest.mark.parametrize(
    "change", [{"name": "a b"}, {"channel": "../x"}, {"version": {"api": "1"}}, {"version": 3}]
)
def test_a_record_without_name_channel_or_version_is_no_package(change: dict[str, object]) -> None:
    assert () == pear.read_record(serialised({**RECORD, **change}).encode(), "")
