"""Ends of life: of the distribution, of what lies beside it, and of nothing that it keeps alive."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

import pytest

from seawall.scan import lifecycles
from seawall.scan.advisory_model import Lifecycle
from seawall.scan.model import Component, Distribution, Inventory, PackageType, Role
from seawall.scan.report_model import EndOfLife

TODAY = dt.date(2026, 11, 26)
CYCLES = (
    Lifecycle(product="debian", cycle="9", ends="2022-06-30"),
    Lifecycle(product="debian", cycle="12", ends="2027-06-30"),
    Lifecycle(product="nodejs", cycle="1", ends="2015-01-01"),
    Lifecycle(product="nodejs", cycle="18", ends="2025-04-30", latest="18.20.8"),
    Lifecycle(product="nodejs", cycle="24", ends="2026-12-31"),
    Lifecycle(product="go", cycle="1.2", is_ended=True),
    Lifecycle(product="go", cycle="1.27"),
)


def cycles(products: Collection[str]) -> Sequence[Lifecycle]:
    return [cycle for cycle in CYCLES if cycle.product in products]


def component(kind: PackageType, name: str, version: str, **more: object) -> Component:
    return Component(
        type=kind,
        name=name,
        version=version,
        purl=f"pkg:{kind}/{name}@{version}",
        path="/x",
        layer="sha256:0",
        layer_index=0,
        **more,  # type: ignore[arg-type]
    )


def endings(*components: Component, release: str = "12") -> list[tuple[str, str, bool]]:
    inventory = Inventory(
        components=components,
        distribution=Distribution(id="debian", version_id=release),
        notices=(),
        layers=(),
        is_partial=False,
    )
    found: tuple[EndOfLife, ...] = lifecycles.endings(inventory, cycles, TODAY)
    return [(ending.product, ending.cycle, ending.is_over) for ending in found]


@pytest.mark.parametrize(("release", "expected"), [("9", [("debian", "9", True)]), ("12", [])])
def test_the_distribution_is_named_when_its_life_is_over(
    release: str, expected: list[tuple[str, str, bool]]
) -> None:
    assert expected == endings(release=release)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (component(PackageType.GENERIC, "node", "18.1.0"), [("nodejs", "18", True)]),
        (component(PackageType.GENERIC, "node", "24.1.0"), [("nodejs", "24", False)]),  # soon
        (component(PackageType.GENERIC, "node", "19.0.0"), []),  # `1` is no beginning of `19`
        (component(PackageType.GOLANG, "stdlib", "go1.2.1"), [("go", "1.2", True)]),
        (component(PackageType.GOLANG, "stdlib", "go1.27.0"), []),
        (component(PackageType.GENERIC, "node", "18.1.0", role=Role.DECLARED), []),
        (component(PackageType.GENERIC, "node", "18.1.0", owned_by="nodejs"), []),
        (component(PackageType.GENERIC, "acme", "1"), []),
    ],
)
def test_a_runtime_is_named_by_the_cycle_of_its_version(
    found: Component, expected: list[tuple[str, str, bool]]
) -> None:
    assert expected == endings(found)
