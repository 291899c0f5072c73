"""Packages and packs that lie, swell or break, made so that programs get a wrong name or none."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.cli import artifact_files, artifact_writing, fingerprint_files
from seawall.core.errors import DeniedError, InvalidInputError, SeawallError
from seawall.oci.names import RepositoryName
from seawall.scan.files import examine
from seawall.scan.fingerprints import archives, learn, pack
from seawall.scan.fingerprints.pack import LearnedFile, LearnedPackage
from seawall.scan.model import PackageType
from seawall.testing import artifacts, executables, packages
from seawall.testing.signatures import new_key

TOOL = executables.elf({".text": b"tool" * 300}, build_id=b"\x07" * 20)
CONTROL = "Package: x\nVersion: 1.0-1+deb12u1\nArchitecture: amd64\n"


def made(name: str = "tool") -> pack.Pack:
    package = LearnedPackage(
        type=PackageType.DEB, name=name, version="1.0", distribution="debian-12"
    )
    found = examine.examine(TOOL, "x")
    assert found is not None
    return pack.build("x", [LearnedFile(package=package, path="usr/bin/x", file=found)])


STORED: dict[str, Any] = msgspec.msgpack.decode(made().to_bytes())


def learned(content: bytes, name: str) -> int:
    return len(list(learn.learn(io.BytesIO(content), name)))


# -- packages

DEB = packages.deb(CONTROL, {"usr/bin/tool": TOOL})
APK = packages.apk({"pkgname": "x", "pkgver": "1-r0"}, {"usr/bin/tool": TOOL})
RPM = packages.rpm({1000: "x", 1001: "1", 1002: "1.fc41"}, {"usr/bin/tool": TOOL})
JAR = packages.jar("g", "a", "1", {"lib/tool.so": TOOL})


@settings(max_examples=150, deadline=None)
@given(
    content=st.sampled_from([DEB, APK, RPM, JAR]),
    at=st.integers(0, 4_000),
    byte=st.integers(0, 255),
)
def test_refuses_damaged_packages_with_a_sentence(content: bytes, at: int, byte: int) -> None:
    damaged = bytearray(content)
    damaged[at % len(damaged)] = byte
    for bad in (bytes(damaged), content[: at % len(content)]):
        with contextlib.suppress(SeawallError):  # nothing else may come out
            learned(bad, "x-1.tar")


@pytest.mark.parametrize(
    "content",
    [
        packages.deb("Package: x\nVersion: 1\n\nPackage: y\nVersion: 2\n", {}),
        packages.ar({"control.tar": b""}),
        b"!<arch>\n" + b"x" * 48 + b"-1        `\n",
        b"!<arch>\n" + b"x" * 48 + b"9999999999`\n",
        packages.deb("Package: x\x1b[31m\nVersion: 1\nArchitecture: all\n", {"x": TOOL}),
        packages.rpm({1000: "x" * 300, 1001: "1"}, {"x": TOOL}),
        packages.rpm({1000: "x\x07", 1001: "1"}, {"x": TOOL}),
        packages.rpm({1001: "1"}, {"x": TOOL}),
        RPM[:96] + b"\x8e\xad\xe8\x01" + bytes(4) + struct.pack(">II", 2**31, 2**31),
        RPM[:200],
        packages.zipped({"x": TOOL}),
        b"PK\x03\x04" + bytes(100),
        packages.npm("x\n", "1", {"x": TOOL}),
    ],
)
def test_refuses_packages_that_are_not_what_they_say(content: bytes) -> None:
    with pytest.raises(SeawallError):
        learned(content, "x.tar")


def test_refuses_a_package_that_swells() -> None:
    bomb = executables.elf({".text": b"tool" * 300}) + bytes(64 * 1024 * 1024)
    swollen = packages.deb(CONTROL, {f"usr/bin/{n}": bomb for n in range(2)})
    assert len(swollen) < 1024 * 1024
    with pytest.MonkeyPatch.context() as patch:
        limits = archives.LIMITS
        smaller = type(limits)(max_unpacked_bytes=100 * 1024 * 1024, max_ratio=2_000)
        patch.setattr(archives, "LIMITS", smaller)
        with pytest.raises(SeawallError):
            learned(swollen, "x.deb")


def test_refuses_a_zip_member_that_swells_beyond_what_it_says() -> None:
    jar = bytearray(packages.jar("g", "a", "1", {"lib/x.so": TOOL + bytes(1024 * 1024)}))
    size = struct.pack("<I", len(TOOL) + 1024 * 1024)
    while (place := jar.find(size)) >= 0:
        jar[place : place + 4] = struct.pack("<I", 100)
    with pytest.raises(SeawallError):
        learned(bytes(jar), "x.jar")


# -- packs


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"keys": b"\1" * 7},
        {"key_files": b"\xff" * len(STORED["key_files"])},
        {"key_files": b""},
        {"packages": []},
        {"files": []},
        {"files": [[-1, "x"]]},
        {"features": b"\1\0\0\0", "feature_sketches": b"\1\0\0\0"},
        {"sketches": [[0, "x", 0, 0, [], False]]},
        {"packages": [STORED["packages"][0] | {"name": "x\x1b[31m"}]},
        {"packages": [STORED["packages"][0] | {"version": "9" * 300}]},
        {"packages": [STORED["packages"][0] | {"name": ""}]},
        {"packages": [STORED["packages"][0] | {"type": "nothing"}]},
        {"name": "x\n"},
    ],
)
def test_refuses_packs_whose_tables_do_not_fit(change: dict[str, object]) -> None:
    content = msgspec.msgpack.encode(STORED | change)
    with pytest.raises(InvalidInputError):
        pack.from_bytes(content)


@pytest.mark.parametrize("name", ["packages", "files", "sketches"])
def test_refuses_packs_that_swell_in_memory(name: str) -> None:
    """Two bytes a file in the pack, two hundred in memory."""
    count = pack.MAX_FILES + 1
    item = {
        "packages": STORED["packages"][0],
        "files": [0, ""],
        "sketches": [0, "", 1, 1, [], False],
    }
    content = msgspec.msgpack.encode(STORED | {name: [item[name]] * count})
    with pytest.raises(InvalidInputError, match="length"):
        pack.from_bytes(content)


def test_refuses_to_list_a_key_without_end() -> None:
    same = 100_000
    (key,) = memoryview(STORED["keys"][:8]).cast("Q")
    tables = {"keys": STORED["keys"][:8] * same, "key_files": bytes(4 * same)}
    found = pack.from_bytes(msgspec.msgpack.encode(STORED | tables))
    assert pack.MAX_SAME == len(found.files_of(key))


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_refuses_or_reads_any_pack_and_its_lookups_stay_inside(at: int, byte: int) -> None:
    damaged = bytearray(made().to_bytes())
    damaged[at % len(damaged)] = byte
    try:
        found = pack.from_bytes(bytes(damaged))
    except InvalidInputError:
        return
    executable = examine.examine(TOOL, "x")
    assert executable is not None
    for _, key in pack.keys_of(executable):
        found.files_of(key)


# -- signed files


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("keys")
    found: dict[str, Any] = {}
    for name in ("ours", "theirs"):
        key = new_key()
        found[name] = key
        (folder / f"{name}.pub").write_bytes(key.public.pem)
        found[f"{name}.pub"] = folder / f"{name}.pub"
    return found


@pytest.fixture
def signed(tmp_path: Path, keys: dict[str, Any]) -> Path:
    path = tmp_path / "x.tar"
    fingerprint_files.write(path, "debian-12", made(), [keys["ours"]])
    return path


TYPE = artifact_files.FINGERPRINTS.artifact_type


def _other_pack(files: dict[str, bytes]) -> dict[str, bytes]:
    """Put another pack under the artifact's name, digests and all, the signatures left."""
    evil = made("evil").to_bytes()

    def change(manifest: dict[str, Any]) -> None:
        manifest["layers"][0] |= artifacts.described(evil)

    return artifacts.with_manifest(files, TYPE, change) | {artifacts.place(evil): evil}


def _changed_pack(files: dict[str, bytes]) -> dict[str, bytes]:
    layer = artifacts.manifest_of(files, TYPE)["layers"][0]["digest"].partition(":")[2]
    content = files[f"blobs/sha256/{layer}"]
    return files | {f"blobs/sha256/{layer}": content[:-1] + bytes([content[-1] ^ 1])}


def _no_signatures(files: dict[str, bytes]) -> dict[str, bytes]:
    index = json.loads(files["index.json"])
    return files | {
        "index.json": json.dumps(index | {"manifests": index["manifests"][:1]}).encode()
    }


@pytest.mark.parametrize("forge", [_other_pack, _changed_pack, _no_signatures])
def test_refuses_a_signed_file_that_was_altered(
    signed: Path, keys: dict[str, Any], forge: Callable[[dict[str, bytes]], dict[str, bytes]]
) -> None:
    artifacts.rewrite(signed, forge(artifacts.members(signed)))
    with pytest.raises(SeawallError):
        fingerprint_files.read(signed, [keys["ours.pub"]])


def test_refuses_a_file_that_somebody_else_signed(signed: Path, keys: dict[str, Any]) -> None:
    name, found, by = fingerprint_files.read(signed, [keys["ours.pub"]])
    assert ("debian-12", 1, 1) == (name, found.file_count, len(by))
    with pytest.raises(DeniedError):
        fingerprint_files.read(signed, [keys["theirs.pub"]])


def test_refuses_an_unsigned_file_unless_told(tmp_path: Path, keys: dict[str, Any]) -> None:
    path = tmp_path / "x.tar"
    fingerprint_files.write(path, "debian-12", made(), [])
    with pytest.raises(DeniedError):
        fingerprint_files.read(path, [keys["ours.pub"]])
    with pytest.raises(InvalidInputError, match="whose signature"):
        fingerprint_files.read(path, [])
    assert () == fingerprint_files.read(path, [], unsafe_unsigned=True)[2]


def test_refuses_a_pack_under_the_name_of_another(tmp_path: Path, keys: dict[str, Any]) -> None:
    path = tmp_path / "x.tar"
    signed_for_another = artifact_writing.Content(
        kind=artifact_files.FINGERPRINTS,
        name="debian-13",
        repository=RepositoryName("fingerprints/debian-12"),
        layers=[artifact_writing.Blob.of(made().to_bytes(), fingerprint_files.LAYER)],
        annotations={fingerprint_files.NAME: "debian-13"},
    )
    artifact_writing.write(path, signed_for_another, [keys["ours"]])
    with pytest.raises(DeniedError):
        fingerprint_files.read(path, [keys["ours.pub"]])


@pytest.mark.parametrize(
    "content", [b"", b"x" * 1000, base64.b64decode("H4sIAAAAAAAA"), packages.zipped({"x": b"x"})]
)
def test_refuses_what_is_no_export(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(content)
    with pytest.raises(SeawallError):
        fingerprint_files.read(path, [], unsafe_unsigned=True)
