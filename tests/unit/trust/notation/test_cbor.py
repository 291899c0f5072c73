import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError, LimitError, SeawallError
from seawall.trust.notation import cbor

numbers = st.integers(-(2**64), 2**64 - 1)
keys = st.one_of(numbers, st.text(max_size=20))
leaves = st.one_of(numbers, st.binary(max_size=40), st.text(max_size=20), st.booleans(), st.none())
values = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(keys, inner, max_size=5)),
    max_leaves=8,
)


def decode(content):
    return cbor.decode(content, max_bytes=100_000)


@given(values)
def test_what_was_written_is_read_and_an_independent_reader_agrees(value):
    try:
        written = cbor.encode(value)
        assert value == decode(written)
    except LimitError:
        return  # too deep
    assert value == cbor2.loads(written)


@given(values)
def test_reads_what_an_independent_writer_wrote(value):
    try:
        assert value == decode(cbor2.dumps(value))
    except LimitError:
        return


@given(st.binary(max_size=60))
def test_any_bytes_are_read_in_the_one_form_or_refused(noise):
    try:
        value = decode(noise)
    except SeawallError:
        return
    assert value == decode(cbor.encode(value))
    assert len(noise) == len(cbor.encode(value))


def test_a_tag_stays_a_tag():
    assert cbor.Tag(1, 5) == decode(cbor2.dumps(cbor2.CBORTag(1, 5)))
    assert cbor2.dumps(cbor2.CBORTag(18, [b""])) == cbor.encode(cbor.Tag(18, [b""]))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "too early"), ("1a00", "too early"), ("4401", "too early"), ("0000", "follow"),
        ("1801", "shortest"), ("190017", "shortest"), ("1a0000ffff", "shortest"),
        ("1b00000000ffffffff", "shortest"), ("5801aa", "shortest"), ("9f01ff", "left open"),
        ("5f4101ff", "left open"), ("bf6161 01ff", "left open"), ("f97e00", "float"),
        ("fb7ff0000000000000", "float"), ("f7", "simple"), ("f8ff", "simple"), ("f6", None),
        ("61ff", "UTF-8"), ("a2010001 00", "twice"), ("a141000 0", "number nor a text"),
        ("a1f500", "number nor a text"), ("a1800 0", "number nor a text"), ("1c", "left open"),
    ],
)  # fmt: skip
def test_refuses_every_second_way_to_say_a_thing(content, why):
    content = bytes.fromhex(content.replace(" ", ""))
    if why is None:
        assert decode(content) is None
        return
    with pytest.raises(InvalidInputError, match=why):
        decode(content)


def test_refuses_what_is_too_deep_too_wide_or_too_long():
    for content in (b"\x81" * 20 + b"\x00", b"\x98\x41" + b"\x00" * 65, b"\xc1" * 5000):
        with pytest.raises(LimitError):
            decode(content)
    with pytest.raises(LimitError):
        cbor.decode(b"\x00\x00", max_bytes=1)
