"""Images with forged package databases, made to give programs in other images a good name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from seawall.scan import _sql, taught
from seawall.scan.fingerprints.pack import LearnedPackage
from seawall.scan.model import PackageType
from seawall.scan.taught import TaughtPrograms
from seawall.store import Database
from seawall.testing import executables, images, signatures
from seawall.testing.clocks import FakeClock
from seawall.testing.houses import OTHER, SHOP, Stage
from seawall.testing.images import Image

MALWARE = executables.elf({".text": b"evil" * 300}, build_id=b"\x66" * 20)
BUILD_ID = "66" * 20
FORGED = {
    "etc/os-release": b"ID=debian\nVERSION_ID=12\n",
    "var/lib/dpkg/status": b"Package: openssl\nStatus: install ok installed\nVersion: 3.0.15-1\n"
    b"Architecture: amd64\n",
    "var/lib/dpkg/info/openssl.list": b"/usr/bin/openssl\n",
    "usr/bin/openssl": MALWARE,
}


@pytest.fixture
def stage(tmp_path: Path, clock: FakeClock) -> Iterator[Stage]:
    with Stage.opened(tmp_path, clock) as stage:
        yield stage


def forged() -> Image:
    return images.image(images.layer(FORGED))


def victim() -> Image:
    return images.image(images.layer({"etc/os-release": b"ID=alpine\n", "opt/x": MALWARE}))


def names(stage: Stage) -> tuple[list[str], list[str]]:
    """Return what the victim's report calls the file, and what it leaves unexplained."""
    digest = stage.push(OTHER, victim(), "1")
    stage.work()
    found = stage.house.reports.latest(digest)
    assert found is not None
    inventory = found.inventory
    return [one.name for one in inventory.components], [one.path for one in inventory.unexplained]


def test_refuses_to_learn_from_an_unsigned_image(stage: Stage) -> None:
    stage.push(SHOP, forged(), "1")
    stage.work()
    assert ([], ["/opt/x"]) == names(stage)


def test_refuses_to_learn_from_an_image_that_a_stranger_signed(stage: Stage) -> None:
    ours, theirs, made = signatures.new_key(), signatures.new_key(), forged()
    stage.trust(ours)
    stage.push(SHOP, made, "1")
    stage.sign(theirs, SHOP, made, "1")
    stage.work()
    assert ([], ["/opt/x"]) == names(stage)


def test_refuses_to_explain_a_file_by_what_a_signed_image_claims(stage: Stage) -> None:
    key, made = signatures.new_key(), forged()
    stage.trust(key)
    stage.push(SHOP, made, "1")
    stage.sign(key, SHOP, made, "1")
    stage.work()
    assert (["openssl"], ["/opt/x"]) == names(stage)


def package(name: str) -> LearnedPackage:
    return LearnedPackage(
        type=PackageType.DEB, name=name, version="1.0-1", distribution="debian-12"
    )


def test_refuses_to_choose_between_two_products(stage: Stage) -> None:
    known = stage.house.scanning.taught
    key = signatures.new_key()
    stage.trust(key)
    known.teach("shop/a@sha256:1", key.public.key_id, [(BUILD_ID, package("openssl"))])
    known.teach("shop/b@sha256:2", key.public.key_id, [(BUILD_ID, package("evil"))])
    assert ([], ["/opt/x"]) == names(stage)


def test_refuses_more_than_there_is_room_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taught, "MAX_ROWS", 3)
    known = TaughtPrograms(database)
    many = [(f"{number:040x}", package("x")) for number in range(10)]
    assert 3 == known.teach("a/b@sha256:1", "k", many)
    assert 0 == known.teach("a/c@sha256:2", "k", many)
    assert 0 == known.teach("a/c@sha256:2", "other", many)


def test_refuses_short_build_ids(stage: Stage) -> None:
    short = FORGED | {"usr/bin/openssl": executables.elf({".text": b"x" * 900}, build_id=b"\x66")}
    key, made = signatures.new_key(), images.image(images.layer(short))
    stage.trust(key)
    stage.push(SHOP, made, "1")
    stage.sign(key, SHOP, made, "1")
    stage.work()
    assert stage.house.scanning.taught.has_taught(f"{SHOP}@{made.digest}", key.public.key_id)
    with stage.house.database.read() as connection:
        assert 0 == connection.execute(sa.select(sa.func.count()).select_from(_sql.taught)).scalar()
