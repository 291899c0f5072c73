"""Version orders: for each ecosystem that can be judged, a sort key that compares with `memcmp`.

An ecosystem that is not listed here has no order, and its packages are never judged by guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from seawall.scan.versions import (
    alpine,
    debian,
    dotted,
    maven,
    packagist,
    pypi,
    rpm,
    rubygems,
    semver,
    upstream,
)

__all__ = ["BEFORE_ALL", "BEYOND_ALL", "ORDERS", "RPM", "RUST", "Order", "ecosystem", "order_of"]

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
    fix_key: Callable[[str], bytes]  # the first key that contains a fix made in this version
    clean: Callable[[str], str]  # the version that a distribution's spelling stands for
    normalise_name: Callable[[str], str]


def _order(
    ecosystem: str,
    key: Callable[[str], bytes],
    after: Callable[[str], bytes],
    *,
    fix_key: Callable[[str], bytes] | None = None,
    clean: Callable[[str], str] = str.strip,
    normalise_name: Callable[[str], str] = str.strip,
) -> Order:
    return Order(
        ecosystem=ecosystem,
        key=key,
        after=after,
        fix_key=fix_key or key,
        clean=clean,
        normalise_name=normalise_name,
    )


def _lower(name: str) -> str:
    return name.strip().lower()


RPM: Final = (
    *("AlmaLinux", "Amazon Linux", "Azure Linux", "EPEL", "Fedora", "Mageia", "Oracle Linux"),
    *("Photon OS", "Red Hat", "Rocky Linux", "SUSE", "openEuler", "openSUSE"),
)
_APK: Final = ("Alpaquita", "Alpine", "Chainguard", "MinimOS", "Wolfi")
_SEMVER: Final = ("Hex", "Node.js", "SwiftURL", "npm")
_UPSTREAM: Final = ("Bitnami", "CPE", "RubyInterpreter")
RUST: Final = "crates"
"""What OSV calls by the address of Rust's registry: see `ecosystem`."""

ORDERS: Final[Mapping[str, Order]] = MappingProxyType(
    {
        order.ecosystem: order
        for order in (
            *(
                _order(name, debian.key, debian.after, fix_key=debian.fix_key)
                for name in ("Debian", "Echo")
            ),
            _order("Ubuntu", debian.key, debian.after),
            *(_order(name, alpine.key, alpine.after) for name in _APK),
            *(_order(name, rpm.key, rpm.after) for name in RPM),
            *(_order(name, semver.key, semver.after) for name in _SEMVER),
            _order(RUST, semver.key, semver.after),
            _order("Go", semver.key, semver.after, clean=semver.clean_go),
            *(
                _order(name, upstream.key, upstream.after, normalise_name=_lower)
                for name in _UPSTREAM
            ),
            *(_order(name, dotted.key, dotted.after) for name in ("CRAN", "Hackage")),
            _order(
                "NuGet", semver.nuget_key, semver.nuget_after, normalise_name=_lower
            ),  # names without regard to case (NuGet docs, Package identity)
            _order("Maven", maven.key, maven.after),
            _order("Packagist", packagist.key, packagist.after, normalise_name=_lower),
            _order("Pub", semver.pub_key, semver.pub_after),
            _order(
                "PyPI",
                pypi.key,
                pypi.after,
                clean=pypi.clean,
                normalise_name=pypi.normalise_name,
            ),
            _order("RubyGems", rubygems.key, rubygems.after, clean=rubygems.clean),
        )
    }
)

_RUST_REGISTRY: Final = re.compile(r"crates\.[a-z]{2}")


def ecosystem(name: str) -> str:
    """Return the ecosystem under the name that is used here; only Rust's is another than OSV's."""
    return RUST if _RUST_REGISTRY.fullmatch(name) else name


def order_of(ecosystem: str) -> Order | None:
    """Return the order of an OSV ecosystem such as `Debian:12`, or None when there is none."""
    base, _, _ = ecosystem.partition(":")
    return ORDERS.get(base)
