"""What was learned is found again by bytes and by texts, and by nothing else."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import InvalidInputError
from seawall.scan.files import examine
from seawall.scan.files.model import Claim, Executable
from seawall.scan.fingerprints import learn, pack, recognition
from seawall.scan.fingerprints.pack import LearnedFile, LearnedPackage
from seawall.scan.fingerprints.recognition import Kind, Library
from seawall.scan.model import PackageType, Role
from seawall.testing import executables


def package(source: str, version: str = "1.2.3-4") -> LearnedPackage:
    return LearnedPackage(
        type=PackageType.DEB, name=f"{source}-bin", version=version,
        source_name=source, source_version=version, distribution="debian-12",
    )  # fmt: skip


def program(words: str, version: str, build_id: bytes = b"", extra: bytes = b"") -> Executable:
    """Return a program whose texts come from `words`, with a version in a place of its own."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    texts = [f"{words} text {letter * 3}" for letter in letters]
    data = b"\0".join(text.encode() for text in texts) + f"\0{words}/{version}\0".encode() + extra
    content = executables.elf({".rodata": data, ".text": words.encode() * 200}, build_id=build_id)
    found = examine.examine(content, "x")
    assert found is not None
    return found


STORE = program("store", "1.2.3", b"\x01" * 20)
PACK = pack.build(
    "test",
    [
        LearnedFile(package=package("store"), path="usr/bin/store", file=STORE),
        LearnedFile(package=package("other"), path="usr/bin/other", file=program("other", "1.2.3")),
    ],
)


def test_the_same_bytes_lead_to_the_very_package() -> None:
    (found,) = Library([PACK]).identify(STORE)
    assert (Kind.SHA256, "store", package("store")) == (found.kind, found.product, found.package)


@pytest.mark.parametrize(
    ("change", "kind"),
    [({"sha256": "0"}, Kind.BUILD_ID), ({"sha256": "0", "build_id": ""}, Kind.CODE)],
)
def test_changed_bytes_are_known_by_what_is_left(change: dict[str, str], kind: Kind) -> None:
    (found,) = Library([PACK]).identify(msgspec.structs.replace(STORE, **change))
    assert (kind, "store") == (found.kind, found.product)


def test_another_version_is_known_by_its_texts_and_tells_its_own_version() -> None:
    newer = msgspec.structs.replace(program("store", "1.4.0"), code_sha256="")
    (found,) = Library([PACK]).identify(newer)
    assert (Kind.SKETCH, "store", "1.4.0") == (found.kind, found.product, found.version)
    assert (Role.INSTALLED, True) == (found.role, found.confidence < 0.95)


def test_an_unknown_program_gets_no_name() -> None:
    assert () == Library([PACK]).identify(program("stranger", "1.2.3"))


def test_two_products_that_come_close_are_both_left_unsaid() -> None:
    twins = [
        LearnedFile(package=package(name), path="usr/bin/x", file=program("store", "1.2.3"))
        for name in ("store", "fork")
    ]
    asked = msgspec.structs.replace(program("store", "9.0.0"), code_sha256="")
    assert () == Library([pack.build("twins", twins)]).identify(asked)


def test_a_text_that_disagrees_with_the_bytes_is_told() -> None:
    claim = signatures_claim("9.9.9")
    forged = msgspec.structs.replace(STORE, claims=(claim,))
    (found,) = Library([PACK]).identify(forged)
    assert "says store 1.2.3, text at 0 says 9.9.9" in recognition.disagreement(found, forged)
    honest = msgspec.structs.replace(STORE, claims=(signatures_claim("1.2.3"),))
    assert "" == recognition.disagreement(found, honest)


def signatures_claim(version: str) -> Claim:
    return Claim(product="store", version=version)


def test_wheels_are_learned_by_exact_keys_alone() -> None:
    wheel = LearnedPackage(type=PackageType.PYPI, name="pillow", version="9.3.0")
    learned = learn.learned(wheel, "pillow.libs/libtiff.so", STORE)
    assert (None, STORE.sha256) == (learned.file.sketch, learned.file.sha256)


@pytest.mark.parametrize(
    ("source", "version", "expected"),
    [
        ("postgresql-15", "15.20-0+deb12u1", "postgresql"),
        ("ruby3.1", "3.1.2-7", "ruby"),
        ("apache2", "2.4.71-1", "apache2"),
        ("libxml2", "2.9.14+dfsg-1", "libxml2"),
        ("libgcrypt20", "1.10.1-3", "libgcrypt20"),
    ],
)
def test_releases_of_a_product_have_one_name(source: str, version: str, expected: str) -> None:
    assert expected == package(source, version).product


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1:9.2p1-2+deb12u3", "9.2p1"),
        ("2.9.14+dfsg-1.3~deb12u1", "2.9.14"),
        ("1.6.20~ds1-1+b2", "1.6.20"),
        ("3.1.7+really3.1.2-0", "3.1.2"),
    ],
)
def test_the_upstream_version_of_a_debian_one(version: str, expected: str) -> None:
    assert expected == pack.upstream_version(package("x", version))


def test_a_pack_is_the_same_bytes_whatever_the_order_and_survives_storage() -> None:
    files = [
        LearnedFile(package=package(n), path=n, file=program(n, "1.2.3")) for n in ("a1", "b2")
    ]
    assert pack.build("x", files).to_bytes() == pack.build("x", files[::-1]).to_bytes()
    (found,) = Library([pack.from_bytes(PACK.to_bytes())]).identify(STORE)
    assert "store" == found.product


@given(st.integers(0, len(PACK.to_bytes()) - 1), st.integers(0, 255))
def test_a_damaged_pack_is_refused_or_asked_without_an_error(place: int, value: int) -> None:
    content = bytearray(PACK.to_bytes())
    content[place] = value
    try:
        damaged = pack.from_bytes(bytes(content))
    except InvalidInputError:
        return
    Library([damaged]).identify(STORE)
    Library([damaged]).identify(msgspec.structs.replace(STORE, sha256="", build_id=""))
