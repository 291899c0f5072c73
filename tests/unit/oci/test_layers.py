"""Layers are read once, in bounded memory, as container engines read them."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.core.errors import LimitError
from seawall.oci import layers, media
from seawall.oci.bounds import (
    ArchiveError,
    ArchiveLimitError,
    Limits,
    MalformedArchiveError,
    UnsupportedArchiveError,
)
from seawall.oci.tar import Kind

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Read = list[tuple[str, Kind, bytes, bytes]]


def read_all(
    content: bytes, media_type: str = media.OCI_LAYER, limits: Limits | None = None
) -> Read:
    walk = layers.walk(io.BytesIO(content), media_type, limits or Limits())
    return [(e.path, e.kind, e.read(1 << 22), e.link) for e in walk]


def tar_of(*entries: tuple[str, bytes], layout: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=layout) as tar:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


PLAIN = tar_of(("etc/a", b"first"), ("etc/b", b"second" * 1000))
EXPECTED = [
    ("etc/a", Kind.FILE, b"first", b""),
    ("etc/b", Kind.FILE, b"second" * 1000, b""),
]


@pytest.mark.parametrize(
    "packed",
    [
        PLAIN,
        gzip.compress(PLAIN),
        gzip.compress(PLAIN[:700]) + gzip.compress(b"") + gzip.compress(PLAIN[700:]),
        gzip.compress(PLAIN) + bytes(1000),
        zstd.compress(PLAIN),
        zstd.compress(PLAIN[:700]) + zstd.compress(PLAIN[700:]),
        b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip" + zstd.compress(PLAIN),
    ],
    ids=["plain", "gzip", "members", "padded", "zstd", "frames", "skippable"],
)
def test_reads_every_compression_whatever_the_media_type_claims(packed: bytes) -> None:
    assert EXPECTED == read_all(packed, media.OCI_LAYER_GZIP)


def test_an_empty_layer_has_no_entries() -> None:
    assert [] == read_all(b"")
    assert [] == read_all(gzip.compress(b""))


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress], ids=["gzip", "zstd"])
def test_every_truncation_is_noticed(compress: object) -> None:
    packed = compress(PLAIN)  # type: ignore[operator]
    for size in range(1, len(packed)):
        with pytest.raises(MalformedArchiveError):
            read_all(packed[:size])


def test_a_changed_byte_in_a_gzip_stream_is_noticed() -> None:
    packed = bytearray(gzip.compress(PLAIN))
    packed[-6] ^= 1
    with pytest.raises(MalformedArchiveError):
        read_all(bytes(packed))


def test_refuses_compressions_and_types_that_are_not_supported() -> None:
    with pytest.raises(UnsupportedArchiveError, match="bzip2"):
        read_all(bz2.compress(PLAIN))
    for media_type in ("application/json", media.OCI_LAYER_GZIP + "+encrypted"):
        with pytest.raises(UnsupportedArchiveError):
            read_all(PLAIN, media_type)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("./etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("a/../b", "b"),
        ("a//b/./c/", "a/b/c"),
        ("./", ""),
        ("..a/b..", "..a/b.."),
        (".wh.x", ".wh.x"),
    ],
)
def test_paths_are_canonical(name: str, path: str) -> None:
    assert path == layers.canonical_path(name)


@given(st.text(alphabet="ab./", max_size=12))
def test_canonical_paths_are_stable_and_never_lead_out(name: str) -> None:
    try:
        path = layers.canonical_path(name)
    except ValueError:
        assert ".." in name
        return
    assert path == layers.canonical_path(path)
    assert not {"", ".", ".."} & set(path.split("/")) or path == ""


def test_whiteouts_are_told_from_other_names() -> None:
    assert "a/b" == layers.whiteout_of("a/.wh.b")
    assert "b" == layers.whiteout_of(".wh.b")
    for name in ("a/b", "a/.wh.", "a/.wh...", "a/.wh..", "a/.wh..wh..opq", "a/.wh..wh.plnk"):
        assert layers.whiteout_of(name) is None
    assert layers.is_opaque("a/.wh..wh..opq")
    assert layers.is_opaque(".wh..wh..opq")
    assert not layers.is_opaque("a/x.wh..wh..opq")


def test_content_larger_than_asked_for_is_refused_and_the_walk_goes_on() -> None:
    walk = layers.walk(io.BytesIO(PLAIN), media.OCI_LAYER)
    first = next(walk)
    with pytest.raises(LimitError):
        first.read(4)
    second = next(walk)
    assert b"seco" == second.head(4)
    assert b"" == second.head(4)
    assert (2, len(PLAIN)) == (walk.entries, walk.unpacked_bytes)


def test_an_entry_cannot_be_read_after_the_next() -> None:
    walk = layers.walk(io.BytesIO(PLAIN), media.OCI_LAYER)
    first = next(walk)
    next(walk)
    assert b"" == first.read(100)


def test_the_deadline_is_kept_by_the_given_clock() -> None:
    times = iter(range(0, 1000, 10))
    walk = layers.walk(
        io.BytesIO(gzip.compress(bytes(10 << 20))),
        media.OCI_LAYER,
        Limits(max_seconds=5),
        monotonic=lambda: next(times),
    )
    with pytest.raises(ArchiveLimitError) as caught:
        list(walk)
    assert "max_seconds" == caught.value.limit


NAMES = st.text(
    st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1, max_size=40
)
LONG = st.integers(1, 300).map(lambda n: "d/" * (n // 3) + "n" * (n // 2 + 1))
MEMBERS = st.lists(
    st.tuples(
        NAMES | LONG,
        st.sampled_from("f12345"),
        st.binary(max_size=2000),
        NAMES | LONG,
    ),
    max_size=8,
)
TYPES = {
    "f": tarfile.REGTYPE,
    "1": tarfile.LNKTYPE,
    "2": tarfile.SYMTYPE,
    "3": tarfile.CHRTYPE,
    "4": tarfile.BLKTYPE,
    "5": tarfile.DIRTYPE,
}


def archive(members: list[tuple[str, str, bytes, str]], layout: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=layout, encoding="utf-8") as tar:
        for name, kind, content, link in members:
            info = tarfile.TarInfo(name)
            info.type = TYPES[kind]
            if kind == "f":
                info.size = len(content)
            elif kind in "12":
                info.linkname = link
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def by_the_oracle(content: bytes) -> Read:
    result: Read = []
    kinds = {value: key for key, value in TYPES.items()} | {tarfile.AREGTYPE: "f"}
    names = {
        "f": Kind.FILE,
        "1": Kind.HARDLINK,
        "2": Kind.SYMLINK,
        "3": Kind.DEVICE,
        "4": Kind.DEVICE,
        "5": Kind.DIRECTORY,
    }
    with tarfile.open(fileobj=io.BytesIO(content), encoding="utf-8") as tar:
        for info in tar:
            try:
                path = layers.canonical_path(info.name)
            except ValueError:
                continue
            stream = tar.extractfile(info) if info.isreg() else None
            body = stream.read() if stream else b""
            link = info.linkname.encode() if info.islnk() or info.issym() else b""
            result.append((path, names[kinds[info.type]], body, link))
    return result


@given(MEMBERS, st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
@settings(max_examples=300, deadline=None)
def test_agrees_with_the_standard_library(
    members: list[tuple[str, str, bytes, str]], layout: int
) -> None:
    try:
        content = archive(members, layout)
    except ValueError:  # ustar cannot hold it
        return
    assert by_the_oracle(content) == read_all(content)


@given(MEMBERS, st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(max_size=8)), max_size=6))
@settings(max_examples=500, deadline=None)
def test_any_damage_ends_in_entries_or_in_one_of_our_errors(
    members: list[tuple[str, str, bytes, str]], damage: list[tuple[int, bytes]]
) -> None:
    content = bytearray(archive(members, tarfile.PAX_FORMAT))
    for place, data in damage:
        at = place % len(content)
        content[at : at + len(data)] = data
    # A wrong checksum would stop nearly every walk, so the headers are summed again.
    for at in range(0, len(content) - 511, 512):
        if content[at + 257 : at + 262] == b"ustar":
            content[at + 148 : at + 156] = b" " * 8
            content[at + 148 : at + 156] = b"%06o\0 " % sum(content[at : at + 512])
    for packed in (bytes(content), gzip.compress(bytes(content), 1), zstd.compress(bytes(content))):
        with contextlib.suppress(ArchiveError, LimitError):
            read_all(packed, limits=Limits(max_entries=1000, max_seconds=5))


@given(st.binary(max_size=3000))
@settings(max_examples=300, deadline=None)
def test_any_bytes_end_in_entries_or_in_one_of_our_errors(content: bytes) -> None:
    for prefix in (b"", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18"):
        with contextlib.suppress(ArchiveError, LimitError):
            read_all(prefix + content)


@pytest.mark.parametrize(
    "flags",
    [["-H", "gnu"], *(["-H", "pax", f"--sparse-version={v}"] for v in ("0.0", "0.1", "1.0"))],
    ids=["gnu", "pax 0.0", "pax 0.1", "pax 1.0"],
)
@pytest.mark.parametrize("holes", [1, 7, 60])
def test_sparse_files_of_gnu_tar_are_expanded(tmp_path: Path, flags: list[str], holes: int) -> None:
    if shutil.which("tar") is None:
        pytest.skip("needs GNU tar")
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        for n in range(holes):
            file.seek(n * 65536)
            file.write(b"%04d" % n * 1024)
        file.truncate(holes * 65536 + 12345)
    (tmp_path / "after").write_bytes(b"after")
    command = ["tar", "-C", str(tmp_path), *flags, "-S", "-cf", "-", "sparse", "after"]
    content = subprocess.run(command, check=True, capture_output=True).stdout
    assert len(content) < holes * 30000 + 30000, "tar did not store it sparsely"
    read = {name: body for name, _, body, _ in read_all(content)}
    assert {"sparse": path.read_bytes(), "after": b"after"} == read
    walk = layers.walk(io.BytesIO(content), media.OCI_LAYER)
    assert path.read_bytes()[:70000] == next(walk).head(70000)
    assert "after" == next(walk).path


@pytest.mark.parametrize("layout", ["gnu", "pax", "ustar", "v7"])
def test_agrees_with_the_standard_library_on_a_real_tree(layout: str) -> None:
    if shutil.which("tar") is None:
        pytest.skip("needs GNU tar")
    tree = Path(contextlib.__file__).parent
    command = ["tar", "-C", str(tree), "-H", layout, "-cf", "-", "email", "json", "encodings"]
    content = subprocess.run(command, check=True, capture_output=True).stdout
    read = read_all(gzip.compress(content))
    assert len(read) > 100
    assert by_the_oracle(content) == read
