"""Which repositories a grant's pattern means, and that grants only ever add."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core import actor as actors
from seawall.core.errors import InvalidInputError
from seawall.identity import model
from seawall.identity.model import Action, Grant, Pattern
from seawall.oci.names import RepositoryName

segments = st.text("ab-._1", min_size=1, max_size=4)
names = st.lists(
    st.from_regex(r"[ab]{1,2}(?:[._-][ab]{1,2})?", fullmatch=True), min_size=1, max_size=4
).map(lambda parts: RepositoryName.parse("/".join(parts)))


@st.composite
def patterns(draw: st.DrawFn) -> Pattern:
    parts = draw(st.lists(st.sampled_from(["a", "b", "ab", "*", "a-b"]), min_size=1, max_size=4))
    if draw(st.booleans()):
        parts[-1] = parts[-1].rstrip("*") + "*"
    return Pattern.parse("/".join(parts))


grants = st.builds(
    Grant,
    subject=st.sampled_from(["alice", "bob", "anonymous", "authenticated"]),
    pattern=patterns(),
    actions=st.frozensets(st.sampled_from(Action), min_size=1),
)
callers = st.sampled_from([actors.user("alice"), actors.user("carol"), actors.ANONYMOUS])


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("*", "app", True),
        ("*", "team/app", True),
        ("team/*", "team/app", True),
        ("team/*", "team/app/debug", True),
        ("team/*", "team", False),
        ("team/*", "teams/app", False),
        ("team/app", "team/app", True),
        ("team/app", "team/app2", False),
        ("team/app", "team/app/x", False),
        ("team/app*", "team/app", True),
        ("team/app*", "team/apple", True),
        ("team/app*", "team/app/x", True),
        ("team/app*", "team/ap", False),
        ("*/app", "team/app", True),
        ("*/app", "app", False),
        ("*/app", "a/b/app", False),
        ("team/*/base", "team/x/base", True),
        ("team/*/base", "team/x/y/base", False),
        ("*/*", "a/b/c", True),
        ("*/*", "a", False),
    ],
)
def test_matches_what_the_documentation_says(pattern: str, name: str, expected: bool) -> None:
    assert expected is Pattern.parse(pattern).matches(RepositoryName.parse(name))


@pytest.mark.parametrize(
    "text",
    ["", "/", "/a", "a/", "a//b", "A", "a*b", "**", "a/**", "*a", "a*/b", "te?m", "a/*\n", "a b"],
)
def test_refuses_text_that_is_no_pattern(text: str) -> None:
    with pytest.raises(InvalidInputError):
        Pattern.parse(text)


def test_parses_a_long_hostile_pattern_at_once() -> None:
    with pytest.raises(InvalidInputError):
        Pattern.parse("a" * 190 + "!*")


@given(names)
def test_every_name_is_a_pattern_that_matches_only_itself(name: RepositoryName) -> None:
    pattern = Pattern.parse(name)
    assert pattern.matches(name)
    assert not pattern.matches(RepositoryName.parse(f"{name}x"))
    assert not pattern.matches(RepositoryName.parse(f"{name}/x"))


@given(patterns(), names)
def test_agrees_with_an_independent_reading_as_a_regular_expression(
    pattern: Pattern, name: RepositoryName
) -> None:
    *inner, last = pattern.split("/")
    parts = ["[^/]+" if part == "*" else re.escape(part) for part in inner]
    parts.append(re.escape(last[:-1]) + ".*" if last.endswith("*") else re.escape(last))
    assert pattern.matches(name) is (re.fullmatch("/".join(parts), name) is not None)


@given(st.text(max_size=30))
def test_parses_or_refuses_any_text(text: str) -> None:
    with contextlib.suppress(InvalidInputError):
        assert Pattern.parse(text) == text


@given(st.lists(grants, max_size=5), grants, callers, st.sampled_from(Action), names)
def test_a_further_grant_never_takes_a_right_away(
    some: list[Grant], more: Grant, actor: actors.Actor, action: Action, name: RepositoryName
) -> None:
    if model.may(some, actor, action, name):
        assert model.may([*some, more], actor, action, name)


@given(st.lists(grants, max_size=5), callers, st.sampled_from(Action), names)
def test_the_order_of_grants_does_not_matter(
    some: list[Grant], actor: actors.Actor, action: Action, name: RepositoryName
) -> None:
    expected = model.may(some, actor, action, name)
    assert expected is model.may(reversed(some), actor, action, name)


@given(callers, st.sampled_from(Action), names)
def test_no_grant_means_no_right(actor: actors.Actor, action: Action, name: RepositoryName) -> None:
    assert not model.may([], actor, action, name)


@given(st.lists(grants, max_size=5), st.sampled_from(Action), names)
def test_anonymous_gets_only_what_anonymous_is_granted(
    some: list[Grant], action: Action, name: RepositoryName
) -> None:
    only = [grant for grant in some if grant.subject == "anonymous"]
    expected = model.may(only, actors.ANONYMOUS, action, name)
    assert expected is model.may(some, actors.ANONYMOUS, action, name)


@pytest.mark.parametrize(
    "name", ["", "Alice", "a b", "a:b", "-a", "a/", "anonymous", "authenticated", "x" * 65, "a\n"]
)
def test_refuses_names_that_could_mean_someone_else(name: str) -> None:
    with pytest.raises(InvalidInputError):
        model.parse_user_name(name)
