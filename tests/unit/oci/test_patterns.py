"""Which repositories a pattern means: in grants, trusted keys and policies alike."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError
from seawall.oci import patterns

components = st.sampled_from(["a", "b", "ab", "*", "a*", "*b", "a*b", "a-b"])


@st.composite
def any_patterns(draw):
    parts = draw(st.lists(components, min_size=1, max_size=4))
    if draw(st.booleans()):
        parts[draw(st.integers(0, len(parts) - 1))] = "**"
    return "/".join(parts)


names = st.lists(st.from_regex(r"[ab]{1,2}(?:-[ab]{1,2})?", fullmatch=True), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("pattern", "repository", "is_match"),
    [
        ("**", "a", True),
        ("**", "a/b/c", True),
        ("a", "a", True),
        ("a", "a/b", False),
        ("a/*", "a/b", True),
        ("a/*", "a/b/c", False),
        ("a/*", "a", False),
        ("a/**", "a/b/c", True),
        ("a/**", "a", False),
        ("a/**", "ab/c", False),
        ("**/x", "a/b/x", True),
        ("**/x", "x", False),
        ("a/**/x", "a/b/x", True),
        ("a/app-*", "a/app-1", True),
        ("a/app-*", "a/app", False),
        ("a*a", "a", False),
    ],
)
def test_patterns_match_whole_components(pattern, repository, is_match):
    patterns.check(pattern)
    assert is_match == patterns.is_match(pattern, repository)


@pytest.mark.parametrize(
    "text",
    ["", "/", "/a", "a/", "a//b", "A", "a**", "**/**", "a*b*", "te?m", "a/*\n", "a b", "a" * 201],
)
def test_refuses_text_that_is_no_pattern(text):
    with pytest.raises(InvalidInputError):
        patterns.check(text)


@given(any_patterns(), names)
def test_agrees_with_an_independent_reading_as_a_regular_expression(pattern, parts):
    readings = {"**": "[^/]+(?:/[^/]+)*"}
    wanted = "/".join(
        readings.get(part, re.escape(part).replace(r"\*", "[^/]*")) for part in pattern.split("/")
    )
    name = "/".join(parts)
    expected = re.fullmatch(wanted, name) is not None
    assert expected is patterns.is_match(pattern, name)


@given(st.text(max_size=30))
def test_parses_or_refuses_any_text(text):
    with contextlib.suppress(InvalidInputError):
        patterns.check(text)
        assert patterns.is_match(text, text) or "*" in text


@given(st.lists(any_patterns(), min_size=2, max_size=2, unique=True))
def test_no_two_patterns_are_equally_specific(pair):
    first, second = map(patterns.specificity, pair)
    assert first != second
