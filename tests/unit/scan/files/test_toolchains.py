"""What Go, Rust, .NET and builders' notes leave in a program is read as they write it."""

from __future__ import annotations

import json
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.scan.files import dotnet, elf, examine, go, go_symbols, rust
from seawall.scan.files.model import Executable
from seawall.scan.model import PackageType, Role
from seawall.scan.readers import Found
from seawall.testing import executables

MAIN = "path\tgithub.com/acme/tool/cmd/tool"


def go_program(lines: list[str], toolchain: str = "go1.22.3") -> bytes:
    return executables.elf({".go.buildinfo": executables.go_build_info(toolchain, lines)})


def examined(content: bytes) -> Executable:
    found = examine.examine(content, "opt/app")
    assert found is not None
    return found


def packages(content: bytes) -> list[tuple[str, str]]:
    return [(each.name, each.version) for each in examined(content).found]


def test_go_modules_and_the_standard_library_are_listed() -> None:
    content = go_program([MAIN, "mod\tgithub.com/acme/tool\tv1.4.0\th1:x", "dep\tx.org/a\tv0.1.0"])
    assert [
        ("stdlib", "1.22.3"), ("github.com/acme/tool", "v1.4.0"), ("x.org/a", "v0.1.0")
    ] == packages(content)  # fmt: skip
    roles = [each.role for each in examined(content).found]
    assert [Role.BUNDLED, Role.INSTALLED, Role.BUNDLED] == roles


def test_a_replaced_go_module_is_its_replacement() -> None:
    lines = [MAIN, "dep\tx.org/a\tv0.1.0\th1:a", "=>\tx.org/fork\tv0.2.0\th1:b"]
    assert ("x.org/fork", "v0.2.0") in packages(go_program(lines))


def test_a_go_module_replaced_by_a_folder_keeps_its_name() -> None:
    lines = [MAIN, "dep\tx.org/a\tv0.1.0\th1:a", "=>\t./local\t\t"]
    assert ("x.org/a", "v0.1.0") in packages(go_program(lines))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (['build\t-ldflags="-s -X main.version=v2.1.0"'], "v2.1.0"),
        (["build\t-ldflags=-X github.com/acme/tool/internal.Version=2.1.0-rc1"], "v2.1.0-rc1"),
        (["build\t-ldflags=-X other.org/lib.Version=9.9.9"], ""),
        (
            ["build\tvcs.revision=0123456789abcdef0123", "build\tvcs.time=2024-02-03T04:05:06Z"],
            "v0.0.0-20240203040506-0123456789ab",
        ),
        ([], ""),
    ],
)
def test_the_main_version_of_a_checkout(settings: list[str], expected: str) -> None:
    content = go_program([MAIN, "mod\tgithub.com/acme/tool\t(devel)\t", *settings])
    assert ("github.com/acme/tool", expected) in packages(content)


@pytest.mark.parametrize(
    ("package", "module"),
    [
        ("go.etcd.io/etcd", "go.etcd.io/etcd"),
        ("gopkg.in/tool.v2/cmd/tool", "gopkg.in/tool.v2"),
        ("github.com/acme/tool/v3/cmd/tool", "github.com/acme/tool/v3"),
        ("github.com/acme", ""),
        ("command-line-arguments", ""),
        ("example.org//", ""),
    ],
)
def test_a_program_built_without_modules_names_its_module(package: str, module: str) -> None:
    assert module == go.module_of(package)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([b"1.1.5+ds1"], "v1.1.5+ds1"),
        ([b"v1.1.5-rc.1"], "v1.1.5-rc.1"),
        ([b"1.1.5", b"v1.1.5+ds1"], "v1.1.5"),
        ([b"1.1.5+ds1-1+deb12u1", b"1.1.5+ds1"], "v1.1.5+ds1"),
        ([b"1.1.5-rc1", b"1.1.5-rc2"], "v1.1.5"),
        ([b"1.1.5~ds1"], "v1.1.5"),
        ([b"1.1.5", b"1.1.6"], ""),
        ([b"1.1.5 and more"], ""),
    ],
)
def test_the_only_version_among_the_texts_is_the_main_one(
    texts: list[bytes], expected: str
) -> None:
    found = go.found_in(go.BuildInfo(toolchain="", package="go.etcd.io/etcd"), texts)
    assert [("go.etcd.io/etcd", expected)] == [(each.name, each.version) for each in found]


@pytest.mark.parametrize(
    ("toolchain", "expected"),
    [
        ("go1.22.3", "1.22.3"),
        ("go1.23rc1", "1.23rc1"),
        ("go1.20.7 X:boringcrypto", "1.20.7"),
        ("devel go1.25-d524e1e Sun Feb 16", "1.25"),
    ],
)
def test_the_toolchain_is_the_version_of_the_standard_library(
    toolchain: str, expected: str
) -> None:
    assert ("stdlib", expected) in packages(go_program([MAIN], toolchain))


@pytest.mark.parametrize(("bits", "word"), [(64, "Q"), (32, "I")])
def test_go_records_behind_pointers_are_read(bits: int, word: str) -> None:
    version, info = b"go1.15.9", b"0" * 16 + (MAIN + "\n").encode() + b"0" * 16
    size = struct.calcsize(word)

    def record(start: int) -> bytes:
        texts = start + 32 + 4 * size
        pointers = struct.pack("<2" + word, start + 32, start + 32 + 2 * size)
        heads = struct.pack("<4" + word, texts, len(version), texts + len(version), len(info))
        head = b"\xff Go buildinf:" + bytes((size, 0)) + pointers
        return head.ljust(32, b"\0") + heads + version + info

    content = executables.elf({".go.buildinfo": record(0)}, bits=bits)
    parsed = elf.parse(content)
    assert parsed is not None
    section = parsed.section(".go.buildinfo")
    assert section is not None
    content = executables.elf(
        {".go.buildinfo": record(executables.BASE + section.offset)}, bits=bits
    )
    found = go.parse(content, parsed)
    assert found is not None
    assert ("go1.15.9", "github.com/acme/tool/cmd/tool") == (found.toolchain, found.package)


def test_a_go_record_is_found_without_section_headers() -> None:
    content = executables.elf(
        {".go.buildinfo": executables.go_build_info("go1.21.0", [MAIN])}, has_section_headers=False
    )
    assert ("stdlib", "1.21.0") in packages(content)


def test_functions_of_a_go_program_are_known_as_advisories_spell_them() -> None:
    names = ["net/http.(*Server).Serve", "net/http.Header.Add", "gopkg.in/yaml%2ev3.Unmarshal",
             "x.org/a.Map[go.shape.int]", "main.main.func1"]  # fmt: skip
    info = executables.go_build_info("go1.22.3", [MAIN])
    content = executables.elf(
        {".go.buildinfo": info, ".gopclntab": executables.go_line_table(names)}
    )
    kept = examined(content).go_functions
    assert go_symbols.holds(kept, "net/http", "Server.Serve")
    assert go_symbols.holds(kept, "net/http", "Header.Add")
    assert go_symbols.holds(kept, "gopkg.in/yaml.v3", "Unmarshal")
    assert go_symbols.holds(kept, "x.org/a", "Map")
    assert go_symbols.holds(kept, "net/http", "Server.Close") is False


def test_functions_are_unknown_without_a_line_table() -> None:
    kept = examined(go_program([MAIN])).go_functions
    assert go_symbols.holds(kept, "net/http", "Server.Serve") is None


def test_crates_of_cargo_auditable_are_listed_without_build_tools() -> None:
    listed: list[dict[str, object]] = [
        {"name": "app", "version": "1.0.0", "source": "local", "root": True},
        {"name": "serde", "version": "1.0.1", "source": "registry"},
        {"name": "cc", "version": "1.0.0", "source": "registry", "kind": "build"},
    ]
    content = executables.elf({".dep-v0": executables.crates(listed)})
    assert [("app", "1.0.0"), ("serde", "1.0.1")] == packages(content)


def test_crates_are_read_from_the_paths_of_panic_messages() -> None:
    cached = b"/root/.cargo/registry/src/github.com-1ec/serde_json-1.0.85/src/de.rs"
    text = b"/rustc/abc/library/std/src/x.rs" + cached
    found = examined(executables.elf({".rodata": text})).found
    assert [(PackageType.CARGO, "serde_json", "1.0.85", Role.BUNDLED)] == [
        (each.type, each.name, each.version, each.role) for each in found
    ]
    assert found[0].evidence[0].confidence < 1


def test_a_damaged_list_of_crates_is_told_and_the_rest_stands() -> None:
    found = examined(executables.elf({".dep-v0": b"not zlib"}, build_id=b"1" * 20))
    assert "31" * 20 == found.build_id
    assert len(found.troubles) == 1


def test_the_list_of_crates_does_not_unpack_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rust, "MAX_LIST_BYTES", 1_000)
    bomb = executables.crates([{"name": "x" * 100_000, "version": "1"}])
    assert () == examined(executables.elf({".dep-v0": bomb})).found


def test_packages_of_a_dotnet_bundle_are_listed() -> None:
    deps = {"libraries": {"App/1.0.0": {"type": "project"}, "Json/13.0.1": {"type": "package"},
                          "Ref/1": {"type": "reference"}}}  # fmt: skip
    raw = json.dumps(deps).encode()
    body = executables.elf({".data": bytes(8) + dotnet._MARKER}) + raw
    start = len(body) - len(raw)
    header = struct.pack("<IIi", 6, 0, 1) + b"\x04abcd" + struct.pack("<QQ", start, len(raw))
    content = bytearray(body + header + bytes(64))
    place = content.index(dotnet._MARKER)
    content[place - 8 : place] = len(body).to_bytes(8, "little")
    assert [("App", "1.0.0"), ("Json", "13.0.1")] == packages(bytes(content))


def test_a_package_note_names_the_package() -> None:
    note = {"type": "rpm", "name": "systemd", "version": "252-1", "os": "fedora", "osVersion": "37"}
    found = examined(executables.elf(package_note=json.dumps(note).encode()))
    assert found.note is not None
    expected = (PackageType.RPM, "systemd", "252-1", "fedora 37")
    first: Found = found.found[0]
    assert expected == (first.type, first.name, first.version, first.vendor)


@given(st.binary(max_size=200))
def test_any_bytes_in_the_sections_of_toolchains_are_read(content: bytes) -> None:
    info = b"\xff Go buildinf:" + content
    for section in (".go.buildinfo", ".dep-v0", ".note.package", ".gopclntab", ".data"):
        parts = {section: info if section.startswith(".go.b") else content}
        examine.outline(executables.elf(parts))
        header = elf.parse(executables.elf(parts))
        assert header is not None
        go.parse(executables.elf(parts), header)
        go_symbols.functions(
            executables.elf({".gopclntab": b"\xf1\xff\xff\xff\0\0\x01\x08" + content}), header
        )


@given(st.text(max_size=300))
def test_any_build_record_is_read(text: str) -> None:
    found = go.parse(go_program([text]), elf.parse(go_program([text])))  # type: ignore[arg-type]
    assert found is not None
    go.found_in(found)


@pytest.mark.parametrize("section", [".note.package", ".dep-v0"])
def test_texts_that_are_not_unicode_break_nothing(section: str) -> None:
    """A single byte in a note must not stop the walk over a whole layer."""
    json_text = b'{"name":"\x80","version":"1","packages":[{"name":"\x80","version":"1"}]}'
    content = (
        executables.elf(package_note=json_text)
        if section == ".note.package"
        else executables.elf({section: zlib.compress(json_text)})
    )
    found = examined(content)
    assert () == found.found
