"""A package that was copied in from another distribution is judged as that one's."""

from __future__ import annotations

import msgspec
import pytest

from seawall.scan import advice, distribution, ecosystems, matching, purls
from seawall.scan.model import Component, Distribution, Inventory, PackageType
from seawall.testing import reports

ALPINE = Distribution(id="alpine", version_id="3.20.1")
DEBIAN = Distribution(id="debian", version_id="12")


def component(**changes: object) -> Component:
    values = {
        "type": PackageType.DEB, "name": "libssl3", "version": "3.0.15-1", "purl": "",
        "source_name": "openssl", "source_version": "3.0.15-1", "path": "/opt/x",
        "layer": "sha256:" + "0" * 64, "layer_index": 0, "distribution": DEBIAN,
    }  # fmt: skip
    return Component(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("debian-12", DEBIAN),
        ("opensuse-leap-15.6", Distribution(id="opensuse-leap", version_id="15.6")),
        ("opensuse-tumbleweed", Distribution(id="opensuse-tumbleweed")),
        ("Debian 12", None),
        ("", None),
    ],
)
def test_a_release_is_read_as_it_is_written(text: str, expected: Distribution | None) -> None:
    found = distribution.of_name(text)
    assert expected == found
    assert found is None or text == str(found)


def test_a_copied_package_is_asked_about_in_its_own_distribution() -> None:
    question = ecosystems.question(component(), ALPINE)
    assert question is not None
    assert (("Debian:12", "Debian"), (("openssl", "3.0.15-1"),)) == (question.scope, question.names)
    assert "" == ecosystems.silence(component(), ALPINE, ["Debian:12"])
    assert "Debian" in ecosystems.silence(component(), ALPINE, ["Alpine:v3.20"])
    assert [("Debian", "openssl")] == ecosystems.filed_under(component(), ALPINE)


def test_the_package_url_names_its_own_distribution() -> None:
    assert "pkg:deb/debian/libssl3@3.0.15-1?distro=debian-12" == purls.of(component(), ALPINE)


def test_the_images_own_packages_are_asked_about_in_the_image() -> None:
    own = component(type=PackageType.APK, distribution=None)
    question = ecosystems.question(own, ALPINE)
    assert question is not None
    assert ("Alpine:v3.20",) == question.scope


def test_a_missing_feed_of_the_other_distribution_is_a_gap() -> None:
    held = Inventory(
        components=(component(),), distribution=ALPINE, notices=(), layers=(), is_partial=False
    )
    (blind,) = matching.Plan(held, ["Alpine:v3.20"]).blind()
    assert (1, True) == (blind.components, blind.is_gap)


def test_no_package_manager_is_asked_to_update_a_copied_file() -> None:
    copied = component(purl=purls.of(component(), ALPINE))
    found = reports.finding("CVE-1", copied, fixed_version="3.0.16-1")
    (change,) = advice.of_findings([found], [copied], ALPINE).changes
    assert "" == change.command
    (own,) = advice.of_findings([found], [component(purl=copied.purl, distribution=None)]).changes
    assert own.command.startswith("apt-get")


def test_inventories_of_before_are_still_read() -> None:
    old = msgspec.to_builtins(component(distribution=None))
    del old["distribution"]
    assert component(distribution=None) == msgspec.convert(old, Component)
