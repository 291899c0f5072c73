"""What Rust leaves in a program: the list of cargo-auditable, or the paths in panic messages.

The list (ELF section `.dep-v0`, zlib-compressed JSON) is complete and trusted as a builder's
statement. Without it, the source paths that panics name (`…/serde_json-1.0.85/src/read.rs`) tell
which crates are linked in with their versions; crates that cannot panic stay unseen.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

import msgspec

from seawall.core.limits import MIB
from seawall.scan.files.program import Program
from seawall.scan.files.text import clean
from seawall.scan.model import Evidence, PackageType, Role
from seawall.scan.readers import Content, Found, Unreadable

MAX_LIST_BYTES: Final = 16 * MIB
MAX_CRATES: Final = 10_000

_SECTIONS: Final = (".dep-v0", "__dep-v0", "__dep-v0\0", "rust-deps-v0", ".rust-deps-v0")
_PATH: Final = re.compile(
    rb"/registry/(?:src/[\w.-]{1,80}/)?([A-Za-z0-9_-]{1,64}?)-"
    rb"(\d{1,6}\.\d{1,6}\.\d{1,6}(?:[-+][\w.+-]{1,40}?)?)/(?:src|tests|lib|build)[/.]"
)


class _Crate(msgspec.Struct):
    name: str
    version: str
    source: str = ""
    kind: str = "runtime"
    root: bool = False


class _List(msgspec.Struct):
    packages: list[_Crate]


_decoder = msgspec.json.Decoder(_List)


def found_in(content: Content, program: Program) -> tuple[Found, ...]:
    """Return the crates of a Rust program, none for another one.

    Raises Unreadable when there is a list of cargo-auditable that does not parse.
    """
    for name in _SECTIONS:
        part = program.section(name)
        if part is not None:
            return _listed(content[part.offset : part.offset + part.size], name)
    if content.find(b"/rustc/") < 0 and content.find(b"/library/std/src/") < 0:
        return ()
    return _in_paths(content)


def _listed(packed: bytes, name: str) -> tuple[Found, ...]:
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(packed, MAX_LIST_BYTES)
        crates = _decoder.decode(raw).packages[:MAX_CRATES]
    except (zlib.error, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"the list of crates in {name} does not parse: {error}") from error
    evidence = (Evidence(kind="build-info", detail=name.strip("\0"), confidence=0.95),)
    return tuple(
        Found(
            type=PackageType.CARGO,
            name=clean(crate.name),
            version=clean(crate.version),
            role=Role.INSTALLED if crate.root else Role.BUNDLED,
            evidence=evidence,
        )
        for crate in crates
        if crate.kind != "build" and crate.name and crate.version
    )


def _in_paths(content: Content) -> tuple[Found, ...]:
    seen: dict[tuple[str, str], int] = {}
    for match in _PATH.finditer(content):
        key = match[1].decode("ascii"), match[2].decode("ascii")
        if key not in seen and len(seen) < MAX_CRATES:
            seen[key] = match.start()
    return tuple(
        Found(
            type=PackageType.CARGO,
            name=name,
            version=version,
            role=Role.BUNDLED,
            evidence=(
                Evidence(kind="signature", detail=f"source path at {offset}", confidence=0.8),
            ),
        )
        for (name, version), offset in sorted(seen.items())
    )
