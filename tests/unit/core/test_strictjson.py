import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core import strictjson
from seawall.core.errors import InvalidInputError, LimitError

LIMIT = 10_000

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_reads_back_what_it_writes(value):
    assert strictjson.decode(strictjson.encode(value), max_bytes=10**6) == value


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":1}}',
        b'{"a":1,"\\u0061":2}',
        b"NaN",
        b"[1e999]",
        b"[-Infinity]",
        b'{"a":1} trailing',
        b"\xef\xbb\xbf{}",
        b'"\\ud800"',
        b'"\xff"',
        b"9223372036854775808",
        b"",
    ],
)
def test_refuses_what_two_parsers_read_in_two_ways(body):
    with pytest.raises(InvalidInputError):
        strictjson.decode(body, max_bytes=LIMIT)


@pytest.mark.parametrize("depth", [33, 2_000, 100_000])
def test_refuses_deep_nesting(depth):
    with pytest.raises((LimitError, InvalidInputError)):
        strictjson.decode(b"[" * depth + b"]" * depth, max_bytes=10**6)


def test_accepts_nesting_at_the_limit():
    assert strictjson.decode(b"[" * 32 + b"]" * 32, max_bytes=LIMIT) is not None


def test_brackets_in_strings_are_not_nesting():
    body = json.dumps("[" * 100).encode()
    assert strictjson.decode(body, max_bytes=LIMIT) == "[" * 100


def test_refuses_more_bytes_than_allowed():
    with pytest.raises(LimitError):
        strictjson.decode(b'"' + b"a" * 20 + b'"', max_bytes=10)
