"""SBOM documents inside the image: CycloneDX (JSON) and SPDX 2 (JSON and tag-value).

They are statements of whoever built what they lie beside, and are reported as such: the evidence is
`sbom`, with the tool that made the document. How surely the code is there depends on the place:

    /opt/bitnami/…/.spdx-NAME.spdx      INSTALLED: Bitnami's own packages in the folder of the file
    NAME.dist-info/sboms/…              BUNDLED: what was compiled into a wheel (PEP 770)
    anywhere else                       DECLARED

Only packages with a package URL of a type that the inventory knows are taken; none of a system's
package manager, whose own database says what is installed, none that was needed to build only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeAlias
from urllib.parse import unquote

import msgspec

from seawall.scan.model import Evidence, PackageType, Role
from seawall.scan.readers import Content, Found, Reader, Unreadable, _licenses
from seawall.scan.readers._content import (
    MAX_FOUND,
    MAX_LOCK_BYTES,
    detail,
    json_of,
    lines_of,
    once,
    small,
    text_of,
    word,
)
from seawall.scan.readers._json_stream import items_of

ENDINGS: Final = (".spdx", ".spdx.json", ".cdx", ".cdx.json", ".cyclonedx.json", "bom.json")
MAX_PURL: Final = 1_000

_PURL: Final = re.compile(r"pkg:/{0,2}([a-z][a-z0-9.+-]*)/([^@?#]+)@([^?#]+)(?:[?#].*)?", re.I)
_BITNAMI: Final = re.compile(r"(?:.*/)?opt/bitnami/(?:.*/)?\.spdx-[^/]+\.spdx")
_LOCAL: Final = "download_url=file:"
"""A part of the project itself, which no registry has."""
_REVISION: Final = re.compile(r"-[0-9]+$")
"""Of Bitnami's build; its advisories know upstream's versions."""
_SEPARATORS: Final = re.compile(r"[-_.]+")
_TYPES: Final = {kind.value: kind for kind in PackageType if not kind.is_system}
_NOT_STATED: Final = ("NOASSERTION", "NONE")


_Raw: TypeAlias = msgspec.Raw
_ABSENT: Final = msgspec.Raw()


class _Component(msgspec.Struct):
    purl: _Raw = _ABSENT
    scope: _Raw = _ABSENT
    licenses: _Raw = _ABSENT
    components: _Raw = _ABSENT


class _Reference(msgspec.Struct):
    referenceType: _Raw = _ABSENT  # noqa: N815
    referenceLocator: _Raw = _ABSENT  # noqa: N815


class _Package(msgspec.Struct):
    externalRefs: _Raw = _ABSENT  # noqa: N815
    licenseConcluded: _Raw = _ABSENT  # noqa: N815
    licenseDeclared: _Raw = _ABSENT  # noqa: N815


class _Document(msgspec.Struct):
    bomFormat: _Raw = _ABSENT  # noqa: N815
    components: _Raw = _ABSENT
    metadata: _Raw = _ABSENT
    spdxVersion: _Raw = _ABSENT  # noqa: N815
    packages: _Raw = _ABSENT
    creationInfo: _Raw = _ABSENT  # noqa: N815


def read_document(content: Content, path: str) -> tuple[Found, ...]:
    """Read an SBOM. Raises Unreadable.

    Nothing from a JSON object of another kind, nor from what is not JSON at all and called `.cdx`:
    chemists and databases have such files.
    """
    role = _role(path)
    if bytes(content[:64]).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{":
        document = json_of(content, _Document)
        if small(document.bomFormat) == "CycloneDX":
            return once(_of_cyclonedx(document, role))
        if isinstance(small(document.spdxVersion), str):
            return once(_of_spdx(document, role))
        return ()  # another JSON file of that name
    if path.endswith(".cdx"):
        return ()
    text = text_of(content)
    if not text.lstrip().startswith(("SPDXVersion:", "#")):
        raise Unreadable("it is neither JSON nor SPDX in tag-value form")
    return once(_of_tags(text, role))


def _role(path: str) -> Role:
    if _BITNAMI.fullmatch(path):
        return Role.INSTALLED
    return Role.BUNDLED if _is_of_wheel(path) else Role.DECLARED


def _is_of_wheel(path: str) -> bool:
    folders = path.split("/")[:-1]
    return folders[-1:] == ["sboms"] and folders[-2:][0].endswith(".dist-info")


def _is_wanted(path: str) -> bool:
    """Pip lists what it vendors in `vendor.txt` too, from which it is read."""
    is_vendored = path.split("/")[-2:-1] == ["_vendor"]
    return (path.endswith(ENDINGS) and not is_vendored) or _is_of_wheel(path)


def _of_cyclonedx(document: _Document, role: Role) -> Iterator[Found]:
    evidence = _evidence(_tools(small(document.metadata)))
    todo = [document.components]
    for _ in range(MAX_FOUND):
        if not todo:
            return
        for item in items_of(todo.pop()):
            component = json_of(item, _Component)
            if small(component.scope) == "excluded":  # needed to build it, not in it
                continue
            licenses = _cyclonedx_licenses(small(component.licenses))
            yield from _found(small(component.purl), role, evidence, licenses)
            if len(memoryview(component.components)) > len("[{}]"):
                todo.append(component.components)


def _tools(metadata: object) -> str:
    """Return the first tool's name: a list up to CycloneDX 1.4, an object from 1.5."""
    tools = metadata.get("tools") if isinstance(metadata, dict) else None
    if isinstance(tools, dict):
        tools = tools.get("components")
    first = tools[0] if isinstance(tools, list) and tools else None
    name = first.get("name") if isinstance(first, dict) else ""
    return name if isinstance(name, str) else ""


def _cyclonedx_licenses(stated: object) -> tuple[str, ...]:
    found: list[object] = []
    for item in stated[:20] if isinstance(stated, list) else []:
        if isinstance(item, dict):
            license_ = item.get("license")
            inner = license_ if isinstance(license_, dict) else {}
            found.append(item.get("expression") or inner.get("id") or inner.get("name"))
    return _licenses.normalise(found)


def _of_spdx(document: _Document, role: Role) -> Iterator[Found]:
    info = small(document.creationInfo)
    creators = info.get("creators") if isinstance(info, dict) else None
    first = creators[0] if isinstance(creators, list) and creators else ""
    evidence = _evidence(first if isinstance(first, str) else "")
    for item in items_of(document.packages):
        package = json_of(item, _Package)
        licenses = (small(package.licenseConcluded), small(package.licenseDeclared))
        stated = _licenses.normalise([text for text in licenses if text not in _NOT_STATED][:1])
        for inner in items_of(package.externalRefs):
            reference = json_of(inner, _Reference)
            if small(reference.referenceType) == "purl":
                yield from _found(small(reference.referenceLocator), role, evidence, stated)


def _of_tags(text: str, role: Role) -> Iterator[Found]:
    evidence = _evidence("")
    for line in lines_of(text):
        tag, _, value = line.partition(": ")
        if tag == "Creator":
            evidence = _evidence(value)
        elif tag == "ExternalRef":
            words = value.split()
            if len(words) == 3 and words[1] == "purl":
                yield from _found(words[2], role, evidence, ())


def _found(
    purl: object, role: Role, evidence: tuple[Evidence, ...], licenses: tuple[str, ...]
) -> Iterator[Found]:
    if not isinstance(purl, str) or len(purl) > MAX_PURL:
        return
    match = None if _LOCAL in purl else _PURL.fullmatch(purl)
    kind = _TYPES.get(match[1].lower()) if match else None
    if match is None or kind is None:
        return
    name, version = word(_name(kind, unquote(match[2].strip("/")))), word(unquote(match[3]))
    if kind is PackageType.BITNAMI:
        version = _REVISION.sub("", version)
    elif role is Role.INSTALLED:
        role = Role.DECLARED
    if name and version:
        yield Found(
            type=kind, name=name, version=version, role=role, evidence=evidence, licenses=licenses
        )


def _name(kind: PackageType, path: str) -> str:
    """Spell the name of a package URL as the inventory does."""
    if kind is PackageType.MAVEN:
        group, slash, artifact = path.rpartition("/")
        return f"{group}:{artifact}" if slash else path
    if kind is PackageType.PYPI:
        return _SEPARATORS.sub("-", path).lower()
    return path.lower() if kind is PackageType.COMPOSER else path


def _evidence(source: str) -> tuple[Evidence, ...]:
    return (Evidence(kind="sbom", detail=detail(source), confidence=0.9),)


READERS: Final[tuple[Reader, ...]] = (
    Reader(
        format="SBOM document",
        read=read_document,
        endings=(*ENDINGS, ".json"),
        is_wanted=_is_wanted,
        max_bytes=MAX_LOCK_BYTES,
    ),
)
