"""The words of VEX, whatever the format. Texts are bounded, and without control characters."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Final

import msgspec

from seawall.core.strictjson import Json

TEXT_MAX_CHARS: Final = 2_000
NAME_MAX_CHARS: Final = 1_000


class Status(enum.StrEnum):
    """What is said of a product and a vulnerability (VEX minimum requirements, CISA)."""

    NOT_AFFECTED = "not_affected"
    AFFECTED = "affected"
    FIXED = "fixed"
    UNDER_INVESTIGATION = "under_investigation"


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement is about: all its names mean one thing."""

    names: tuple[str, ...]
    """Package URLs, image references, digests, other IRIs."""
    subcomponents: tuple[str, ...] = ()
    """Package URLs inside the product; none means all of it."""


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One claim."""

    ids: tuple[str, ...]
    """The vulnerability, with its aliases."""
    status: Status
    products: tuple[Product, ...]
    justification: str = ""
    """One of OpenVEX's words, or empty."""
    text: str = ""
    at: str = ""
    """When it was made: RFC 3339 in UTC with microseconds, or empty, which is the oldest."""


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """Statements of one author."""

    format: str
    """`openvex`, `cyclonedx` or `csaf`."""
    digest: str
    author: str
    issued_at: str
    statements: tuple[Statement, ...]


def line(value: object, *, max_chars: int = TEXT_MAX_CHARS) -> str:
    """Return a text of a document as one bounded line; anything but a text is empty."""
    if not isinstance(value, str):
        return ""
    return "".join(c if c.isprintable() else " " for c in value[:max_chars]).strip()


def moment(value: object) -> str:
    """Return a time of a document in the one form that sorts; empty when it is none."""
    if not isinstance(value, str) or len(value) > 64:
        return ""
    try:
        parsed = dt.datetime.fromisoformat(value)
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=dt.UTC)
        return parsed.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    except (ValueError, OverflowError):
        return ""


def objects(value: Json) -> list[dict[str, Json]]:
    """Return the objects of a list; nothing when it is none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def texts(value: Json) -> tuple[str, ...]:
    """Return the texts of a list, each as one line; nothing when it is none."""
    if not isinstance(value, list):
        return ()
    found = (line(one, max_chars=NAME_MAX_CHARS) for one in value)
    return tuple(dict.fromkeys(one for one in found if one))


def mapping(value: Json) -> dict[str, Json]:
    """Return an object; an empty one when it is none."""
    return value if isinstance(value, dict) else {}
