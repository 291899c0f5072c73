import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError, LimitError
from seawall.distribution.numbers import Span, parse_content_range, parse_number, parse_ranges

SIZE = 2048


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("bytes=500-1499", [Span(500, 1000)]),
        ("bytes=500-", [Span(500, 1548)]),
        ("bytes=-500", [Span(1548, 500)]),
        ("bytes=-5000", [Span(0, 2048)]),
        ("bytes=2000-5000", [Span(2000, 48)]),
        ("Bytes=0-0, -1", [Span(0, 1), Span(2047, 1)]),
        ("bytes=0-0,9999-", [Span(0, 1)]),
        ("items=0-5", []),
        ("bytes=0-,0-", []),
        ("bytes=" + ",".join(["0-0"] * 17), []),
    ],
)
def test_reads_ranges(text, spans):
    assert spans == parse_ranges(text, SIZE)


@pytest.mark.parametrize(
    "text",
    [
        "bytes=500-0", "bytes=5000-10000", "bytes=-0", "bytes=", "bytes=-", "bytes=a-b",
        "bytes=+1-2", "bytes=1_0-20", "bytes=٣-٤", "bytes=--1", "bytes=1-2-3", "bytes=0x1-2",
        "bytes=1 -2", "bytes=" + "9" * 30 + "-",
    ],
)  # fmt: skip
def test_refuses_ranges_that_do_not_exist(text):
    with pytest.raises(LimitError):
        parse_ranges(text, SIZE)


@given(st.text(), st.integers(0, 10**12))
def test_ranges_never_leave_the_blob(text, size):
    try:
        spans = parse_ranges(f"bytes={text}", size)
    except LimitError:
        return
    for span in spans:
        assert 0 <= span.start <= span.last < size
    assert sum(span.count for span in spans) <= size


@given(st.from_regex(r"[0-9]{0,3}-[0-9]{0,3}(,[0-9]{0,3}-[0-9]{0,3}){0,3}", fullmatch=True))
def test_likely_ranges_never_leave_the_blob(text):
    test_ranges_never_leave_the_blob.hypothesis.inner_test(text, 500)


def test_reads_content_ranges():
    assert Span(5, 6) == parse_content_range("5-10")


@pytest.mark.parametrize("text", ["", "5", "5-4", "bytes 5-10/20", "-5", "5-", " 5-6", "٣-٤"])
def test_refuses_other_content_ranges(text):
    with pytest.raises(InvalidInputError):
        parse_content_range(text)


@pytest.mark.parametrize("text", ["", "-1", "+1", "1_0", " 1", "1\n", "٣", "abc", "9" * 19])
def test_refuses_what_is_no_number(text):
    with pytest.raises(InvalidInputError):
        parse_number(text, "n")
