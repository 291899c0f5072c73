"""What one executable file says about itself: the words of this package.

Every text comes from the file and is hostile until a door escapes it; texts are bounded and hold no
control characters. Nothing here is a judgement, and nothing here is certain but the hashes.
"""

from __future__ import annotations

import enum

import msgspec

from seawall.scan.model import PackageType, Role
from seawall.scan.readers import Found


class Format(enum.StrEnum):
    """How the file is built, told by its first bytes."""

    ELF = "elf"
    PE = "pe"
    MACHO = "macho"
    SCRIPT = "script"


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A version signature was found: text in the file names a product and its version.

    `role` is INSTALLED when the file is that product's own, BUNDLED when it holds a copy of it.
    """

    product: str
    """The rule's name: `openssl`."""
    version: str
    """The upstream version as written; a distribution may have patched it without changing it."""
    role: Role = Role.INSTALLED
    type: PackageType = PackageType.GENERIC
    name: str = ""
    """The package's name in its universe (`openssl`)."""
    cpe: str = ""
    """`vendor:product` of the CPE dictionary, for advisories that know no packages; or empty."""
    offset: int = 0
    """Where in the file the version stands, in bytes."""
    confidence: float = 0.6
    """From 0 to 1."""


class PackageNote(msgspec.Struct, frozen=True, kw_only=True):
    """The builder's own statement inside an ELF file (`.note.package`)."""

    type: str = ""
    name: str = ""
    version: str = ""
    architecture: str = ""
    os: str = ""
    os_version: str = ""
    cpe: str = ""


class VersionText(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A version in the file; `key` stands for the text around it, without digits."""

    key: int
    version: str
    offset: int


class Sketch(msgspec.Struct, frozen=True, kw_only=True):
    """A summary of a file's texts, for comparison with learned ones."""

    total: int
    """How many different texts the file has."""
    hashes: bytes
    """The smallest hashes of them, 4 bytes each, ascending, little endian on every machine that
    Seawall runs on."""
    versions: tuple[VersionText, ...] = ()


class Executable(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is kept of one executable file."""

    format: Format
    size: int
    kind: str = ""
    """`program`, `library`, `object`, `core`, `script`; empty when the format does not tell."""
    machine: str = ""
    """As Go and OCI name it: `amd64`."""
    sha256: str = ""
    """In hexadecimal digits; empty in an outline."""
    code_sha256: str = ""
    """Of the machine code alone, 32 digits: survives stripping, appending and edited notes."""
    build_id: str = ""
    go_build_id: str = ""
    note: PackageNote | None = None
    interpreter: str = ""
    """The dynamic linker, or a script's interpreter with its arguments."""
    soname: str = ""
    needed: tuple[str, ...] = ()
    search_paths: tuple[str, ...] = ()
    is_stripped: bool = False
    packed_by: str = ""
    """`upx`: the code is compressed, so nothing inside can be seen."""
    appended: int = 0
    """Bytes behind the end that the headers give."""
    found: tuple[Found, ...] = ()
    """Packages that the builder's tools recorded inside: Go modules, crates, assemblies."""
    claims: tuple[Claim, ...] = ()
    go_functions: bytes = b""
    """Which functions a Go program holds, for `go_symbols.holds`; empty when unknown."""
    sketch: Sketch | None = None
    """None when the file has too few texts."""
    troubles: tuple[str, ...] = ()
    """Sentences about parts that could not be read."""
