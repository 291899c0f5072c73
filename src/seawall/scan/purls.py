"""Package URLs (ECMA-427, purl-spec) of everything that the inventory knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from seawall.scan.model import Component, Distribution, PackageType

_VENDORS: Final[Mapping[PackageType, str]] = {
    PackageType.ALPM: "arch",
    PackageType.APK: "alpine",
    PackageType.DEB: "debian",
    PackageType.RPM: "redhat",
}
"""The namespace of system packages in an image that does not say which distribution it is."""

_LOWER: Final = frozenset(
    {"alpm", "apk", "bitnami", "composer", "deb", "golang", "hex", "luarocks", "npm", "pub"}
)
"""Types whose names are compared without case, and written in lower case."""


def of(component: Component, distribution: Distribution | None) -> str:
    """Return the package URL of a component of an image of that distribution.

    A component that was copied in from another distribution names its own.
    """
    distribution = component.distribution or distribution
    namespace, name = _names(component, distribution)
    version, qualifiers = component.version, dict[str, str]()
    if component.type.is_system:
        version, qualifiers = _system(component, distribution)
    if component.type.value in _LOWER:
        namespace, name = namespace.lower(), name.lower()
    parts = [component.type.value, *filter(None, namespace.split("/")), name]
    text = "pkg:" + "/".join(quote(part, safe=":") for part in parts)
    if version:
        text += f"@{quote(version, safe=':')}"
    query = "&".join(f"{key}={quote(value, safe=':')}" for key, value in sorted(qualifiers.items()))
    return f"{text}?{query}" if query else text


def _names(component: Component, distribution: Distribution | None) -> tuple[str, str]:
    """Return namespace and name."""
    name = component.name
    match component.type:
        case PackageType.MAVEN:
            group, colon, artifact = name.partition(":")
            return (group, artifact) if colon else ("", name)
        case (
            PackageType.NPM
            | PackageType.GOLANG
            | PackageType.COMPOSER
            | PackageType.SWIFT
            | PackageType.GENERIC
            | PackageType.PEAR
        ):
            namespace, _, last = name.rpartition("/")
            return namespace, last
        case _ if component.type.is_system:
            return distribution.id if distribution else _VENDORS[component.type], name
    return "", name


def _system(component: Component, distribution: Distribution | None) -> tuple[str, dict[str, str]]:
    """Return the version as purl writes it, and the qualifiers."""
    version = component.version
    qualifiers = {}
    if component.architecture:
        qualifiers["arch"] = component.architecture
    if distribution and (release := distribution.version_id or distribution.codename):
        qualifiers["distro"] = f"{distribution.id}-{release}"
    if component.type is PackageType.RPM:
        epoch, colon, rest = version.partition(":")
        if colon:
            version, qualifiers["epoch"] = rest, epoch
        if component.module:
            qualifiers["rpmmod"] = component.module
    return version, qualifiers
