"""The route table: what of the Docker Engine API exists here. Everything else is refused.

A row says who decides about it, which parameters it passes on, whether it has a body, and how its
answer flows. Names have a narrow grammar, because the engine's own templates also match slashes.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from seawall.core.errors import InvalidInputError
from seawall.core.reason import Reason, Refusal

OLDEST_MINOR: Final = 40
"""Below API 1.40 the engine accepts older bodies, such as a HostConfig in `start`."""

NEWEST_MINOR: Final = 51
"""The newest API 1.y whose bodies are known here (`gate.schema`)."""


class Decision(enum.StrEnum):
    """Who decides about a request."""

    READ = "read"
    WRITE = "write"  # changes the life of a container, never what it may do
    ENTER = "enter"  # starts a container or reaches into it: only one that the gate made
    VERSION = "version"  # a read whose answer names versions that we narrow
    CREATE = "create"
    PULL = "pull"
    EXEC_CREATE = "exec-create"
    EXEC_START = "exec-start"


class Flow(enum.StrEnum):
    """How the answer flows."""

    JSON = "json"  # comes within a deadline
    STREAM = "stream"  # comes when it comes; no limit of time
    HIJACK = "hijack"  # the connection is handed over in both directions


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One row. `query` are the parameters that are passed on; another one is refused."""

    method: str
    template: str
    decision: Decision = Decision.READ
    flow: Flow = Flow.JSON
    query: frozenset[str] = frozenset()
    has_body: bool = False

    @property
    def verb(self) -> str:
        """The last word of the path, such as `start`."""
        return self.template.rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.method} {self.template}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A route and the names that its path holds."""

    route: Route
    names: dict[str, str]


def find(method: str, path: str) -> Match | Refusal:
    """Return the route of a request, or why there is none. `path` is without the version."""
    for route, pattern in _PATTERNS.get(method, ()):
        if found := pattern.fullmatch(path):
            return Match(route=route, names=found.groupdict())
    return _no_route(method, path)


def check_query(route: Route, query: Iterable[str]) -> None:
    """Raises InvalidInputError for a parameter that the route does not pass on."""
    for name in query:
        if name not in route.query:
            raise InvalidInputError(
                f"the gate does not pass on the parameter {name} of {route}",
                remedy=_PARAMETER_REMEDIES.get(name, "leave it out"),
            )


def _query(names: str) -> frozenset[str]:
    return frozenset(names.split())


def _get(template: str, query: str = "", flow: Flow = Flow.JSON) -> Route:
    return Route(method="GET", template=template, query=_query(query), flow=flow)


def _change(method: str, template: str, query: str = "", flow: Flow = Flow.JSON) -> Route:
    return Route(
        method=method, template=template, decision=Decision.WRITE, query=_query(query), flow=flow
    )


def _enter(template: str, query: str, flow: Flow = Flow.JSON) -> Route:
    return Route(
        method="POST", template=template, decision=Decision.ENTER, query=_query(query), flow=flow
    )


ROUTES: Final = (
    Route(method="HEAD", template="/_ping"),
    _get("/_ping"),
    Route(method="GET", template="/version", decision=Decision.VERSION),
    _get("/info"),
    _get("/system/df", "type"),
    _get("/events", "since until filters", Flow.STREAM),
    # containers: look
    _get("/containers/json", "all limit size filters trunc_cmd before since"),
    _get("/containers/{object}/json", "size"),
    _get("/containers/{container}/top", "ps_args"),
    _get("/containers/{container}/changes"),
    _get(
        "/containers/{container}/logs",
        "stdout stderr since until timestamps follow tail details",
        Flow.STREAM,
    ),
    _get("/containers/{container}/stats", "stream one-shot", Flow.STREAM),
    # containers: life
    Route(
        method="POST",
        template="/containers/create",
        decision=Decision.CREATE,
        query=_query("name platform"),
        has_body=True,
    ),
    _enter("/containers/{container}/start", "detachKeys"),
    _change("POST", "/containers/{container}/stop", "t signal", Flow.STREAM),
    _enter("/containers/{container}/restart", "t signal", Flow.STREAM),
    _change("POST", "/containers/{container}/kill", "signal"),
    _change("POST", "/containers/{container}/pause"),
    _change("POST", "/containers/{container}/unpause"),
    _change("POST", "/containers/{container}/rename", "name"),
    _change("POST", "/containers/{container}/resize", "h w"),
    _change("POST", "/containers/{container}/wait", "condition", Flow.STREAM),
    _change("DELETE", "/containers/{container}", "v link force"),
    _enter(
        "/containers/{container}/attach",
        "stream stdin stdout stderr logs detachKeys",
        Flow.HIJACK,
    ),
    # a program more in a container
    Route(
        method="POST",
        template="/containers/{container}/exec",
        decision=Decision.EXEC_CREATE,
        has_body=True,
    ),
    Route(
        method="POST",
        template="/exec/{exec}/start",
        decision=Decision.EXEC_START,
        flow=Flow.HIJACK,
        has_body=True,
    ),
    _change("POST", "/exec/{exec}/resize", "h w"),
    _get("/exec/{exec}/json"),
    # images
    _get("/images/json", "all filters digests shared-size manifests only_ids"),
    _get("/images/{image}/json", "manifests platform"),
    _get("/images/{image}/history", "platform"),
    _change("DELETE", "/images/{image}", "force noprune"),
    Route(
        method="POST",
        template="/images/create",
        decision=Decision.PULL,
        flow=Flow.STREAM,
        query=_query("fromImage tag platform"),
    ),
    # `docker inspect NAME` asks all of these in turn
    _get("/networks", "filters"),
    _get("/networks/{object}", "verbose scope"),
    _get("/volumes", "filters"),
    _get("/volumes/{object}"),
    _get("/plugins/{object}/json"),
)

_NAME: Final = r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}"
_REFERENCE: Final = r"[a-zA-Z0-9][a-zA-Z0-9_.:@/-]{0,511}"
_GRAMMAR: Final = {
    "container": _NAME,
    "exec": r"[0-9a-f]{64}",
    "image": _REFERENCE,
    "object": _REFERENCE,  # `docker inspect` asks each kind of object for any name
}

_PUSH: Final = "push with a client of your own machine, such as `docker push` or `skopeo copy`"
_HINTS: Final = (
    (r"POST /(?:build|session|grpc)\b.*", "builds", f"build on your own machine, then {_PUSH}"),
    (r"POST /commit", "commits", f"build an image from a Dockerfile, then {_PUSH}"),
    (r"(?:POST|GET) /images/(?:load|get|.+/get)", "saved images", _PUSH),
    (r"POST /images/.+/push", "pushes", _PUSH),
    (r"POST /images/.+/tag", "tags of the engine", "tag the image in the registry"),
    (r"POST /auth", "log-ins", "log in with a client of your own machine: `docker login` there"),
    (
        r"(?:HEAD|GET|PUT) /containers/.+/(?:archive|export)",
        "copies of files",
        "use `docker exec` with `cat`, or `docker logs`",
    ),
    (
        r"POST /containers/.+/update",
        "changed limits",
        "remove the container and create it with the limits it needs",
    ),
    (
        r".* /(?:swarm|nodes|services|tasks|secrets|configs)\b.*",
        "swarm mode",
        "run single containers; ask the operator of the engine for a swarm",
    ),
    (
        r"POST /(?:networks|volumes)/.*",
        "networks and volumes",
        "use the default network; ask the operator of the engine to create others",
    ),
)
_OTHERWISE: Final = "ask the operator of the engine to do it"

_PARAMETER_REMEDIES: Final = {
    "fromSrc": f"imported images have no signature; {_PUSH}",
    "platform": "leave it out, or use an engine with API 1.41",
}


def _no_route(method: str, path: str) -> Refusal:
    asked = f"{method} {path}"
    evidence, remedy = f"{asked[:120]} does not pass through the gate", _OTHERWISE
    for pattern, what, hint in _HINTS:
        if re.fullmatch(pattern, asked):
            evidence, remedy = f"{asked[:120]}: {what} do not pass through the gate", hint
            break
    return Refusal(reasons=(Reason(rule="route", evidence=evidence, remedy=remedy),))


def _compile(template: str) -> re.Pattern[str]:
    escaped = re.sub(r"[.]", r"\\.", template)
    return re.compile(
        re.sub(r"\{(\w+)\}", lambda name: f"(?P<{name[1]}>{_GRAMMAR[name[1]]})", escaped), re.ASCII
    )


_PATTERNS: Final[dict[str, list[tuple[Route, re.Pattern[str]]]]] = {}
for _route in ROUTES:
    _PATTERNS.setdefault(_route.method, []).append((_route, _compile(_route.template)))
