"""Laws of grants: they only ever add, and their order does not matter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core import actor as actors
from seawall.core.errors import InvalidInputError
from seawall.identity import model
from seawall.identity.model import Action, Grant, Pattern
from seawall.oci.names import RepositoryName

names = st.lists(
    st.from_regex(r"[ab]{1,2}(?:[._-][ab]{1,2})?", fullmatch=True), min_size=1, max_size=4
).map(lambda parts: RepositoryName.parse("/".join(parts)))

patterns = st.sampled_from(["**", "*", "a/*", "a/**", "**/b", "a*/b", "a", "a/b"]).map(
    Pattern.parse
)

grants = st.builds(
    Grant,
    subject=st.sampled_from(["alice", "bob", "anonymous", "authenticated"]),
    pattern=patterns,
    actions=st.frozensets(st.sampled_from(Action), min_size=1),
)
callers = st.sampled_from([actors.user("alice"), actors.user("carol"), actors.ANONYMOUS])


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
