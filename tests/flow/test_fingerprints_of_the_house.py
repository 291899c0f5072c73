"""Workers recognise copied programs by packs, and by what signed images have taught."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.oci.digest import Digest
from seawall.scan import inventory, taught
from seawall.scan.fingerprints import learn, pack
from seawall.scan.report_model import Report
from seawall.testing import databases, executables, images, packages, signatures
from seawall.testing.clocks import FakeClock
from seawall.testing.houses import OPERATOR, OTHER, SHOP, Stage
from seawall.testing.images import Image

TOOL = executables.elf({".text": b"tool" * 300}, build_id=b"\x07" * 20)
STATUS = (
    b"Package: libtool0\nStatus: install ok installed\nSource: tool\nVersion: 1.0-2\n"
    b"Architecture: amd64\n"
)
DEBIAN = {
    "etc/os-release": b"ID=debian\nVERSION_ID=12\n",
    "var/lib/dpkg/status": STATUS,
    "var/lib/dpkg/info/libtool0.list": b"/usr/bin/tool\n",
    "usr/bin/tool": TOOL,
}
ALPINE = b"ID=alpine\nVERSION_ID=3.20.1\n"


@pytest.fixture(params=databases.KINDS)
def stage(tmp_path: Path, clock: FakeClock, request: pytest.FixtureRequest) -> Iterator[Stage]:
    url = "" if request.param == databases.SQLITE else request.getfixturevalue("postgresql_url")
    with Stage.opened(tmp_path, clock, database_url=url) as stage:
        yield stage


def base() -> Image:
    return images.image(images.layer(DEBIAN))


def copier(content: bytes = TOOL) -> Image:
    return images.image(images.layer({"etc/os-release": ALPINE, "opt/x": content}))


def report(stage: Stage, digest: Digest) -> Report:
    found = stage.house.reports.latest(digest)
    assert found is not None
    return found


def purls(found: Report) -> list[str]:
    return [one.purl for one in found.inventory.components]


def test_a_new_pack_has_known_images_recognised_without_reading_a_layer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = stage.push(OTHER, copier(), "1")
    stage.work()
    assert [] == purls(report(stage, digest))
    deb = packages.deb(
        "Package: libtool0\nVersion: 1.0-2+deb12u1\nArchitecture: amd64\n", {"usr/bin/t": TOOL}
    )
    made = pack.build("mine", learn.learn(io.BytesIO(deb), "x.deb"))
    stage.house.fingerprints.put("mine", made, actor=OPERATOR)
    monkeypatch.setattr(inventory, "facts_of", lambda *_, **__: pytest.fail("a layer was read"))
    stage.work()
    assert ["pkg:deb/debian/libtool0@1.0-2%2Bdeb12u1?arch=amd64&distro=debian-12"] == purls(
        report(stage, digest)
    )
    stage.house.fingerprints.remove("mine", actor=OPERATOR)
    stage.work()
    assert [] == purls(report(stage, digest))


def test_a_signed_image_teaches_and_what_it_taught_explains_nothing(stage: Stage) -> None:
    key, made = signatures.new_key(), base()
    stage.trust(key)
    stage.push(SHOP, made, "1")
    stage.sign(key, SHOP, made, "1")
    stage.work()
    digest = stage.push(OTHER, copier(), "1")
    stage.work()
    found = report(stage, digest)
    assert ["pkg:deb/debian/libtool0@1.0-2?arch=amd64&distro=debian-12"] == purls(found)
    ((proof,),) = (one.evidence for one in found.inventory.components)
    assert ("taught", 0.5) == (proof.kind, proof.confidence)
    assert ["/opt/x"] == [one.path for one in found.inventory.unexplained]


def test_what_was_taught_is_gone_with_the_trust_in_its_key(stage: Stage) -> None:
    key, made = signatures.new_key(), base()
    stage.trust(key)
    stage.push(SHOP, made, "1")
    stage.sign(key, SHOP, made, "1")
    stage.work()
    (trusted,) = stage.house.trusted_keys.list()
    stage.house.trusted_keys.distrust(trusted.key_id, actor=OPERATOR)
    digest = stage.push(OTHER, copier(), "1")
    stage.work()
    assert [] == purls(report(stage, digest))


def test_an_image_is_learned_from_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    key, made = signatures.new_key(), base()
    stage.trust(key)
    stage.push(SHOP, made, "1")
    stage.sign(key, SHOP, made, "1")
    stage.work()
    monkeypatch.setattr(taught, "programs_of", lambda _: pytest.fail("learned again"))
    stage.push(SHOP, made, "2")
    stage.work()
