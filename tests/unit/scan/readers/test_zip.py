"""ZIP archives are read as the standard library reads them, where both read them at all."""

from __future__ import annotations

import io
import struct
import zipfile

from seawall.core.limits import MIB
from seawall.scan.readers._zip import Archive
from unit.scan.readers.samples import guava, zipped

CENTRAL = b"PK\x01\x02"


def is_any(name: str) -> bool:
    return True


def test_a_comment_that_looks_like_an_end_hides_nothing() -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("a.txt", b"x")
        archive.comment = b"PK\x05\x06" + b"\xff" * 30
    assert ["a.txt"] == [member.name for member in Archive(body.getvalue(), is_any).members]


def test_an_archive_of_more_than_65535_entries_is_read() -> None:
    """As ZIP64 has it: the count stands in a wider record before the end (4.3.14)."""
    count, local = 65_540, struct.pack("<4s5H3L2H", b"PK\x03\x04", *bytes(10)) + b"x"
    entry = struct.pack("<4s6H3L5H2L", CENTRAL, *bytes(9), 1, *bytes(6))
    central = (entry + b"x") * count
    wide = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count,
                       len(central), len(local))  # fmt: skip
    where = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(local) + len(central), 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, *[0xFFFF] * 2, *[0xFFFFFFFF] * 2, 0)
    assert count == Archive(local + central + wide + where + end, lambda name: False).entries


def test_the_wide_sizes_of_an_entry_are_read() -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive, archive.open("a", "w", force_zip64=True) as file:
        file.write(b"hello")
    read = Archive(body.getvalue(), is_any)
    assert b"hello" == read.read(read.members[0], 10)


def test_agrees_with_the_standard_library() -> None:
    body = zipped({"a": b"1" * 1_000, "b/c": b"", "d.jar": guava()})
    with zipfile.ZipFile(io.BytesIO(body)) as theirs:
        expected = {name: theirs.read(name) for name in theirs.namelist()}
    ours = Archive(body, is_any)
    assert expected == {member.name: ours.read(member, MIB) for member in ours.members}
