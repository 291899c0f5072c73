"""Archives inside the image that are made to cost, or to hide: bombs, overlaps, two readings."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import pytest

from seawall.core.limits import MIB
from seawall.scan.readers import Unreadable, _zip, java
from seawall.scan.readers._zip import Archive
from unit.scan.readers.samples import guava, zipped

CENTRAL = b"PK\x01\x02"


def is_any(name: str) -> bool:
    return True


def test_refuses_a_member_larger_than_it_says() -> None:
    body = bytearray(zipped({"a.txt": b"x" * 1_000}))
    at = body.index(CENTRAL)
    body[at + 24 : at + 28] = struct.pack("<L", 10)
    archive = Archive(bytes(body), is_any)
    with pytest.raises(Unreadable, match="not what the directory says"):
        archive.read(archive.members[0], MIB)


def test_refuses_a_bomb_without_unpacking_it() -> None:
    """A gigabyte of zeros in a megabyte, as a nested jar: its size is asked before its bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(packer.compress(bytes(MIB)) for _ in range(64)) + packer.flush()
    body = stored(b"lib/bomb.jar", packed, size=1_024 * MIB, method=8)
    tracemalloc.start()
    with pytest.raises(
        Unreadable, match=r"lib/bomb\.jar: (?:impossible|more than 536870912 bytes)"
    ):
        java.read_archive(body, "opt/a.war")
    assert 8 * MIB > tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def test_refuses_a_large_member_that_is_not_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpacked to disk, as larger archives are."""
    monkeypatch.setattr(java, "MAX_MEMORY_BYTES", 16)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(bytes(MIB)) + packer.flush()
    for size in (MIB - 1, MIB + 1, MIB):  # the last has another checksum
        body = stored(b"lib/a.jar", packed, size=size, method=8)
        with pytest.raises(Unreadable, match="not what the directory says"):
            java.read_archive(body, "opt/a.war")


def test_refuses_an_impossible_ratio() -> None:
    body = stored(b"lib/a.jar", b"\x03\x00", size=MIB, method=8)
    with pytest.raises(Unreadable, match="impossible ratio"):
        java.read_archive(body, "opt/a.war")


def test_refuses_a_jar_nested_in_itself_again_and_again() -> None:
    body = guava()
    for _ in range(java.MAX_DEPTH + 3):
        body = zipped({"lib/a.jar": body})
    with pytest.raises(Unreadable, match="nested too deeply"):
        java.read_archive(body, "opt/a.jar")


def test_refuses_more_unpacked_bytes_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "MAX_UNPACKED_BYTES", 3_000)
    members = {f"META-INF/maven/g/a{n}/pom.properties": b"#" * 1_000 for n in range(10)}
    with pytest.raises(Unreadable, match="more than 3000 bytes to unpack"):
        java.read_archive(zipped(members), "opt/a.jar")


def test_refuses_more_nested_archives_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "MAX_ARCHIVES", 5)
    members = {f"lib/a{n}.jar": guava() for n in range(10)}
    with pytest.raises(Unreadable, match="too many nested archives") as caught:
        java.read_archive(zipped(members), "opt/a.war")
    assert 1 == len(caught.value.found)


def test_refuses_more_entries_than_allowed() -> None:
    body = zipped({f"{n}": b"" for n in range(20)})
    with pytest.raises(Unreadable, match="20 entries, more than 10"):
        Archive(body, is_any, max_entries=10)


def test_refuses_members_that_lie_over_each_other() -> None:
    """The kernel of many names: one stream, a thousand entries (Fifield 2019)."""
    body = bytearray(zipped({"a.jar": b"1" * 500, "b.jar": b"1" * 500}))
    first = body.index(CENTRAL)
    second = body.index(CENTRAL, first + 4)
    body[second + 42 : second + 46] = body[first + 42 : first + 46]
    with pytest.raises(Unreadable, match="lie over each other"):
        Archive(bytes(body), is_any)


def test_refuses_a_member_with_two_names() -> None:
    body = zipped({"a.jar": guava()}).replace(b"a.jar", b"b.jar", 1)
    with pytest.raises(Unreadable, match="two names"):
        java.read_archive(body, "opt/a.war")


@pytest.mark.parametrize("field", [12, 16])
def test_refuses_a_directory_that_is_elsewhere(field: int) -> None:
    body = bytearray(zipped({"a.txt": b"x"}))
    end = body.index(b"PK\x05\x06")
    body[end + field : end + field + 4] = struct.pack("<L", 0x7FFFFFFF)
    with pytest.raises(Unreadable):
        Archive(bytes(body), is_any)


def test_refuses_a_count_that_is_not_so() -> None:
    body = bytearray(zipped({"a.txt": b"x", "b.txt": b"y"}))
    end = body.index(b"PK\x05\x06")
    body[end + 8 : end + 12] = struct.pack("<2H", 1, 1)
    with pytest.raises(Unreadable, match="another size"):
        Archive(bytes(body), is_any)


def test_refuses_an_encrypted_member() -> None:
    body = bytearray(zipped({"a.txt": b"x"}))
    at = body.index(CENTRAL)
    body[at + 8] |= 1
    archive = Archive(bytes(body), is_any)
    with pytest.raises(Unreadable, match="encrypted"):
        archive.read(archive.members[0], MIB)


def stored(name: bytes, packed: bytes, *, size: int, method: int) -> bytes:
    """Return an archive of one member, whose size is what we say."""
    fields = (20, 0, method, 0, 0, 0, len(packed), size, len(name), 0)
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", *fields) + name + packed
    central = struct.pack("<4s6H3L5H2L", CENTRAL, 20, *fields, 0, 0, 0, 0, 0) + name
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(central), len(local), 0)
    assert len(local) <= _zip.MAX_ENTRIES * 100
    return local + central + end
