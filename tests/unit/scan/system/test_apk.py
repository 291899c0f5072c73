"""Alpine's database is read as apk reads it."""

from __future__ import annotations

import base64
import hashlib

from hypothesis import given
from hypothesis import strategies as st

from seawall.scan.path_hashes import pack
from seawall.scan.readers import Unreadable
from seawall.scan.system import Database, apk, pacman

SUM = hashlib.sha1(b"x").digest()
DEMO = f"""C:Q1yyMWoYnr7lKCxKm9mHlMwkd6dMY=
P:libdemo
V:1.2.3_rc1-r4
A:x86_64
L:MIT AND BSD-3-Clause
o:demo
F:
R:top
F:usr/lib
R:libdemo.so.1
a:0:0:755
Z:Q1{base64.b64encode(SUM).decode()}
R:other

"""


def read(text: str) -> Database:
    return apk.read(text.encode(), "lib/apk/db/installed")


def test_the_origin_is_the_source() -> None:
    (package,) = read(DEMO).found
    assert ("libdemo", "1.2.3_rc1-r4") == (package.name, package.version)
    assert ("demo", "1.2.3_rc1-r4") == (package.source_name, package.source_version)
    assert ("x86_64", ("MIT AND BSD-3-Clause",)) == (package.architecture, package.licenses)


def test_files_are_owned_with_their_sums() -> None:
    owned = {each.algorithm: each for each in read(DEMO).owned}
    assert pack(["usr/lib/libdemo.so.1"]) == owned["sha1"].paths
    assert SUM[:8] == owned["sha1"].sums
    assert pack(["top", "usr/lib/other"]) == owned[""].paths
    assert b"" == owned[""].sums


def test_what_breaks_the_grammar_is_counted() -> None:
    found = read("P:a b\nV:1\n\nP:x\n\n" + DEMO + DEMO.replace("libdemo\n", "lib<demo\n"))
    assert (1, 3) == (len(found.found), found.refused)


@given(
    st.lists(st.sampled_from([b"P:", b"V:1", b"\n", b"F:", b"R:", b"Z:Q1", b"a", b"\xff", b"="]))
)
def test_any_order_of_parts_parses(parts: list[bytes]) -> None:
    apk.read(b"".join(parts), "lib/apk/db/installed")


def test_arch_packages_are_read_with_their_files() -> None:
    folder = "var/lib/pacman/local/demo-libs-1:2.0-3"
    desc = b"%NAME%\ndemo-libs\n\n%VERSION%\n1:2.0-3\n\n%BASE%\ndemo\n\n%ARCH%\nx86_64\n\n"
    (package,) = pacman.read(desc + b"%LICENSE%\nMIT\nBSD\n\n", f"{folder}/desc").found
    assert ("demo-libs", "1:2.0-3", "demo") == (package.name, package.version, package.source_name)
    assert ("MIT", "BSD") == package.licenses
    files = pacman.read(b"%FILES%\nusr/\nusr/bin/demo\n\n%BACKUP%\netc/x\tab\n", f"{folder}/files")
    assert ("demo-libs", pack(["usr/bin/demo"])) == (files.owned[0].package, files.owned[0].paths)


@given(st.lists(st.sampled_from([b"%NAME%", b"%FILES%", b"%", b"\n", b"a", b"1-1", b"\xff"])))
def test_any_sections_of_arch_are_read_or_refused(parts: list[bytes]) -> None:
    for name in ("desc", "files"):
        try:
            pacman.read(b"".join(parts), f"var/lib/pacman/local/a-1-1/{name}")
        except Unreadable:
            continue
