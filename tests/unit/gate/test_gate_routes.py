"""The route table, and which versions it speaks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError
from seawall.core.reason import Refusal
from seawall.gate import pulling, routes, versions
from seawall.gate.routes import ROUTES, Decision, Flow, Match, Route

SAMPLES = {
    "{container}": "web_1",
    "{object}": "localhost:5443/app:1",
    "{image}": "localhost:5443/team/app@sha256:" + "a" * 64,
    "{exec}": "e" * 64,
}


def sample(template: str) -> str:
    for name, value in SAMPLES.items():
        template = template.replace(name, value)
    return template


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_each_route_is_found_by_its_own_path(route: Route) -> None:
    found = routes.find(route.method, sample(route.template))
    assert isinstance(found, Match)
    assert route == found.route


def test_no_two_routes_are_the_same() -> None:
    assert len(ROUTES) == len({(route.method, route.template) for route in ROUTES})


@given(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]),
    st.lists(st.text("abcz09_.:@-", min_size=1, max_size=9)
             | st.sampled_from(["containers", "images", "exec", "json", "create", "start"]),
             min_size=1, max_size=5),
)  # fmt: skip
def test_a_path_is_found_only_in_its_template(method: str, parts: list[str]) -> None:
    path = "/" + "/".join(parts)
    found = routes.find(method, path)
    if isinstance(found, Refusal):
        assert found.reasons
        return
    rebuilt = found.route.template
    for name, value in found.names.items():
        rebuilt = rebuilt.replace(f"{{{name}}}", value)
    assert path == rebuilt


def test_only_routes_with_a_typed_model_have_a_body() -> None:
    assert {Decision.CREATE, Decision.EXEC_CREATE, Decision.EXEC_START} == {
        route.decision for route in ROUTES if route.has_body
    }


def test_whatever_starts_or_opens_a_container_is_decided() -> None:
    for route in ROUTES:
        if route.flow is Flow.HIJACK or route.verb in {"start", "restart", "exec", "create"}:
            assert route.decision not in {Decision.READ, Decision.WRITE}, route


def test_refuses_a_parameter_that_is_not_in_the_row() -> None:
    route = next(route for route in ROUTES if route.template == "/images/create")
    routes.check_query(route, ["fromImage", "tag"])
    with pytest.raises(InvalidInputError, match="fromSrc"):
        routes.check_query(route, ["fromSrc"])


def test_a_missing_version_means_the_newest_of_both() -> None:
    assert 41 == versions.choose(None, 41)
    assert 40 == versions.choose(40, 41)
    for minor in (0, 23, 39, 42, 999):
        with pytest.raises(InvalidInputError):
            versions.choose(minor, 41)


def test_the_answer_about_versions_names_our_own_range() -> None:
    told = versions.narrow(
        {
            "ApiVersion": "1.60",
            "MinAPIVersion": "1.12",
            "Components": [{"Name": "Engine", "Details": {"ApiVersion": "1.60", "Os": "linux"}}],
        },
        51,
    )
    assert ("1.51", "1.40") == (told["ApiVersion"], told["MinAPIVersion"])
    details = {"ApiVersion": "1.51", "Os": "linux"}
    assert [{"Name": "Engine", "Details": details}] == told["Components"]


@pytest.mark.parametrize(("query", "image"), [
    ({"fromImage": "h:1/app", "tag": "x"}, "h:1/app:x"),
    ({"fromImage": "h:1/app", "tag": "sha256:ab"}, "h:1/app@sha256:ab"),
    ({"fromImage": "h:1/app:x"}, "h:1/app:x"),
    ({"fromImage": "h:1/app@sha256:ab"}, "h:1/app@sha256:ab"),
    ({"fromImage": "h:1/app"}, None), ({}, None), ({"fromImage": "h:1/app:x", "tag": "y"}, None),
])  # fmt: skip
def test_a_pull_names_exactly_one_image(query: dict[str, str], image: str | None) -> None:
    if image is not None:
        assert image == pulling.asked_image(query)
        return
    with pytest.raises(InvalidInputError):
        pulling.asked_image(query)
