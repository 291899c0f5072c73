"""Which version of the Engine API an exchange speaks, and what clients are told about versions.

A client without a version gets the newest that both sides know; it never gets more than the engine
has, and never less than 1.40.
"""

from __future__ import annotations

from seawall.core.errors import InvalidInputError
from seawall.core.strictjson import Json
from seawall.gate.routes import OLDEST_MINOR


def choose(asked: int | None, ceiling: int) -> int:
    """Return y of the API version 1.y to speak. Raises InvalidInputError outside of the range."""
    if asked is None:
        return ceiling
    if asked > ceiling:
        raise InvalidInputError(
            f"client version 1.{asked} is too new. Maximum supported API version is 1.{ceiling}",
            remedy=f"set DOCKER_API_VERSION=1.{ceiling}, or let the client negotiate",
        )
    if asked < OLDEST_MINOR:
        raise InvalidInputError(
            f"client version 1.{asked} is too old. "
            f"Minimum supported API version is 1.{OLDEST_MINOR}",
            remedy="use a newer client",
        )
    return asked


def narrow(version: dict[str, Json], ceiling: int) -> dict[str, Json]:
    """Return the engine's answer to GET /version with the range that holds here."""
    narrowed = version | _range(ceiling)
    components = version.get("Components")
    if isinstance(components, list):
        narrowed["Components"] = [_component(each, ceiling) for each in components]
    return narrowed


def _component(component: Json, ceiling: int) -> Json:
    if isinstance(component, dict) and isinstance(details := component.get("Details"), dict):
        shown = {key: value for key, value in _range(ceiling).items() if key in details}
        return component | {"Details": details | shown}
    return component


def _range(ceiling: int) -> dict[str, Json]:
    return {"ApiVersion": f"1.{ceiling}", "MinAPIVersion": f"1.{OLDEST_MINOR}"}
