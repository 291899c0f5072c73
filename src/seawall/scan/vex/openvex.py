"""OpenVEX 0.0.1 and 0.2.0 (openvex/spec).

Products are texts in the first version, objects in the second: `@id`, `identifiers` and `hashes`
are names of the same thing. A statement without a time has the document's.
"""

from __future__ import annotations

from typing import Final

from seawall.core.errors import InvalidInputError
from seawall.core.strictjson import Json
from seawall.scan.vex.model import (
    NAME_MAX_CHARS,
    Document,
    Product,
    Statement,
    Status,
    line,
    mapping,
    moment,
    objects,
)

_HASHES: Final = {"sha-256": "sha256", "sha256": "sha256", "sha-512": "sha512", "sha512": "sha512"}


def read(document: dict[str, Json], digest: str) -> Document:
    """Read a document. Raises InvalidInputError for a status that is none."""
    issued = moment(document.get("last_updated")) or moment(document.get("timestamp"))
    statements = objects(document.get("statements"))
    return Document(
        format="openvex",
        digest=digest,
        author=line(document.get("author"), max_chars=200) or "an author without a name",
        issued_at=issued,
        statements=tuple(_statement(one, issued) for one in statements),
    )


def _statement(value: dict[str, Json], issued: str) -> Statement:
    try:
        status = Status(line(value.get("status")))
    except ValueError as error:
        raise InvalidInputError(f"the status {line(value.get('status'))!r} is none") from error
    notes = (
        value.get("impact_statement"),
        value.get("action_statement"),
        value.get("status_notes"),
    )
    return Statement(
        ids=_ids(value.get("vulnerability")),
        status=status,
        products=tuple(_product(one) for one in _list(value.get("products"))),
        justification=line(value.get("justification"), max_chars=100),
        text=next((text for note in notes if (text := line(note))), ""),
        at=moment(value.get("last_updated")) or moment(value.get("timestamp")) or issued,
    )


def _ids(value: Json) -> tuple[str, ...]:
    if isinstance(value, str):
        return (line(value, max_chars=100),)
    told = mapping(value)
    names = [told.get("name"), *_list(told.get("aliases"))]
    if not line(told.get("name")):
        names.append(str(told.get("@id", "")).rpartition("/")[2])
    found = (line(name, max_chars=100) for name in names)
    return tuple(dict.fromkeys(name for name in found if name))


def _product(value: Json) -> Product:
    if isinstance(value, str):
        return Product(names=(line(value, max_chars=NAME_MAX_CHARS),))
    told = mapping(value)
    inside = (name for one in _list(told.get("subcomponents")) for name in _names(one))
    return Product(names=_names(value), subcomponents=tuple(dict.fromkeys(inside)))


def _names(value: Json) -> tuple[str, ...]:
    if isinstance(value, str):
        return (line(value, max_chars=NAME_MAX_CHARS),)
    told = mapping(value)
    names = [told.get("@id"), *mapping(told.get("identifiers")).values()]
    found = [line(name, max_chars=NAME_MAX_CHARS) for name in names]
    for algorithm, content in mapping(told.get("hashes")).items():
        if (known := _HASHES.get(algorithm.lower())) and isinstance(content, str):
            found.append(f"{known}:{line(content, max_chars=200).lower()}")
    return tuple(dict.fromkeys(name for name in found if name))


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
