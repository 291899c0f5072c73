"""Query strings, read in the one way that leaves no second reading, and written by us.

The engine takes the first of a repeated parameter, other parsers the last: repeats are refused, as
are broken escapes, raw `;`, control characters and text that is not UTF-8.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from typing import Final

from seawall.core.errors import InvalidInputError
from seawall.oci import platforms

PARAMETERS_MAX_COUNT: Final = 32

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*", re.ASCII)
_ESCAPED: Final = re.compile(r"(?:[A-Za-z0-9_.~*!'()$,:@/?+-]|%[0-9A-Fa-f]{2})*", re.ASCII)


def parse(text: str) -> dict[str, str]:
    """Parse what stands behind `?`. Raises InvalidInputError."""
    parameters: dict[str, str] = {}
    if not text:
        return parameters
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        if _NAME.fullmatch(name) is None:
            raise InvalidInputError(f"{name[:50]!r} is not the name of a parameter")
        if name in parameters:
            raise InvalidInputError(f"the parameter {name} is given twice")
        parameters[name] = _unescape(name, value)
    if len(parameters) > PARAMETERS_MAX_COUNT:
        raise InvalidInputError(f"more than {PARAMETERS_MAX_COUNT} parameters")
    return parameters


def emit(parameters: Mapping[str, str]) -> str:
    """Write a query string of our own."""
    return urllib.parse.urlencode(parameters)


def _unescape(name: str, value: str) -> str:
    if _ESCAPED.fullmatch(value) is None:
        raise InvalidInputError(f"the parameter {name} is not escaped correctly")
    try:
        text = urllib.parse.unquote_plus(value, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"the parameter {name} is not UTF-8") from error
    if not text.isprintable():
        raise InvalidInputError(f"the parameter {name} holds control characters")
    return text


def check_platform(parameters: Mapping[str, str]) -> None:
    """Raises InvalidInputError for a `platform` that is not this machine's.

    An index is judged by what runs here: another member of it may hold anything.
    """
    wanted = parameters.get("platform", "")
    if wanted and not platforms.is_own_text(wanted):
        raise InvalidInputError(
            f"the platform {wanted[:60]!r} is not the one that images are judged for here",
            remedy="drop --platform",
        )
