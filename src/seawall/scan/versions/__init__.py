"""Version orders: for each ecosystem that can be judged, a sort key that compares with `memcmp`.

An ecosystem that is not listed here has no order, and its packages are never judged by guess.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from seawall.scan.versions import debian, pypi

__all__ = ["BEFORE_ALL", "BEYOND_ALL", "ORDERS", "Order", "order_of"]

BEFORE_ALL: Final = b""
"""Below every key: OSV's `introduced: "0"`."""

BEYOND_ALL: Final = b"\xff"
"""Above every key: a range without an end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How one ecosystem compares versions and spells names."""

    ecosystem: str
    key: Callable[[str], bytes]  # total: every text has a key
    after: Callable[[str], bytes]  # the first key that is no longer "at most this version"
    clean: Callable[[str], str]  # the version that a distribution's spelling stands for
    normalise_name: Callable[[str], str]


ORDERS: Final[Mapping[str, Order]] = MappingProxyType(
    {
        "Debian": Order(
            ecosystem="Debian",
            key=debian.key,
            after=debian.after,
            clean=str.strip,
            normalise_name=str.strip,
        ),
        "PyPI": Order(
            ecosystem="PyPI",
            key=pypi.key,
            after=pypi.after,
            clean=pypi.clean,
            normalise_name=pypi.normalise_name,
        ),
    }
)


def order_of(ecosystem: str) -> Order | None:
    """Return the order of an OSV ecosystem such as `Debian:12`, or None when there is none."""
    base, _, _ = ecosystem.partition(":")
    return ORDERS.get(base)
