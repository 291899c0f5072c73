"""Headers are read as the formats' specifications say; wrecks are read as far as they go."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.scan.files import elf, examine, macho, pe
from seawall.scan.files.model import Format
from seawall.testing import executables


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("order", ["<", ">"])
def test_elf_tells_who_linked_it_and_what_it_loads(bits: int, order: str) -> None:
    content = executables.elf(
        {".text": b"\x90" * 100},
        bits=bits,
        order=order,
        build_id=b"\xab\xcd" * 10,
        needed=["libz.so.1", "libc.so.6"],
        soname="libx.so.2",
        interpreter="/lib/ld.so",
    )
    found = elf.parse(content)
    assert found is not None
    assert ("abcd" * 10, "libx.so.2") == (found.build_id, found.soname)
    assert ("libz.so.1", "libc.so.6") == found.needed
    assert ("/lib/ld.so", "library", "amd64") == (found.interpreter, found.kind, found.machine)
    assert (bits, order) == (found.bits, found.byte_order)
    assert found.is_stripped


def test_elf_without_section_headers_is_read_by_its_segments() -> None:
    content = executables.elf(
        {".text": b"\x90" * 100}, build_id=b"\x01" * 20, needed=["libz.so.1"],
        has_section_headers=False,
    )  # fmt: skip
    found = elf.parse(content)
    assert found is not None
    assert ("01" * 20, ("libz.so.1",), ()) == (found.build_id, found.needed, found.sections)


def test_a_symbol_table_means_not_stripped() -> None:
    found = elf.parse(executables.elf(has_symbols=True))
    assert found is not None
    assert not found.is_stripped


def test_appended_bytes_are_counted_and_change_neither_build_id_nor_code() -> None:
    content = executables.elf({".text": b"\x90" * 600}, build_id=b"\x01" * 20)
    plain, longer = (examine.examine(each, "x") for each in (content, content + b"more"))
    assert plain is not None
    assert longer is not None
    assert (0, 4) == (plain.appended, longer.appended)
    assert plain.sha256 != longer.sha256
    assert (plain.build_id, plain.code_sha256) == (longer.build_id, longer.code_sha256)


def test_upx_is_named() -> None:
    found = examine.outline(executables.elf({".x": b"UPX!"}))
    assert found is not None
    assert "upx" == found.packed_by


@pytest.mark.skipif(not shutil.which("readelf"), reason="needs readelf, and it is absent")
def test_agrees_with_readelf_on_this_interpreter() -> None:
    path = Path(sys.executable).resolve()
    if path.read_bytes()[:4] != b"\x7fELF":
        pytest.skip("this interpreter is no ELF file")
    told = subprocess.run(
        ["readelf", "-n", "-d", "-W", str(path)], capture_output=True, text=True, check=True
    ).stdout
    found = elf.parse(path.read_bytes())
    assert found is not None
    assert found.build_id in told
    assert all(f"[{name}]" in told for name in found.needed)
    assert told.count("(NEEDED)") == len(found.needed)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"\x7fELF\x02\x01\x01\x00", Format.ELF),
        (b"MZ\x90\x00\x03\x00\x00\x00", Format.PE),
        (b"\xcf\xfa\xed\xfe\x07\x00\x00\x01", Format.MACHO),
        (b"\xca\xfe\xba\xbe\x00\x00\x00\x02", Format.MACHO),
        (b"\xca\xfe\xba\xbe\x00\x00\x00\x34", None),  # a Java class
        (b"#!/bin/s", Format.SCRIPT),
        (b"PK\x03\x04\x00\x00\x00\x00", None),
        (b"", None),
    ],
)
def test_the_format_is_told_by_the_first_bytes(start: bytes, expected: Format | None) -> None:
    assert expected == examine.format_of(start)


def test_a_script_tells_its_interpreter() -> None:
    found = examine.examine(b"#!/usr/bin/env python3\nprint()\n", "bin/x")
    assert found is not None
    assert ("script", "/usr/bin/env python3") == (found.kind, found.interpreter)


def assembly(version: str) -> bytes:
    """Return a managed PE library whose version resource gives this ProductVersion."""

    def block(key: str, value: bytes, children: bytes, is_text: bool) -> bytes:
        head = key.encode("utf-16-le") + b"\0\0"
        head += bytes(-(6 + len(head)) % 4)
        body = head + value + bytes(-len(value) % 4) + children
        count = len(value) // 2 if is_text else len(value)
        return struct.pack("<HHH", 6 + len(body), count, is_text) + body

    texts = b""
    for key, value in (("OriginalFilename", "Some.Library.dll"), ("ProductVersion", version)):
        text = block(key, value.encode("utf-16-le") + b"\0\0", b"", True)
        texts += text + bytes(-len(text) % 4)
    table = block("000004b0", b"", texts, True)
    info = block("VS_VERSION_INFO", bytes(52), block("StringFileInfo", b"", table, True), False)

    def directory(number: int, target: int) -> bytes:
        return bytes(12) + struct.pack("<HHII", 0, 1, number, target)

    tree = directory(16, 0x80000018) + directory(1, 0x80000030) + directory(0, 0x48)
    tree += struct.pack("<IIII", 0x1000 + 0x58, len(info), 0, 0)
    section = tree + info
    optional = struct.pack("<H", 0x20B) + bytes(22) + struct.pack("<Q", 0x180000000)
    optional = optional.ljust(112, b"\0") + bytes(16) + struct.pack("<II", 0x1000, len(section))
    optional = optional.ljust(112 + 14 * 8, b"\0") + struct.pack("<II", 0x1000, 72) + bytes(8)
    coff = b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, len(optional), 0x2022)
    header = b".rsrc\0\0\0" + struct.pack("<IIII", len(section), 0x1000, len(section), 0x400)
    start = b"MZ" + bytes(58) + struct.pack("<I", 64)
    return (start + coff + optional + header.ljust(40, b"\0")).ljust(0x400, b"\0") + section


def test_an_assembly_tells_name_and_version() -> None:
    found = examine.examine(assembly("2.5.1-beta.1+abc"), "app/x.dll")
    assert found is not None
    assert [("nuget", "Some.Library", "2.5.1-beta.1")] == [
        (each.type, each.name, each.version) for each in found.found
    ]
    assert ("library", "amd64") == (found.kind, found.machine)


def test_a_mach_o_file_tells_id_and_libraries() -> None:
    name = b"/usr/lib/libz.1.dylib\0\0\0"
    library = struct.pack("<6I", 0xC, 24 + len(name), 24, 0, 0, 0) + name
    uuid = struct.pack("<II", 0x1B, 24) + bytes(range(16))
    commands = library + uuid
    head = b"\xcf\xfa\xed\xfe" + struct.pack("<7I", 0x100000C, 0, 2, 2, len(commands), 0, 0)
    found = macho.parse(head + commands)
    assert found is not None
    assert ("arm64", "program", bytes(range(16)).hex()) == (found.machine, found.kind, found.uuid)
    assert ("/usr/lib/libz.1.dylib",) == found.needed


SAMPLES = [
    executables.elf({".text": b"x" * 64}, build_id=b"1" * 20, needed=["a"], soname="b"),
    executables.elf({".x": b"y"}, bits=32, order=">", package_note=b"{}"),
    assembly("1.0.0"),
    b"\xcf\xfa\xed\xfe" + struct.pack("<7I", 7, 0, 2, 1, 72, 0, 0) + struct.pack("<II", 0x19, 72)
    + bytes(64),
]  # fmt: skip


@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255))))
def test_any_change_of_bytes_is_read_without_an_error(
    content: bytes, changes: list[tuple[int, int]]
) -> None:
    changed = bytearray(content)
    for place, value in changes:
        changed[place % len(changed)] = value
    for read in (elf.parse, pe.parse, macho.parse, examine.outline):
        read(bytes(changed))
        read(bytes(changed[: len(changed) // 2]))
