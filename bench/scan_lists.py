"""Read the CycloneDX documents of Seawall, Syft and Trivy as lists that can be compared.

The tools spell the same package in different ways: what is written here as one spelling is the same
statement. What stays different is a difference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

Found = dict[str, set[tuple[str, str]]]
"""Type of package URLs → (name, version)."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One package at one place."""

    kind: str
    name: str
    version: str
    """Empty where the tool says that it knows none."""
    place: str
    """Path in the image; behind `!` or, from Syft, `:` what lies inside of an archive."""
    is_owned: bool = False
    """Whether the tool says that a distribution's package owns it."""

    @property
    def key(self) -> tuple[str, str]:
        return self.name, self.version

    @property
    def path(self) -> str:
        """The file of the image that holds it."""
        return re.split(r"[!:]", self.place, maxsplit=1)[0]


def listed(document: Path) -> list[Listed]:
    """Return what a document lists, once for each place."""
    found = []
    for component in json.loads(document.read_bytes())["components"]:
        purl = component.get("purl", "")
        kind = purl.removeprefix("pkg:").partition("/")[0]
        if not kind:
            continue
        properties = {p["name"]: p["value"] for p in component.get("properties", [])}
        name, version = spelled(kind, purl)
        for place in _places(component, properties):
            is_owned = "seawall:owned-by" in properties
            found.append(Listed(kind, name, version, place.lstrip("/"), is_owned))
    return found


def by_kind(items: Iterable[Listed], *, with_owned: bool) -> Found:
    found: Found = {}
    for item in items:
        if with_owned or not item.is_owned:
            found.setdefault(item.kind, set()).add(item.key)
    return found


def spelled(kind: str, purl: str) -> tuple[str, str]:
    """Return name and version of a package URL in one spelling."""
    whole, _, subpath = purl.partition("#")
    path, _, version = whole.partition("?")[0].partition("@")
    name = unquote(path.removeprefix("pkg:").partition("/")[2]).lower()
    version = unquote(version)
    if kind in ("deb", "pypi"):
        name = name.rpartition("/")[2]
    if kind == "pypi":
        name = re.sub(r"[-_.]+", "-", name)
    if kind == "golang":
        if major := re.match(r"v[0-9]+(?=/|$)", subpath):  # Syft's spelling
            name += f"/{major[0]}"
        version = "" if version == "(devel)" else version
        if name == "stdlib":
            version = version.removeprefix("v")
    if epoch := re.search(r"[?&]epoch=([0-9]+)", purl):  # Trivy's spelling
        version = f"{epoch[1]}:{version}"
    return name, version


def _places(component: dict[str, object], properties: dict[str, str]) -> list[str]:
    evidence = component.get("evidence")
    if isinstance(evidence, dict) and evidence.get("occurrences"):
        return [occurrence["location"] for occurrence in evidence["occurrences"]]
    inside = properties.get("syft:metadata:virtualPath")
    paths = [v for n, v in properties.items() if re.fullmatch(r"syft:location:[0-9]+:path", n)]
    trivy = properties.get("aquasecurity:trivy:FilePath")
    return [inside] if inside else paths or [trivy or ""]
