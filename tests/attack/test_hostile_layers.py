"""Threat: a pushed layer is built to crash, stall, exhaust or mislead the scanner.

Each is contained: what was read before stays, a notice says what happened, the inventory says that
it is partial, and time and memory stay within the limits.
"""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.core.limits import MIB
from seawall.oci import media
from seawall.oci.bounds import Limits
from seawall.scan import inventory, inventory_facts, inventory_layer
from seawall.scan.image_source import LayerSource
from seawall.scan.model import Inventory, NoticeKind
from seawall.scan.system import all as managers

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STATUS = (
    b"Package: known\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0\n"
    b"Description: x\n\n"
)
METADATA = b"Metadata-Version: 2.1\nName: Known\nVersion: 1.0\n\nText"


def header(name: str | bytes, size: int = 0, kind: bytes = b"0", **fields: bytes) -> bytes:
    """Return a ustar header; `fields` overwrite by name, before the checksum is set."""
    places = {"size": (124, 12), "linkname": (157, 100), "mode": (100, 8), "magic": (257, 8)}
    raw = name if isinstance(name, bytes) else name.encode()
    block = bytearray(512)
    block[0 : len(raw[:100])] = raw[:100]
    block[100:108] = b"0000644\0"
    block[124:136] = b"%011o\0" % size
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    for field, value in fields.items():
        start, length = places[field]
        block[start : start + length] = value.ljust(length, b"\0")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def member(name: str | bytes, content: bytes = b"", kind: bytes = b"0", **fields: bytes) -> bytes:
    padding = bytes(-len(content) % 512)
    return header(name, len(content), kind, **fields) + content + padding


GOOD = member("var/lib/dpkg/status", STATUS)
END = bytes(1024)


def source(content: bytes, media_type: str = media.OCI_LAYER_GZIP, n: int = 0) -> LayerSource:
    return LayerSource(
        digest=f"sha256:{n:064x}",
        media_type=media_type,
        size=len(content),
        open=lambda: io.BytesIO(content),
    )


def scan(*layers: bytes, limits: Limits | None = None) -> Inventory:
    sources = [source(content, n=n) for n, content in enumerate(layers)]
    return inventory.take(sources, None, limits=limits or Limits())


def assert_contained(found: Inventory, kind: NoticeKind, text: str = "") -> None:
    assert found.is_partial
    assert [kind] == [notice.kind for notice in found.notices]
    assert text in found.notices[0].message
    assert [("known", "1.0")] == [(c.name, c.version) for c in found.components]


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress], ids=["gzip", "zstd"])
def test_refuses_decompression_bomb(compress: Callable[[bytes], bytes]) -> None:
    bomb = compress(GOOD + header("zeros", 1 << 30)) + b"".join(
        [compress(bytes(64 * MIB))] * 16  # members of one stream
    )
    started = time.monotonic()
    found = scan(bomb, limits=Limits(ratio_free_bytes=32 * MIB))
    assert_contained(found, NoticeKind.LIMIT, "to one")
    assert time.monotonic() - started < 10


def test_refuses_more_bytes_than_the_limit() -> None:
    found = scan(GOOD + member("big", bytes(3 * MIB)), limits=Limits(max_unpacked_bytes=MIB))
    assert_contained(found, NoticeKind.LIMIT, "bytes unpacked")


def test_refuses_a_million_tiny_entries_and_stays_small() -> None:
    entries = b"".join(header(f"d/{n}") for n in range(1000))
    bomb = gzip.compress(GOOD + entries, 1) + gzip.compress(entries, 1) * 1000
    tracemalloc.start()
    try:
        found = scan(bomb, limits=Limits(max_entries=40_000, ratio_free_bytes=1 << 40))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert_contained(found, NoticeKind.LIMIT, "entries")
    assert peak < 64 * MIB


def test_refuses_endless_empty_members() -> None:
    found = scan(gzip.compress(GOOD) + gzip.compress(b"") * 5000, limits=Limits(max_members=1000))
    assert_contained(found, NoticeKind.LIMIT, "members")


def test_refuses_to_read_longer_than_the_deadline() -> None:
    clock = iter(range(1_000_000))
    content = gzip.compress(GOOD + member("big", bytes(50 * MIB)))
    found = inventory.take(
        [source(content)], None, limits=Limits(max_seconds=20), monotonic=lambda: next(clock)
    )
    assert_contained(found, NoticeKind.LIMIT, "seconds")


def test_refuses_to_spend_more_than_the_deadline_on_all_layers_together() -> None:
    clock = iter(range(1_000_000))
    layers = [source(gzip.compress(member(f"f{n}", bytes(9 * MIB)), 1), n=n) for n in range(8)]
    found = inventory.take(layers, None, max_seconds=30, monotonic=lambda: next(clock))
    assert found.is_partial
    assert {NoticeKind.LIMIT} == {notice.kind for notice in found.notices}


@pytest.mark.parametrize("cut", [600, 1024, 1300])
def test_refuses_truncated_archive(cut: int) -> None:
    content = GOOD + member("etc/x", b"y" * 600)
    found = scan(content[: len(GOOD) + cut])
    assert found.is_partial == (cut != 1024 + 512)
    assert_contained(found, NoticeKind.MALFORMED_LAYER, "ends inside")


def test_refuses_truncated_gzip_stream() -> None:
    packed = gzip.compress(GOOD + END)
    assert_contained(scan(packed[:-4]), NoticeKind.MALFORMED_LAYER, "too early")


@pytest.mark.parametrize(
    "name", ["../etc/passwd", "/../x", "a/../../x", "./../x", "../" * 500 + "x"]
)
def test_refuses_path_that_leads_out_of_the_root(name: str) -> None:
    record = f"path={name}\n"
    length = len(record) + 1
    while len(f"{length} {record}") != length:
        length += 1
    pax = member("p", f"{length} {record}".encode(), b"x")
    found = scan(pax + member("x", b"evil") + GOOD + END)
    assert_contained(found, NoticeKind.SUSPICIOUS_PATH, "leads out")


def test_refuses_whiteouts_that_lead_out_of_their_directory() -> None:
    escape = member("var/lib/dpkg/.wh...") + member("var/lib/dpkg/.wh..") + END
    found = scan(GOOD + END, escape)
    assert ["known"] == [component.name for component in found.components]


def test_refuses_endless_paths_and_depths() -> None:
    long_name = b"n" * 5000
    deep_name = b"d/" * 1000 + b"x"
    content = b"".join(
        member("././@LongLink", name + b"\0", b"L") + member("short")
        for name in (long_name, deep_name)
    )
    found = scan(content + GOOD + END)
    assert_contained(found, NoticeKind.SUSPICIOUS_PATH, "2 entries")


def test_refuses_nul_in_a_pax_path() -> None:
    record = b"30 path=var/lib/dpkg/status\0x\n"
    assert 30 == len(record)
    found = scan(GOOD + member("p", record, b"x") + member("x"))
    assert_contained(found, NoticeKind.MALFORMED_LAYER, "NUL")


def test_reads_names_only_up_to_nul() -> None:
    found = scan(member(b"var/lib/dpkg/status\0/../../evil", STATUS) + END)
    assert ["known"] == [component.name for component in found.components]


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_refuses_giant_extension_header(kind: bytes) -> None:
    found = scan(GOOD + header("p", 1 << 33, kind))
    assert_contained(found, NoticeKind.LIMIT, "extension header")


@pytest.mark.parametrize(
    "record", [b"5 a=b\n", b"99 a=b\n", b"0 a=b\n", b"a=b\n", b"-6 a=b\n", b"6 abc\n", b"4 =\n"]
)
def test_refuses_pax_records_that_do_not_parse(record: bytes) -> None:
    found = scan(GOOD + member("p", record, b"x") + member("x"))
    assert_contained(found, NoticeKind.MALFORMED_LAYER)


def test_refuses_a_pax_header_of_a_million_records_quickly() -> None:
    started = time.monotonic()
    scan(GOOD + member("p", b"6 a=b\n" * 170_000, b"x") + member("x") + END)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "size",
    [b"\xff" * 12, b"\x80" + b"\xff" * 11, b"00000000009\0", b"-0000000001\0", b"1_000\0"],
)
def test_refuses_sizes_that_are_no_sizes(size: bytes) -> None:
    found = scan(GOOD + header("x", size=0, **{"mode": b"0000644\0"}) + END)
    assert not found.is_partial
    bad = bytearray(header("x"))
    bad[124:136] = size
    bad[148:156] = b" " * 8
    bad[148:156] = b"%06o\0 " % sum(bad)
    assert_contained(scan(GOOD + bytes(bad)), NoticeKind.MALFORMED_LAYER)


def test_refuses_wrong_checksum() -> None:
    bad = bytearray(member("x"))
    bad[0] ^= 1
    assert_contained(scan(GOOD + bytes(bad)), NoticeKind.MALFORMED_LAYER, "checksum")


def test_refuses_entries_hidden_behind_one_block_of_zeros() -> None:
    found = scan(GOOD + bytes(512) + member("x") + END)
    assert_contained(found, NoticeKind.MALFORMED_LAYER, "zeros")


def test_refuses_a_sparse_map_that_lies() -> None:
    block = bytearray(header("s", 512, b"S", magic=b"ustar  \0"))
    block[386:398] = b"%011o\0" % 5000
    block[398:410] = b"%011o\0" % 512
    block[483:495] = b"%011o\0" % 100
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    found = scan(GOOD + bytes(block) + bytes(512))
    assert_contained(found, NoticeKind.MALFORMED_LAYER, "sparse")


def test_a_global_pax_header_cannot_rename_what_follows() -> None:
    record = b"30 path=usr/share/doc/nothing\n"
    assert 30 == len(record)
    found = scan(member("g", record, b"g") + GOOD + END)
    assert ["known"] == [component.name for component in found.components]


def link(name: str, target: str, kind: bytes = b"2") -> bytes:
    return header(name, 0, kind, linkname=target.encode())


@pytest.mark.parametrize(
    "links",
    [
        link("var/lib/dpkg", "dpkg"),
        link("var/lib/dpkg", "/var/lib/a") + link("var/lib/a", "dpkg"),
        link("var", "var/x"),
    ],
)
def test_refuses_loops_of_symbolic_links(links: bytes) -> None:
    python = member("opt/k.dist-info/METADATA", METADATA)
    found = scan(python + links + END)
    assert_contained(found, NoticeKind.MALFORMED_FILE, "symbolic links")


def test_a_database_behind_symbolic_links_is_found() -> None:
    moved = member("opt/dpkg/status", STATUS) + link("var/lib/dpkg", "../../opt/dpkg") + END
    assert ["known"] == [component.name for component in scan(moved).components]
    across = scan(link("var/lib/dpkg", "/opt/dpkg") + END, member("var/lib/dpkg/status", STATUS))
    assert ["known"] == [component.name for component in across.components]
    assert not across.is_partial


def test_a_database_that_is_a_hard_link_to_another_name_is_found() -> None:
    hidden = member("opt/data", STATUS) + link("var/lib/dpkg/status", "opt/data", b"1") + END
    found = scan(hidden)
    assert ["known"] == [component.name for component in found.components]
    assert not found.is_partial


def test_refuses_a_hard_link_to_nothing() -> None:
    python = member("opt/k.dist-info/METADATA", METADATA)
    found = scan(python + link("var/lib/dpkg/status", "opt/gone", b"1") + END)
    assert_contained(found, NoticeKind.MALFORMED_FILE, "hard link")


def test_a_sparse_database_is_read() -> None:
    record = (
        b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n39 GNU.sparse.name=var/lib/dpkg/status\n"
        b"%d GNU.sparse.realsize=%d\n"
    )
    size = len(STATUS)
    length = len(b"00 GNU.sparse.realsize=%d\n" % size)
    stored = f"1\n0\n{size}\n".encode().ljust(512, b"\0") + STATUS
    content = member("p", record % (length, size), b"x") + member("GNUSparseFile.0/status", stored)
    found = scan(content + END)
    assert ["known"] == [component.name for component in found.components], found.notices


def test_refuses_a_package_file_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    (dpkg,) = (r for r in managers.READERS if r.manager == "dpkg")
    small = managers.Table([replace(dpkg, max_bytes=1000)])
    monkeypatch.setattr(managers, "TABLE", small)
    python = member("opt/k.dist-info/METADATA", METADATA)
    found = scan(python + member("var/lib/dpkg/status", STATUS * 20) + END)
    assert_contained(found, NoticeKind.MALFORMED_FILE, "bytes, more than")


def test_refuses_to_keep_more_than_its_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory_layer, "MAX_KEPT_BYTES", 100_000)
    links = b"".join(link(f"l/{n}", "x" * 90) for n in range(1000))
    assert_contained(scan(GOOD + links), NoticeKind.LIMIT, "package data")


def test_refuses_hostile_names_and_versions_in_the_database() -> None:
    evil = (
        STATUS + STATUS.replace(b"known", b"ev\x1b[2Jil") + STATUS.replace(b"1.0", b"1.0<script>")
    )
    found = scan(member("var/lib/dpkg/status", evil) + END)
    assert_contained(found, NoticeKind.MALFORMED_FILE, "2 entries")


def test_refuses_control_characters_in_notices_and_paths() -> None:
    content = member("opt/\x1b[31m\n.dist-info/METADATA", METADATA) + member("../\x1b[2J") + END
    found = scan(content)
    texts = [notice.message for notice in found.notices] + [c.path for c in found.components]
    assert 2 == len(texts)
    assert all(text.isprintable() for text in texts)


def test_refuses_bytes_that_are_no_layer() -> None:
    python = gzip.compress(member("opt/k.dist-info/METADATA", METADATA) + END)
    found = inventory.take([source(python), source(b"{}", "application/json", 1)], None)
    assert_contained(found, NoticeKind.UNSUPPORTED_LAYER, "application/json")


def test_the_archive_of_a_broken_disk_is_an_error_and_not_a_finding() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError("disk")

    def opened() -> BinaryIO:
        return Broken()

    layer = LayerSource(
        digest="sha256:" + "0" * 64, media_type=media.OCI_LAYER, size=1, open=opened
    )
    with pytest.raises(OSError, match="disk"):
        inventory.take([layer], None)


def test_removing_kept_directories_again_and_again_stays_cheap() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for n in range(3000):
            for name in (f"k/{n}.dist-info/METADATA", f"r/{n}/x.dist-info/METADATA", f"r/{n}"):
                info = tarfile.TarInfo(name)
                info.size = len(METADATA) if name.endswith("METADATA") else 0
                tar.addfile(info, io.BytesIO(METADATA))
    started = time.monotonic()
    found = scan(buffer.getvalue())
    assert 3000 == len(found.components)
    assert time.monotonic() - started < 10


def test_refuses_to_keep_secrets_without_end() -> None:
    token = b"glpat-Zx8Yw7Vu6Ts5Rq4Po3Nm\n"
    files = b"".join(member(f"srv/{n}.conf", token) for n in range(3000))
    found = scan(files + member("srv/all.conf", token * 30_000) + GOOD + END)
    assert ["known"] == [one.name for one in found.components]
    assert inventory_layer.MAX_SECRET_FILES == len(found.weaknesses)


@pytest.mark.parametrize(
    "piece",
    [
        b"-----BEGIN PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\n" + b"-" * 900,
        b"://a:",
        b"machine a login a ",
        b"aws secret ",
        b"eyJaaaaaaaaaa.",
        b"client-key-data:",
        b"a:$6$",
    ],
)
def test_refuses_to_look_long_for_what_only_begins_like_a_secret(piece: bytes) -> None:
    body = (piece * (MIB // len(piece)))[:MIB]
    started = time.monotonic()
    for name in ("srv/x", "srv/.env", "etc/shadow"):
        scan(member(name, body) + GOOD + END)
    assert time.monotonic() - started < 15


def test_refuses_to_follow_links_that_make_every_path_expensive() -> None:
    far = "/".join(["a"] * 45)
    links = b"".join(link("/".join(["a"] * n) or "a", f"/{far}") for n in range(1, 40))
    files = b"".join(member(f"{far}/{n}.dist-info/METADATA", METADATA) for n in range(300))
    started = time.monotonic()
    scan(links + GOOD + END, files + links + END, links + files + END)
    assert time.monotonic() - started < 10


def test_refuses_to_combine_layers_without_end() -> None:
    sources = [source(GOOD + END), source(member("x") + END, n=1)]
    facts = [inventory_layer.facts_of(one) for one in sources]
    late = iter([False, True])
    found = inventory.combine(sources, facts, None, is_late=lambda: next(late))
    assert_contained(found, NoticeKind.LIMIT, "out of time")


PARTS = st.sampled_from(
    [
        "var",
        "lib",
        "dpkg",
        "status",
        "status.d",
        "info",
        "a.list",
        "..",
        ".",
        "x.dist-info",
        "METADATA",
        ".wh.lib",
        ".wh..wh..opq",
        "a.egg-info",
        "etc",
        "os-release",
        "usr",
        "\udcff",
    ]
)
NAMES = st.lists(PARTS, min_size=1, max_size=6).map("/".join) | st.just("var/lib/dpkg/status")
MEMBERS = st.lists(
    st.tuples(
        NAMES, st.sampled_from(b"01256xLKS"), st.binary(max_size=80) | st.just(STATUS), NAMES
    ),
    max_size=10,
)


@given(st.lists(MEMBERS, min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_any_archive_ends_in_an_inventory(layers: list[list[tuple[str, int, bytes, str]]]) -> None:
    made = [
        b"".join(
            member(
                name.encode("utf-8", "surrogateescape"),
                content if kind in b"0xLKS" else b"",
                bytes([kind]),
                linkname=target.encode("utf-8", "surrogateescape")[:100],
            )
            for name, kind, content, target in members
        )
        for members in layers
    ]
    found = scan(*made)
    assert found == msgspec.json.decode(msgspec.json.encode(found), type=Inventory)
    assert all(notice.message.isprintable() for notice in found.notices)
    for n, content in enumerate(made):
        facts = inventory_layer.facts_of(source(content, n=n))
        assert facts == inventory_facts.from_bytes(inventory_facts.to_bytes(facts))
