"""Which advisories speak about a package: from its type and distribution to OSV's ecosystems.

    deb    the release of the distribution, by SOURCE name (Debian, Ubuntu)
    apk    the branch of the distribution, by ORIGIN name
    rpm    the release, by BINARY name and, where a feed names those, by SOURCE name; an rpm of
           another vendor (EPEL on RHEL) is not the distribution's and is judged by its own feed
    rest   the one registry of the type; programs without a package by the name of their product

A scope is a pattern of ecosystems, the most special first, where `*` at the end stands for any
ending: Red Hat has one ecosystem for each repository, and an rpm does not say where it came from.
A component with a `distribution` of its own, copied in from there, is asked about there.
What is not known is never guessed: `silence` says why nobody judges a component.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from seawall.scan import products, versions
from seawall.scan.model import Component, Distribution, PackageType

_REGISTRIES: Final[Mapping[PackageType, str]] = {
    PackageType.BITNAMI: "Bitnami",
    PackageType.CARGO: versions.RUST,
    PackageType.COMPOSER: "Packagist",
    PackageType.CRAN: "CRAN",
    PackageType.GEM: "RubyGems",
    PackageType.GENERIC: "CPE",
    PackageType.GOLANG: "Go",
    PackageType.HACKAGE: "Hackage",
    PackageType.HEX: "Hex",
    PackageType.MAVEN: "Maven",
    PackageType.NPM: "npm",
    PackageType.NUGET: "NuGet",
    PackageType.PEAR: "Packagist",
    PackageType.PUB: "Pub",
    PackageType.PYPI: "PyPI",
    PackageType.SWIFT: "SwiftURL",
}

_NOBODY: Final[Mapping[PackageType, str]] = {
    PackageType.ALPM: "no feed speaks about packages of Arch Linux",
    PackageType.CONDA: "no feed speaks about conda packages, only about the Python in them",
    PackageType.CPAN: "no feed speaks about Perl packages",
    PackageType.LUAROCKS: "no feed speaks about Lua rocks",
    PackageType.OTP: "no feed speaks about the applications of Erlang itself",
}

_PEAR: Final = "pear.php.net/"
"""The channel whose packages Packagist has too, as `pear/NAME`; advisories name them so."""

_NO_VERSION: Final = frozenset({"", "(devel)", "devel", "unknown", "UNKNOWN"})
_SOURCES_NAMED: Final = frozenset(
    {
        "Azure Linux",
        "Mageia",
        "Photon OS",
        "Red Hat",
        "Rocky Linux",
        "SUSE",
        "openEuler",
        "openSUSE",
    }
)
"""Ecosystems of rpms whose feeds name the source package (OSV's also the binary ones)."""

_VENDORS: Final[Mapping[str, tuple[str, ...]]] = {
    "almalinux": ("almalinux",),
    "amzn": ("amazon",),
    "centos": ("centos", "red hat"),
    "fedora": ("fedora",),
    "ol": ("oracle",),
    "rhel": ("red hat",),
    "rocky": ("rocky",),
    "sles": ("suse",),
    "opensuse-leap": ("suse",),
    "opensuse-tumbleweed": ("suse",),
}
"""What the distribution's own rpms say in `Vendor`, in lower case. Others are taken as they are."""

_EPEL_HOSTS: Final = frozenset({"almalinux", "centos", "ol", "rhel", "rocky"})


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about a component: who is asked, about which version of which package."""

    scope: tuple[str, ...]
    names: tuple[tuple[str, str], ...]
    """(package, version), the name that a reader should see first."""
    module: str
    order: versions.Order


def question(component: Component, distribution: Distribution | None) -> Question | None:
    """Return what to ask about a component; None where `silence` has a reason."""
    distribution = component.distribution or distribution
    scope = _scope(component, distribution)
    if not scope or _flaw(component):
        return None
    order = versions.order_of(scope[0])
    assert order is not None  # every scope that is made here has one
    names = _names(component, scope, order)
    return Question(scope, names, component.module, order) if names else None


def silence(component: Component, distribution: Distribution | None, known: Collection[str]) -> str:
    """Return why nobody judges this component when `known` are the ecosystems with a feed."""
    distribution = component.distribution or distribution
    if reason := _NOBODY.get(component.type) or _flaw(component):
        return reason
    scope = _scope(component, distribution)
    if asked(scope, known):
        return ""
    if component.type.is_system and not scope:
        return _no_scope(component, distribution)
    name = "product" if component.type is PackageType.GENERIC else scope[0].rstrip("*").rstrip(":")
    return f"no feed of {name} advisories is imported"


def is_gap(component: Component) -> bool:
    """Tell whether a feed could speak about a component that is not judged.

    None speaks about a package without a version or a known name, and what was recognised in a
    program is as good as all that is unexplained there: shown, but nothing that a scan left out.
    """
    if component.type.is_system:
        return True
    is_nobodys = component.type in _NOBODY or bool(_flaw(component))
    return not is_nobodys and component.type is not PackageType.GENERIC


def _no_scope(component: Component, distribution: Distribution | None) -> str:
    if distribution is None:
        return "the image does not say which distribution it is"
    if component.type is PackageType.RPM and (vendor := _foreign_vendor(component, distribution)):
        return f"rpms of {vendor} are not judged by the feed of {distribution.id}"
    return f"the distribution {_shown(distribution)} is not supported yet"


def asked(scope: Collection[str], known: Collection[str]) -> tuple[str, ...]:
    """Return the ecosystems of a scope about which a feed speaks, in its order."""
    found: list[str] = []
    for pattern in scope:
        if pattern.endswith("*"):
            start = pattern[:-1]
            found += sorted(name for name in known if name == start[:-1] or name.startswith(start))
        elif pattern in known:
            found.append(pattern)
    return tuple(dict.fromkeys(found))


def filed_under(component: Component, distribution: Distribution | None) -> list[tuple[str, str]]:
    """Return (ecosystem without suffix, package) for every name that advisories may use."""
    found = question(component, distribution)
    if found is None:
        return []
    bases = dict.fromkeys(pattern.partition(":")[0] for pattern in found.scope)
    return [(base, name) for base in bases for name, _ in found.names]


def system_scope(distribution: Distribution | None, kind: PackageType) -> tuple[str, ...]:
    """Return the scope by which a distribution judges its own packages of this type."""
    if distribution is None:
        return ()
    match kind:
        case PackageType.DEB:
            return _deb_scope(distribution)
        case PackageType.APK:
            return _apk_scope(distribution)
        case PackageType.RPM:
            return _rpm_scope(distribution)
        case _:
            return ()


def _flaw(component: Component) -> str:
    if component.version in _NO_VERSION:
        return "the version is not known"
    if component.type is PackageType.MAVEN and ":" not in component.name:
        return "the group of a Java archive is not known, and is never guessed"
    if component.type is PackageType.PEAR and not component.name.startswith(_PEAR):
        return "no feed speaks about extensions of PHP"
    return ""


def _scope(component: Component, distribution: Distribution | None) -> tuple[str, ...]:
    if component.type is PackageType.GENERIC:
        return products.ECOSYSTEMS
    if not component.type.is_system:
        name = _REGISTRIES.get(component.type)
        return (name,) if name else ()
    if distribution is None:
        return ()
    if component.type is PackageType.RPM and _foreign_vendor(component, distribution):
        return _foreign_scope(component, distribution)
    scope = system_scope(distribution, component.type)
    if component.type is PackageType.DEB and "+esm" in component.version:
        # What subscribers got is no hole any more, though the feed of everyone says so.
        return tuple(name for name in scope if "Pro:" in name)
    return scope


def _names(
    component: Component, scope: tuple[str, ...], order: versions.Order
) -> tuple[tuple[str, str], ...]:
    if component.type is PackageType.GENERIC:
        return tuple((name, component.version) for name in products.names(component.name))
    own = (component.name, component.version)
    if component.type is PackageType.PEAR:
        own = (f"pear/{component.name.removeprefix(_PEAR).lower()}", component.version)
    source = (
        component.source_name or component.name,
        component.source_version or component.version,
    )
    if component.type is PackageType.RPM:
        is_named = scope[0].partition(":")[0] in _SOURCES_NAMED
        names = (own, source) if is_named else (own,)
    else:
        names = (source,) if component.type.is_system else (own,)
    cleaned = ((order.normalise_name(name), order.clean(version)) for name, version in names)
    return tuple(dict.fromkeys(cleaned))


# -- distributions


def _deb_scope(distribution: Distribution) -> tuple[str, ...]:
    match distribution.id:
        case "debian":
            major = distribution.version_id.partition(".")[0]
            return (f"Debian:{major}", "Debian") if major else ()
        case "ubuntu":
            release = distribution.version_id
            if not release:
                return ()
            # The feed of everyone first. What only subscribers get is a fix all the same.
            return (f"Ubuntu:{release}:LTS", f"Ubuntu:{release}", f"Ubuntu:Pro:{release}:LTS")
        case "echo":
            return ("Echo",)
        case _:
            return ()


def _apk_scope(distribution: Distribution) -> tuple[str, ...]:
    simple = {
        "wolfi": "Wolfi",
        "chainguard": "Chainguard",
        "minimos": "MinimOS",
        "alpaquita": "Alpaquita:*",
    }
    if (name := simple.get(distribution.id)) is not None:
        return (name,)
    if distribution.id != "alpine":
        return ()
    if "_" in distribution.version_id:  # 3.23_alpha20250612: what edge calls itself
        return ("Alpine:edge",)
    release = re.match(r"[0-9]+\.[0-9]+", distribution.version_id, re.ASCII)
    return (f"Alpine:v{release[0]}",) if release else ()


def _rpm_scope(distribution: Distribution) -> tuple[str, ...]:
    release = distribution.version_id
    major = release.partition(".")[0]
    if not release:
        return ("openSUSE:Tumbleweed",) if distribution.id == "opensuse-tumbleweed" else ()
    is_rebuild = distribution.id == "centos" and "stream" not in distribution.pretty_name.lower()
    if distribution.id == "rhel" or is_rebuild:
        return (f"Red Hat:enterprise_linux:{major}", f"Red Hat:enterprise_linux:{major}:*")
    simple = {
        "almalinux": f"AlmaLinux:{major}",
        "rocky": f"Rocky Linux:{major}",
        "amzn": f"Amazon Linux:{release}",
        "fedora": f"Fedora:{release}",
        "ol": f"Oracle Linux:{major}",
        "mageia": f"Mageia:{release}",
        "photon": f"Photon OS:{release}",
        "azurelinux": f"Azure Linux:{major}",
        "mariner": f"Azure Linux:{major}",
        "openeuler": f"openEuler:{release}*",
        "opensuse-leap": f"openSUSE:Leap {release}",
        "opensuse-tumbleweed": "openSUSE:Tumbleweed",
    }.get(distribution.id)
    if simple is not None:
        return (simple,)
    return _sles_scope(release) if distribution.id in ("sles", "sled", "sles_sap") else ()


def _sles_scope(release: str) -> tuple[str, ...]:
    major, _, pack = release.partition(".")
    edition = f"{major} SP{pack}" if pack and int(major or 0) < 16 else release
    modules = (
        "Server",
        "Module for Basesystem",
        "Module for Server Applications",
        "Module for Development Tools",
        "Module for Containers",
        "Module for Python 3",
        "Module for Web and Scripting",
        "Module for Public Cloud",
        "Module for Legacy",
        "Module for Package Hub",
    )
    return tuple(f"SUSE:Linux Enterprise {module} {edition}" for module in modules)


def _foreign_vendor(component: Component, distribution: Distribution) -> str:
    """Return the vendor of an rpm that is not the distribution's, or nothing."""
    own = _VENDORS.get(distribution.id)
    vendor = component.vendor.lower()
    if not vendor or own is None or any(word in vendor for word in own):
        return ""
    return component.vendor[:64]


def _foreign_scope(component: Component, distribution: Distribution) -> tuple[str, ...]:
    is_epel = distribution.id in _EPEL_HOSTS and "fedora" in component.vendor.lower()
    major = distribution.version_id.partition(".")[0]
    return (f"EPEL:{major}",) if is_epel and major else ()


def _shown(distribution: Distribution) -> str:
    parts = (distribution.id, distribution.version_id or distribution.codename)
    return " ".join(filter(None, parts))
