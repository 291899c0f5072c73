"""What gets no fixes any more: the distribution of an image, and the programs and runtimes in it.

A vulnerability of a release that nobody maintains is often written down by nobody, so the end of
its life is told apart from findings. Products are known by the package URLs that their source
names, and cycles by the beginning of the version: `3.18` is the cycle of `3.18.4`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

from seawall.scan.advisory_model import Lifecycle
from seawall.scan.model import Component, Inventory, PackageType, Role
from seawall.scan.report_model import EndOfLife

NOTICE: Final = dt.timedelta(days=90)
"""How long before its end a cycle is named."""

ENDINGS_MAX: Final = 200

_DISTRIBUTIONS: Final[Mapping[str, str]] = {
    "almalinux": "almalinux",
    "alpine": "alpine-linux",
    "amzn": "amazon-linux",
    "centos": "centos",
    "debian": "debian",
    "fedora": "fedora",
    "ol": "oracle-linux",
    "opensuse-leap": "opensuse",
    "photon": "photon",
    "rhel": "rhel",
    "rocky": "rocky-linux",
    "sles": "sles",
    "ubuntu": "ubuntu",
}

_PRODUCTS: Final[Mapping[tuple[PackageType, str], str]] = {
    (PackageType.GENERIC, "node"): "nodejs",
    (PackageType.GENERIC, "nodejs"): "nodejs",
    (PackageType.GENERIC, "python"): "python",
    (PackageType.GENERIC, "cpython"): "python",
    (PackageType.GENERIC, "php"): "php",
    (PackageType.GENERIC, "ruby"): "ruby",
    (PackageType.GENERIC, "perl"): "perl",
    (PackageType.GENERIC, "nginx"): "nginx",
    (PackageType.GENERIC, "openssl"): "openssl",
    (PackageType.GENERIC, "postgresql"): "postgresql",
    (PackageType.GENERIC, "mariadb"): "mariadb",
    (PackageType.GENERIC, "mysql"): "mysql",
    (PackageType.GENERIC, "mongodb"): "mongodb",
    (PackageType.GENERIC, "redis"): "redis",
    (PackageType.GENERIC, "valkey"): "valkey",
    (PackageType.GENERIC, "tomcat"): "tomcat",
    (PackageType.GENERIC, "haproxy"): "haproxy",
    (PackageType.GENERIC, "go"): "go",
    (PackageType.GENERIC, "golang"): "go",
    (PackageType.GOLANG, "stdlib"): "go",
    (PackageType.PYPI, "django"): "django",
    (PackageType.NPM, "express"): "express",
    (PackageType.NPM, "next"): "nextjs",
    (PackageType.NPM, "vue"): "vue",
    (PackageType.NPM, "@angular/core"): "angular",
    (PackageType.GEM, "rails"): "rails",
    (PackageType.COMPOSER, "laravel/framework"): "laravel",
    (PackageType.COMPOSER, "symfony/http-kernel"): "symfony",
    (PackageType.MAVEN, "org.springframework:spring-core"): "spring-framework",
    (PackageType.MAVEN, "org.springframework.boot:spring-boot"): "spring-boot",
}
"""Products of endoflife.date, by what the inventory calls them. A package that the distribution
owns is not asked about: the distribution keeps it alive."""

Cycles = Callable[[Collection[str]], Sequence[Lifecycle]]
"""Gives the cycles of these products, newest first."""


def endings(inventory: Inventory, cycles: Cycles, today: dt.date) -> tuple[EndOfLife, ...]:
    """Return what in an image has ended, or ends within `NOTICE`, in a fixed order."""
    asked = list(_asked(inventory))
    by_product: dict[str, list[Lifecycle]] = {}
    for known in cycles({product for product, _, _ in asked}):
        by_product.setdefault(known.product, []).append(known)
    found = {
        _ending(cycle, purl, today)
        for product, version, purl in asked
        if (cycle := _cycle_of(version, by_product.get(product, ()))) is not None
        and _is_near(cycle, today)
    }
    return tuple(sorted(found, key=lambda e: (bool(e.component), e.product, e.component)))[
        :ENDINGS_MAX
    ]


def _asked(inventory: Inventory) -> Iterable[tuple[str, str, str]]:
    """Yield (product, version, package URL)."""
    distribution = inventory.distribution
    if distribution is not None and (product := _DISTRIBUTIONS.get(distribution.id)):
        yield product, distribution.version_id, ""
    for component in inventory.components:
        product = _PRODUCTS.get((component.type, component.name.lower()), "")
        if product and _is_own(component):
            yield product, component.version.removeprefix("go"), component.purl


def _is_own(component: Component) -> bool:
    return component.role is not Role.DECLARED and not component.owned_by


def _cycle_of(version: str, cycles: Sequence[Lifecycle]) -> Lifecycle | None:
    """Return the longest cycle of which the version is a part, on the borders of its numbers."""
    fitting = [
        cycle
        for cycle in cycles
        if version == cycle.cycle
        or (version.startswith(cycle.cycle) and not version[len(cycle.cycle)].isalnum())
    ]
    return max(fitting, key=lambda cycle: len(cycle.cycle), default=None)


def _is_near(cycle: Lifecycle, today: dt.date) -> bool:
    if not cycle.ends:
        return cycle.is_ended
    return dt.date.fromisoformat(cycle.ends) - NOTICE <= today


def _ending(cycle: Lifecycle, purl: str, today: dt.date) -> EndOfLife:
    is_over = dt.date.fromisoformat(cycle.ends) <= today if cycle.ends else cycle.is_ended
    return EndOfLife(
        product=cycle.product,
        cycle=cycle.cycle,
        ends=cycle.ends,
        is_over=is_over,
        component=purl,
        latest=cycle.latest,
    )
