"""Packages of distributions and languages, made by hand so that tests can also make broken ones."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Mapping

Files = Mapping[str, bytes]


def deb(control: str, files: Files) -> bytes:
    """Return a .deb (deb(5)); `control` is the text of its control file."""
    return ar(
        {
            "debian-binary": b"2.0\n",
            "control.tar.gz": tar_gz({"./control": control.encode()}),
            "data.tar.gz": tar_gz({f"./{path}": content for path, content in files.items()}),
        }
    )


def ar(members: Files) -> bytes:
    """Return an archive of ar(5)."""
    out = io.BytesIO(b"!<arch>\n")
    out.seek(8)
    for name, content in members.items():
        out.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
        out.write(content + b"\n" * (len(content) % 2))
    return out.getvalue()


def apk(info: Mapping[str, str], files: Files) -> bytes:
    """Return an .apk without its signature: two gzip streams, one after the other."""
    told = "".join(f"{key} = {value}\n" for key, value in info.items())
    return tar_gz({".PKGINFO": told.encode()}, is_cut=True) + tar_gz(files)


def npm(name: str, version: str, files: Files) -> bytes:
    """Return what `npm pack` makes."""
    about = json.dumps({"name": name, "version": version}).encode()
    inside = {f"package/{path}": content for path, content in files.items()}
    return tar_gz({"package/package.json": about} | inside)


def wheel(name: str, version: str, files: Files) -> bytes:
    """Return a wheel (PEP 427)."""
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    return zipped({f"{name}-{version}.dist-info/METADATA": about.encode()} | dict(files))


def jar(group: str, artifact: str, version: str, files: Files) -> bytes:
    """Return a jar as Maven makes it."""
    about = f"groupId={group}\nartifactId={artifact}\nversion={version}\n"
    place = f"META-INF/maven/{group}/{artifact}/pom.properties"
    return zipped({place: about.encode()} | dict(files))


def rpm(tags: Mapping[int, str | int], files: Files) -> bytes:
    """Return an .rpm with these header tags and a gzip'd cpio payload (rpm file format, v3)."""
    lead = b"\xed\xab\xee\xdb\x03\x00" + bytes(90)
    signature = rpm_header({})
    padding = bytes(-len(lead + signature) % 8)
    return lead + signature + padding + rpm_header(tags) + gzip.compress(cpio(files))


def rpm_header(tags: Mapping[int, str | int]) -> bytes:
    """Return one header structure: texts and 32-bit numbers."""
    index, store = b"", b""
    for tag, value in tags.items():
        if isinstance(value, int):
            store += bytes(-len(store) % 4)
            index += struct.pack(">IIII", tag, 4, len(store), 1)
            store += struct.pack(">I", value)
        else:
            index += struct.pack(">IIII", tag, 6, len(store), 1)
            store += value.encode() + b"\0"
    start = b"\x8e\xad\xe8\x01" + bytes(4) + struct.pack(">II", len(tags), len(store))
    return start + index + store


def cpio(files: Files) -> bytes:
    """Return an archive of cpio's "new ASCII" format."""
    out = b""
    for path, content in {**files, "TRAILER!!!": b""}.items():
        name = path.encode() + b"\0"
        mode = 0o100755 if path != "TRAILER!!!" else 0
        numbers = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        header = b"070701" + b"".join(b"%08x" % number for number in numbers)
        out += header + name + bytes(-len(header + name) % 4)
        out += content + bytes(-len(content) % 4)
    return out


def tar_gz(files: Files, *, is_cut: bool = False) -> bytes:
    """Return a gzip'd tar; one that is cut has no end, so that another may follow."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        length = archive.offset
    return gzip.compress(packed.getvalue()[: length if is_cut else None], mtime=0)


def zipped(files: Files) -> bytes:
    """Return a zip file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return packed.getvalue()
