"""What is in an image: the words of the inventory.

Everything here is a fact read from the image, with the place where it was read. Nothing here says
whether a fact is good or bad; that is the matter of matching. Texts come from the image and are
hostile until a door escapes them; they are bounded and hold no control characters.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from seawall.scan.severity import Severity


class PackageType(enum.StrEnum):
    """The package universes that the inventory knows, by the types of package URLs (ECMA-427)."""

    ALPM = "alpm"
    APK = "apk"
    BITNAMI = "bitnami"
    CARGO = "cargo"
    COMPOSER = "composer"
    CONDA = "conda"
    CPAN = "cpan"
    CRAN = "cran"
    DEB = "deb"
    GEM = "gem"
    GENERIC = "generic"
    GOLANG = "golang"
    HACKAGE = "hackage"
    HEX = "hex"
    LUAROCKS = "luarocks"
    MAVEN = "maven"
    NPM = "npm"
    NUGET = "nuget"
    OTP = "otp"
    PEAR = "pear"
    PUB = "pub"
    PYPI = "pypi"
    RPM = "rpm"
    SWIFT = "swift"

    @property
    def is_system(self) -> bool:
        """Tell whether packages of this type are a distribution's own."""
        return self in (PackageType.ALPM, PackageType.APK, PackageType.DEB, PackageType.RPM)


class Role(enum.StrEnum):
    """How surely the code of a component is there."""

    INSTALLED = "installed"  # its own files are in the image
    DECLARED = "declared"  # a lock file or manifest names it; its files were not seen
    BUNDLED = "bundled"  # inside another file: a nested jar, a statically linked library


class Reach(enum.StrEnum):
    """Whether code can run when a container starts: what leads to it from the entry point."""

    UNKNOWN = ""  # the entry point is not known, or nothing tells how this would be loaded
    STARTED = "started"  # it is started, or linked with what is
    LOADABLE = "loadable"  # what is started can load it while it runs
    PRESENT = "present"  # nothing leads to it

    @property
    def rank(self) -> int:
        """Return 0 to 3: the more surely it runs, the higher."""
        return _REACHES.index(self)

    @classmethod
    def of_rank(cls, rank: int) -> Reach:
        """Return what has this rank; unknown for a number that is none."""
        return _REACHES[rank] if 0 <= rank < len(_REACHES) else cls.UNKNOWN


_REACHES: Final = (Reach.PRESENT, Reach.UNKNOWN, Reach.LOADABLE, Reach.STARTED)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Why a component is believed to be there: the kind of proof, and where it stands."""

    kind: str
    """`database`, `manifest`, `build-info`, `package-note`, `build-id`, `sha256`, `signature`,
    `sketch` …"""
    detail: str = ""
    confidence: float = 1.0
    """From 0 to 1."""


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """One package, as it is installed, declared or bundled at one place.

    `name` is spelled as OSV spells it: PEP 503 for PyPI, `group:artifact` for Maven,
    `@scope/name` for npm, the module path for Go. System packages: `source_name` and
    `source_version` are of the SOURCE package, which advisories name; elsewhere they are empty.
    """

    type: PackageType
    name: str
    version: str
    purl: str
    source_name: str = ""
    source_version: str = ""
    architecture: str = ""
    vendor: str = ""
    """Who built an rpm, as it says itself."""
    module: str = ""
    """The module stream of an rpm: `nodejs:18`."""
    role: Role = Role.INSTALLED
    inside: str = ""
    """Where in the file at `path`, for members of archives: `lib/a.jar!/META-INF/…`."""
    evidence: tuple[Evidence, ...] = ()
    path: str
    """Where the fact was found: absolute inside the image, `/var/lib/dpkg/status`."""
    layer: str
    """Digest (compressed, as in the manifest) of the layer that first brought this version."""
    layer_index: int
    """Place of that layer in the manifest, from 0 (lowest)."""
    created_by: str = ""
    """The instruction that made the layer, as the image's own history tells: a claim."""
    licenses: tuple[str, ...] = ()
    owned_by: str = ""
    """Name of the system package that owns the files of this component, or empty."""
    distribution: Distribution | None = None
    """Whose package it is, when it was copied in from another distribution; None: the image's."""
    reach: Reach = Reach.UNKNOWN
    load_path: tuple[str, ...] = ()
    """How it is reached: files from the entry point to it, at most six."""


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """The Linux distribution as `/etc/os-release` names it. `id` is lower case: `debian`."""

    id: str
    version_id: str = ""
    codename: str = ""
    pretty_name: str = ""

    def __str__(self) -> str:
        """Return `debian-12`, as package URLs write it."""
        return "-".join(filter(None, (self.id, self.version_id or self.codename)))


class Unexplained(msgspec.Struct, frozen=True, kw_only=True):
    """A program or library that no package owns, and of which nothing says what it is."""

    path: str
    format: str
    """`elf`, `pe` or `macho`."""
    kind: str = ""
    """`program`, `library` …; empty when the format does not tell."""
    size: int = 0
    sha256: str = ""
    """Empty when only its headers were read."""
    build_id: str = ""
    layer: str = ""
    layer_index: int = 0
    created_by: str = ""


class NoticeKind(enum.StrEnum):
    """Why the inventory may know less than the image holds."""

    LIMIT = "limit"  # a bound was reached; the rest of the layer is unread
    MALFORMED_LAYER = "malformed-layer"  # the archive breaks its format; the rest is unread
    MALFORMED_FILE = "malformed-file"  # one package file does not parse; the others stand
    SUSPICIOUS_PATH = "suspicious-path"  # an entry tries to leave the root; it is ignored
    UNSUPPORTED_LAYER = "unsupported-layer"  # a media type or encoding that is not understood
    UNSUPPORTED_DATABASE = "unsupported-database"  # packages of a manager that is not read yet
    MISSING_LAYER = "missing-layer"  # a foreign layer whose bytes are elsewhere
    FINGERPRINTS = "fingerprints"  # a pack of learned fingerprints is broken and was not used
    MALWARE = "malware"  # ClamAV was to be asked, and was not shown every file
    CONFIG = "config"  # the image's config does not parse or disagrees with its layers


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a reader of the report must know. `layer` is a digest, or empty."""

    kind: NoticeKind
    message: str
    layer: str = ""


class LayerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One layer as it was read."""

    digest: str
    size: int
    """Compressed bytes, as the manifest says."""
    created_by: str = ""
    files: int = 0
    """Entries of the archive, whiteouts included."""
    unpacked_bytes: int = 0


class BaseEvidence(enum.StrEnum):
    """What tells where the base image ends."""

    HISTORY = "history"  # a CMD with layers after it
    LOWEST_LAYER = "lowest-layer"  # nothing does: the lowest layer is taken


class BaseImage(msgspec.Struct, frozen=True, kw_only=True):
    """The image that this one was built upon, by what the image itself claims."""

    layers: int
    """So many of the lowest layers are its own."""
    evidence: BaseEvidence
    name: str = ""
    """As a label has it; empty when none does."""
    digest: str = ""


class WeaknessKind(enum.StrEnum):
    """What sort of weakness."""

    SECRET = "secret"  # noqa: S105 — key material or a password in a file or the config
    CONFIGURATION = "configuration"  # the image is built in a way that helps an attacker
    MALWARE = "malware"  # a scanner for malicious programs says so


class Weakness(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong with the image itself, which no advisory about a package would tell.

    A secret is never kept whole: `evidence` shows a few characters and the length.
    """

    kind: WeaknessKind
    rule: str
    """Stable name of the rule that found it: `private-key`, `user-is-root`."""
    title: str
    severity: Severity
    evidence: str
    remedy: str
    path: str = ""
    """Absolute inside the image; empty for what stands in the config."""
    line: int = 0
    """From 1; 0 where lines mean nothing."""
    layer: str = ""
    layer_index: int = -1
    """As for a component; -1 for the config."""


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found, in a fixed order: same image, same bytes."""

    components: tuple[Component, ...]
    distribution: Distribution | None
    notices: tuple[Notice, ...]
    layers: tuple[LayerInfo, ...]
    is_partial: bool
    """True when a limit, a broken layer or a missing layer may hide components."""
    platform: str = ""
    config_digest: str = ""
    unexplained: tuple[Unexplained, ...] = ()
    weaknesses: tuple[Weakness, ...] = ()
    base: BaseImage | None = None
    """None only for an image without layers, or read before this was looked for."""
    facts: int = 0
    """By which `inventory_facts.FACTS_VERSION` the layers were read."""

    @property
    def base_layers(self) -> int:
        """Return how many of the lowest layers came with the base image."""
        return self.base.layers if self.base else 1
