"""Makes databases of rpm in all three containers, from headers of any content."""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

Value = str | list[str] | list[int]

STRING, INT32, ARRAY = 6, 4, 8
PAGE = 4096
DEMO: Mapping[int, Value] = {
    1000: "demo",
    1001: "1.4~rc1",
    1002: "3.el9",
    1003: [2],
    1011: "Example Ltd",
    1014: "MIT",
    1022: "x86_64",
    1035: ["ab" * 32, ""],
    1044: "demo-src-1.4~rc1-3.el9.src.rpm",
    1116: [0, 1],
    1117: ["demo", "share"],
    1118: ["/usr/bin/", "/usr/"],
    5011: [8],
    5096: "demo:1.4:820:abc",
}


def header(tags: Mapping[int, Value]) -> bytes:
    """Return a header as rpm writes it into its database."""
    index, data = b"", b""
    for tag, value in sorted(tags.items()):
        if isinstance(value, str):
            kind, count, body = STRING, 1, value.encode() + b"\0"
        elif numbers := [item for item in value if isinstance(item, int)]:
            data += bytes(-len(data) % 4)
            kind, count = INT32, len(numbers)
            body = struct.pack(f">{count}I", *numbers)
        else:
            kind, count = ARRAY, len(value)
            body = b"".join(str(text).encode() + b"\0" for text in value)
        index += struct.pack(">IIII", tag, kind, len(data), count)
        data += body
    return struct.pack(">II", len(tags), len(data)) + index + data


def sqlite(blobs: Sequence[bytes], folder: Path, page_size: int = PAGE) -> bytes:
    """Return a SQLite file as rpm makes it; written by SQLite itself."""
    path = folder / "made.sqlite"
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA page_size = {page_size}")
    connection.execute("CREATE TABLE Other (a TEXT, b INTEGER)")
    connection.execute(
        "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)"
    )
    connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(blob,) for blob in blobs])
    connection.commit()
    connection.close()
    return path.read_bytes()


def ndb(blobs: Sequence[bytes]) -> bytes:
    """Return an ndb file."""
    slots = b""
    body = b""
    for number, blob in enumerate(blobs, 1):
        start = PAGE + len(body)
        packed = struct.pack("<4sIII", b"BlbS", number, 1, len(blob)) + blob
        packed += bytes((-len(packed) - 12) % 16)
        packed += struct.pack("<II4s", zlib.adler32(packed), len(blob), b"BlbE")
        slots += struct.pack("<4sIII", b"Slot", number, start // 16, len(packed) // 16)
        body += packed
    empty = b"Slot" + bytes(12)
    head = struct.pack("<4sIIII", b"RpmP", 0, 1, 1, len(blobs) + 1).ljust(32, b"\0")
    return (
        (head + slots).ljust(PAGE - 32, b"\0")[: len(head + slots)]
        + empty * ((PAGE - len(head + slots)) // 16)
        + body
    )


def berkeley(blobs: Sequence[bytes], order: str = "<") -> bytes:
    """Return a Berkeley DB hash file: one page of pairs, values on overflow pages."""

    def page(number: int, kind: int, body: bytes, *, following: int = 0, extra: int = 0) -> bytes:
        head = struct.pack(order + "QIIIHHBB", 0, number, 0, following, extra, len(body), 0, kind)
        return (head + body).ljust(PAGE, b"\0")

    items = [struct.pack("<BI", 1, 0), struct.pack("<BI", 1, len(blobs))]
    overflow: list[bytes] = []
    room = PAGE - 26
    for number, blob in enumerate(blobs, 1):
        first = 2 + len(overflow)
        items.append(struct.pack("<BI", 1, number))
        items.append(struct.pack(order + "BxxxII", 3, first, len(blob)))
        parts = [blob[at : at + room] for at in range(0, len(blob), room)]
        for place, part in enumerate(parts):
            here = 2 + len(overflow)
            overflow.append(page(here, 7, part, following=here + 1 if part != parts[-1] else 0))
            assert place < len(parts)
    at, places, pairs = PAGE, [], b""
    for item in items:
        at -= len(item)
        places.append(at)
        pairs = item + pairs
    table = struct.pack(f"{order}{len(places)}H", *places)
    hashed = page(1, 13, table, extra=len(items))[: PAGE - len(pairs)] + pairs
    meta = struct.pack(order + "QIIII", 0, 0, 0x061561, 9, PAGE) + bytes([0, 8])
    return meta.ljust(PAGE, b"\0") + hashed + b"".join(overflow)
