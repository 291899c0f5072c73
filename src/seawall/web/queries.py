"""Query strings become checked values here; everything odd is refused with 400.

Refused: a parameter given twice, control characters, over-long text, numbers out of bounds, words
that cannot name what they should. Parameters that no page knows are ignored.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Mapping
from typing import Final, Protocol, TypeVar

from seawall.core.errors import InvalidInputError
from seawall.oci.names import RepositoryName
from seawall.scan import whereabouts
from seawall.scan.model import Reach
from seawall.web import limits, scan_views, views

_KIND: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,19}", re.ASCII)
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

_Word = TypeVar("_Word", bound=enum.StrEnum)


class Parameters(Protocol):
    """A multi-dictionary such as aiohttp's `request.query`."""

    def getall(self, key: str, default: list[str]) -> list[str]: ...


def parse_list(query: Parameters) -> views.ListQuery:
    """Read `q` and `page`. Raises InvalidInputError, as all here do."""
    return views.ListQuery(q=_text(query, "q"), page=_number(query, "page", limits.PAGE_MAX) or 1)


def parse_image(query: Parameters) -> views.ImageQuery:
    """Read `q`, `page`, `severity`, `reach`, `layer` and `findings`."""
    return views.ImageQuery(
        packages=parse_list(query),
        severity=_one_of(views.Severity, query, "severity"),
        reach=_one_of(Reach, query, "reach"),
        layer=_number(query, "layer", limits.LAYERS_MAX),
        findings_page=_number(query, "findings", limits.PAGE_MAX) or 1,
    )


def parse_comparison(query: Parameters) -> scan_views.ComparisonQuery:
    """Read `old` and `new`, each the name of an image of this registry."""
    return scan_views.ComparisonQuery(old=_text(query, "old"), new=_text(query, "new"))


def parse_vulnerability(query: Parameters) -> scan_views.HoleQuery | None:
    """Read `id`, which may be absent, and `page`."""
    text = _text(query, "id")
    if text and not whereabouts.is_id(text):
        raise InvalidInputError("id: not the id of an advisory", remedy="write CVE-2021-44228")
    page = _number(query, "page", limits.PAGE_MAX) or 1
    return scan_views.HoleQuery(id=text, page=page) if text else None


def parse_trends(query: Parameters) -> str:
    """Read `repository`; empty means all."""
    text = _text(query, "repository")
    return RepositoryName.parse(text) if text else ""


def parse_audit(query: Parameters) -> views.AuditQuery:
    """Read `kind`, `actor`, `repository` and `before`."""
    kind, repository = _text(query, "kind"), _text(query, "repository")
    if kind and _KIND.fullmatch(kind) is None:
        raise InvalidInputError("kind: not the name of an event")
    return views.AuditQuery(
        kind=kind,
        actor=_text(query, "actor"),
        repository=RepositoryName.parse(repository) if repository else "",
        before=_number(query, "before", limits.SEQ_MAX),
    )


def is_local_path(path: str) -> bool:
    """Tell whether `path` leads to this site only: where a login may send its reader on to.

    Browsers read `//host` and `/\\host` as another site, and drop tabs and line breaks first.
    """
    return (
        path.startswith("/")
        and not path.startswith(("//", "/\\"))
        and len(path) <= 4 * limits.QUERY_MAX_CHARACTERS
        and path.isascii()
        and path.isprintable()
    )


def without_empty(parameters: Mapping[str, object]) -> dict[str, str]:
    """Return those parameters that say something, ready for a link."""
    return {key: str(value) for key, value in parameters.items() if value not in ("", None, 1)}


def _text(query: Parameters, name: str) -> str:
    values = query.getall(name, [])
    if len(values) > 1:
        raise InvalidInputError(f"{name}: given more than once")
    text = values[0].strip() if values else ""
    if len(text) > limits.QUERY_MAX_CHARACTERS:
        raise InvalidInputError(f"{name}: longer than {limits.QUERY_MAX_CHARACTERS} characters")
    if any(unicodedata.category(character) in _INVISIBLE for character in text):
        raise InvalidInputError(f"{name}: holds a character that cannot be seen")
    return text


def _number(query: Parameters, name: str, most: int) -> int | None:
    text = _text(query, name)
    if not text:
        return None
    if _NUMBER.fullmatch(text) is None or not 1 <= int(text) <= most:
        raise InvalidInputError(f"{name}: not a number from 1 to {most}")
    return int(text)


def _one_of(words: type[_Word], query: Parameters, name: str) -> _Word | None:
    text = _text(query, name)
    if not text:
        return None
    try:
        return words(text)
    except ValueError as error:
        known = ", ".join(filter(None, words))
        raise InvalidInputError(
            f"{name}: not one of {known}", remedy="choose one of them"
        ) from error
