"""Programs that no package owns are known by packs, by exact keys first and texts last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from seawall.scan import inventory
from seawall.scan.files import examine
from seawall.scan.files.model import Claim
from seawall.scan.fingerprints import pack, recognising
from seawall.scan.fingerprints.pack import LearnedFile, LearnedPackage, Pack
from seawall.scan.fingerprints.recognising import OfShelf
from seawall.scan.fingerprints.recognition import Library
from seawall.scan.fingerprints.shelf import Shelf
from seawall.scan.inventory_facts import LayerFacts
from seawall.scan.inventory_layer import facts_of
from seawall.scan.inventory_programs import Recognition
from seawall.scan.model import Inventory, NoticeKind, PackageType, Role
from seawall.scan.readers import Found
from seawall.testing import executables
from seawall.testing.images import Files, source

ALPINE = b"ID=alpine\nVERSION_ID=3.20.1\n"


def program(words: str, version: str, build_id: bytes = b"") -> bytes:
    letters = "abcdefghijklmnopqrstuvwxyz"
    texts = [f"{words} text {letter * 3}" for letter in letters] + [f"{words}/{version}"]
    data = b"\0".join(text.encode() for text in texts) + b"\0"
    return executables.elf({".rodata": data, ".text": words.encode() * 200}, build_id=build_id)


def learned(content: bytes, name: str = "store", **more: str) -> LearnedFile:
    about: dict[str, str] = {"version": "1:1.2.3-4", "distribution": "debian-12"}
    package = LearnedPackage(
        type=PackageType.DEB, name=f"{name}-bin", source_name=name, **(about | more)
    )
    file = examine.examine(content, "x")
    assert file is not None
    return LearnedFile(package=package, path=f"usr/bin/{name}", file=file)


STORE = program("store", "1.2.3", b"\x01" * 20)
PACK = pack.build("test", [learned(STORE), learned(program("other", "1.0"), "other")])


def taken(files: Files, *packs: Pack, read: object = facts_of) -> Inventory:
    recognition = recognising.with_packs(packs)
    return inventory.take([source(files)], None, recognition=recognition, read=read)  # type: ignore[arg-type]


def test_a_copied_program_is_the_package_of_its_distribution() -> None:
    found = taken({"etc/os-release": ALPINE, "opt/renamed": STORE}, PACK)
    (one,) = found.components
    assert "pkg:deb/debian/store-bin@1:1.2.3-4?distro=debian-12" == one.purl
    assert ("/opt/renamed", "sha256") == (one.path, one.evidence[0].kind)
    assert () == found.unexplained


def test_without_packs_it_stays_unexplained() -> None:
    found = taken({"etc/os-release": ALPINE, "opt/renamed": STORE})
    assert ((), ["/opt/renamed"]) == (found.components, [one.path for one in found.unexplained])


def test_another_version_is_known_by_its_texts() -> None:
    found = taken({"opt/x": program("store", "1.4.0").replace(b"storestore", b"storEstore")}, PACK)
    (one,) = found.components
    assert (PackageType.GENERIC, "store", "1.4.0") == (one.type, one.name, one.version)
    assert "sketch" == one.evidence[0].kind


class Counting:
    """Reads layers, and counts."""

    def __init__(self) -> None:
        self.asked: list[bool] = []

    def __call__(self, *words: object, has_sketches: bool, **more: object) -> LayerFacts:
        self.asked.append(has_sketches)
        return facts_of(*words, has_sketches=has_sketches, **more)  # type: ignore[arg-type]


def test_a_layer_is_read_twice_only_for_what_nothing_else_explains() -> None:
    exact, unknown, plain = Counting(), Counting(), Counting()
    taken({"opt/x": STORE}, PACK, read=exact)
    taken({"opt/x": program("stranger", "1.0")}, PACK, read=unknown)
    taken({"opt/x": program("stranger", "1.0")}, read=plain)
    assert [[False], [False, True], [False]] == [exact.asked, unknown.asked, plain.asked]


def test_known_facts_are_judged_by_new_packs_without_opening_a_layer() -> None:
    one = source({"opt/x": STORE})
    kept: list[LayerFacts] = []
    before = inventory.take([one], None, keep=kept.append)
    assert 1 == len(before.unexplained)
    closed = replace(one, open=lambda: pytest.fail("opened"))
    known = {one.digest: kept[0]}
    after = inventory.take([closed], None, known=known, recognition=recognising.with_packs([PACK]))
    assert (["store-bin"], ()) == ([each.name for each in after.components], after.unexplained)


def test_a_package_in_several_releases_is_the_older_ones() -> None:
    twice = pack.build("two", [learned(STORE, distribution=f"debian-{n}") for n in (13, 12)])
    (one,) = taken({"opt/x": STORE}, twice).components
    assert "debian-12" == str(one.distribution)


def test_what_a_dpkg_database_owns_is_not_recognised_again() -> None:
    status = b"Package: mine\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n"
    files = {
        "var/lib/dpkg/status": status,
        "var/lib/dpkg/info/mine.list": b"/usr/bin/store\n",
        "usr/bin/store": STORE,
    }
    assert ["mine"] == [one.name for one in taken(files, PACK).components]


def test_what_toolchains_recorded_inside_stands_beside_the_package() -> None:
    crate = Found(type=PackageType.CARGO, name="bstr", version="0.2", role=Role.BUNDLED)
    note = Found(type=PackageType.DEB, name="store-bin", version="1:1.2.3-4")
    claims = tuple(Claim(product=name, version="9", role=Role.BUNDLED) for name in ("a", "b"))
    file = learned(STORE).file
    file = replace(file, found=(crate, note), claims=claims)
    told = recognising.found_by(Library([PACK]), file)
    assert ["store-bin", "bstr"] == [each.name for each in told]


def test_what_a_language_package_brought_is_not_told_once_more() -> None:
    file = examine.examine(STORE, "x")
    assert file is not None
    package = LearnedPackage(type=PackageType.NPM, name="store", version="1.2.3")
    of_npm = pack.build("npm", [LearnedFile(package=package, path="store", file=file)])
    files = {
        "app/node_modules/store/package.json": b'{"name":"store","version":"1.2.3"}',
        "app/node_modules/store/bin/store": STORE,
    }
    assert ["/app/node_modules/store/package.json"] == [
        one.path for one in taken(files, of_npm).components
    ]
    (copied,) = taken({"opt/store": STORE}, of_npm).components
    assert ("pkg:npm/store@1.2.3", None) == (copied.purl, copied.distribution)


def test_files_of_one_package_in_one_folder_are_one() -> None:
    parts = {f"opt/lib/{n}.so": program(f"part{n}", "1.2.3") for n in range(3)}
    whole = pack.build("whole", [learned(content) for content in parts.values()])
    assert 1 == len(taken(parts, whole).components)
    assert 2 == len(taken({**parts, "srv/0.so": parts["opt/lib/0.so"]}, whole).components)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "fingerprints")


def names(recognise: Callable[[], Recognition]) -> list[str]:
    found = examine.examine(STORE, "x")
    assert found is not None
    return [each.name for each in recognise().recognise(found)]


def test_packs_are_read_again_when_they_change(shelf: Shelf) -> None:
    recognise = OfShelf(shelf, lambda: lambda _: ())
    assert [] == names(recognise)
    shelf.put("mine", PACK.to_bytes())
    assert ["store-bin"] == names(recognise)
    shelf.remove("mine")
    assert [] == names(recognise)


def test_a_broken_pack_is_told_and_the_others_are_used(shelf: Shelf) -> None:
    shelf.put("good", PACK.to_bytes())
    shelf.put("broken", PACK.to_bytes()[:-1])
    recognition = OfShelf(shelf, lambda: lambda _: ())()
    assert ["store-bin"] == names(lambda: recognition)
    found = inventory.take([source({"opt/x": STORE})], None, recognition=recognition)
    (notice,) = found.notices
    assert NoticeKind.FINGERPRINTS is notice.kind
    assert "broken" in notice.message
    assert ["store-bin"] == [one.name for one in found.components]
