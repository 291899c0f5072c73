"""Feeds that lie, swell, break off, or want holes to be forgotten."""

from __future__ import annotations

import io
import json
import struct
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from seawall.core.actor import SYSTEM
from seawall.core.errors import LimitError, SeawallError
from seawall.scan import feed_files, osv
from seawall.scan.advisories import Advisories
from seawall.scan.errors import BadFeedError, BadRecordError, FeedShrunkError
from seawall.store import Database
from seawall.testing.clocks import FakeClock

GOOD = {
    "id": "CVE-2026-1",
    "affected": [{"package": {"ecosystem": "PyPI", "name": "x"}, "versions": ["1.0"]}],
}


@pytest.fixture
def advisories(database: Database, clock: FakeClock) -> Advisories:
    return Advisories(database, clock)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def zip_of(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in entries.items():
            archive.writestr(name, body)
    return buffer.getvalue()


def test_refuses_zip_bomb_in_one_entry(advisories: Advisories, tmp_path: Path) -> None:
    bomb = zip_of(
        {"bomb.json": b" " * (osv.RECORD_MAX_BYTES * 4), "good.json": json.dumps(GOOD).encode()}
    )
    refresh = advisories.import_file(write(tmp_path / "x.zip", bomb), actor=SYSTEM)
    assert (1, 1) == (refresh.records, refresh.bad_records)


def test_refuses_feed_that_unpacks_without_end(
    advisories: Advisories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_files, "UNPACKED_MAX_BYTES", 4 << 20)
    for name, content in (
        ("lines.jsonl.zst", zstd.compress(b"\n" * (5 << 20))),
        ("line.jsonl.zst", zstd.compress(b"x" * (40 << 20))),
        ("many.zip", zip_of({f"{n}.json": b" " * (1 << 20) for n in range(6)})),
    ):
        with pytest.raises(LimitError):
            advisories.import_file(write(tmp_path / name, content), actor=SYSTEM)


def test_refuses_more_records_than_allowed(
    advisories: Advisories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_files, "RECORDS_MAX", 10)
    with pytest.raises(LimitError):
        advisories.import_file(write(tmp_path / "x.jsonl", b"{}\n" * 11), actor=SYSTEM)


def test_refuses_zip_directory_that_would_fill_the_memory(tmp_path: Path) -> None:
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 0xFFFFFFF0, 0, 0)
    with pytest.raises(LimitError):
        list(feed_files.records(write(tmp_path / "x.zip", b"PK\x03\x04" + end)))
    big = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 1 << 40, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 4, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 0xFFFFFFFF, 0, 0)
    with pytest.raises(LimitError):
        list(feed_files.records(write(tmp_path / "y.zip", b"PK\x03\x04" + big + locator + end)))


def test_refuses_zstd_window_that_would_fill_the_memory(tmp_path: Path) -> None:
    options = {zstd.CompressionParameter.window_log: 30}
    compressor = zstd.ZstdCompressor(options=options)
    body = compressor.compress(b"x" * 4_000_000) + compressor.flush()
    with pytest.raises(BadFeedError):
        list(feed_files.records(write(tmp_path / "x.jsonl.zst", body)))


def test_refuses_entry_that_is_encrypted_or_strangely_packed(
    advisories: Advisories, tmp_path: Path
) -> None:
    content = bytearray(zip_of({"a.json": b"{}", "b.json": json.dumps(GOOD).encode()}))
    central = content.index(b"PK\x01\x02")
    content[central + 8] |= 1  # "encrypted"
    refresh = advisories.import_file(write(tmp_path / "x.zip", bytes(content)), actor=SYSTEM)
    assert (1, 1) == (refresh.records, refresh.bad_records)


def test_refuses_record_with_ranges_without_end() -> None:
    versions = [f"1.{n}" for n in range(40_000)]
    entry = {"package": {"ecosystem": "PyPI", "name": "x"}, "versions": versions}
    with pytest.raises(BadRecordError):
        osv.parse(json.dumps(GOOD | {"affected": [entry] * 3}).encode())


def test_refuses_record_that_says_two_things_under_one_key() -> None:
    body = b'{"id": "CVE-1", "withdrawn": "2026-01-01", "withdrawn": null}'
    with pytest.raises(BadRecordError):
        osv.parse(body)


def test_refuses_id_that_could_write_to_a_terminal_or_page(
    advisories: Advisories, tmp_path: Path
) -> None:
    lines = [
        json.dumps({"id": hostile}) for hostile in ("\x1b[2J", "<script>", "a b", "", "\u202e")
    ]
    lines.append(json.dumps(GOOD))
    path = write(tmp_path / "x.jsonl", "\n".join(lines).encode())
    refresh = advisories.import_file(path, actor=SYSTEM)
    assert (1, 5) == (refresh.records, refresh.bad_records)
    assert all(bad.reason.isprintable() for bad in refresh.bad)


def test_refuses_edition_that_forgets_holes(advisories: Advisories, tmp_path: Path) -> None:
    def edition(count: int) -> Path:
        lines = (json.dumps(GOOD | {"id": f"CVE-2026-{n}"}) for n in range(count))
        return write(tmp_path / "x.jsonl", "\n".join(lines).encode())

    advisories.import_file(edition(100), actor=SYSTEM)
    with pytest.raises(FeedShrunkError):
        advisories.import_file(edition(49), actor=SYSTEM)
    assert 100 == advisories.feeds()[0].records


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.binary(max_size=300),
    head=st.sampled_from([b"", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"[", b"{"]),
    ending=st.sampled_from([".json", ".jsonl", ".zip", ".jsonl.zst"]),
)
def test_refuses_noise_in_every_shape(
    tmp_path: Path, content: bytes, head: bytes, ending: str
) -> None:
    path = write(tmp_path / f"noise{ending}", head + content)
    try:
        for _, record in feed_files.records(path):
            record()
    except SeawallError:
        pass


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.integers(0, 400), byte=st.integers(0, 255))
@example(at=290, byte=1)  # an entry that begins before the file does
def test_refuses_zip_with_any_byte_changed_or_reads_it(tmp_path: Path, at: int, byte: int) -> None:
    content = bytearray(zip_of({"a.json": json.dumps(GOOD).encode(), "b.json": b"{}"}))
    content[at % len(content)] = byte
    path = write(tmp_path / "x.zip", bytes(content))
    try:
        for _, record in feed_files.records(path):
            record()
    except SeawallError:
        pass


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("place", ["ecosystem", "name", "fixed"])
def test_refuses_a_record_with_a_character_that_databases_treat_differently_and_keeps_the_rest(
    advisories: Advisories, tmp_path: Path, place: str
) -> None:
    """U+0000 ends a text for PostgreSQL: the statement, and with it the import, would fail."""
    evil = {"ecosystem": "PyPI", "name": "y", "fixed": "2.0"}
    evil[place] += "\0"
    package = {"ecosystem": evil["ecosystem"], "name": evil["name"]}
    events = [{"introduced": "0"}, {"fixed": evil["fixed"]}]
    record = {
        "id": "CVE-2026-2",
        "affected": [{"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}]}],
    }
    lines = f"{json.dumps(record)}\n{json.dumps(GOOD)}\n".encode()
    refresh = advisories.import_file(write(tmp_path / "PyPI.jsonl", lines), actor=SYSTEM)
    assert ["CVE-2026-1"] == list(refresh.added)
    assert 1 == refresh.bad_records
