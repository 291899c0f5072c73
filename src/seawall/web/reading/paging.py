"""Lists cut into pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice(Generic[T]):
    """One page of a list; `page` counts from 1 and is held within 1 … `pages`."""

    rows: tuple[T, ...]
    page: int
    pages: int


def cut(rows: Sequence[T], page: int, per_page: int) -> Slice[T]:
    """Return the rows of `page`, or of the last page when there are fewer."""
    pages = max(1, -(-len(rows) // per_page))
    page = max(1, min(page, pages))
    return Slice(rows=tuple(rows[(page - 1) * per_page : page * per_page]), page=page, pages=pages)
