"""Whether a VEX statement's product is this image, or one of its components: never by guess.

Most VEX fails in the field because product ids do not match. So the answer is either how narrow the
match is, or a sentence that says why there is none.

Package URLs (ECMA-427): a URL without a version means any version; its qualifiers must all be among
the component's, with `os_name` and `os_version` read as `distro`. A statement about a source
package of a distribution holds for the binary packages that are built from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote

from seawall.core.errors import SeawallError
from seawall.oci.names import Reference
from seawall.scan.report_model import Finding
from seawall.scan.vex.model import Product

Scope = tuple[int, int]
"""How narrow: of the image (digest 3, tag 2, name 1, any 0), of the package (version 2, any 1,
all 0)."""

DIGEST, TAG, NAME, ANY_IMAGE = 3, 2, 1, 0
VERSION, ANY_VERSION, WHOLE = 2, 1, 0

_SYSTEM: Final = frozenset({"deb", "rpm", "apk", "alpm"})
_SOURCE: Final = "source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The image that is judged, under the names by which it is known."""

    digest: str
    names: tuple[str, ...] = ()
    """References with the host; one without a tag is known by its repository alone."""
    also: tuple[str, ...] = ()
    """Other digests that stand for it: of the index that it belongs to."""

    @property
    def digests(self) -> tuple[str, ...]:
        return (self.digest, *self.also)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """One name of the image."""

    where: str  # with the host, as it was given
    repository: str
    tag: str  # empty when none was given


@dataclass(frozen=True, slots=True, kw_only=True)
class Purl:
    """A package URL, taken apart."""

    type: str
    path: tuple[str, ...]  # namespace and name
    version: str
    qualifiers: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.path[-1]


def parse_purl(text: str) -> Purl | None:
    """Return a package URL; None when it is none."""
    scheme, _, rest = text.partition(":")
    if scheme.lower() != "pkg":
        return None
    rest = rest.lstrip("/").partition("#")[0]
    rest, _, query = rest.partition("?")
    type_, _, rest = rest.partition("/")
    # The version begins at the last "@" that no "/" follows: npm's scopes begin with one.
    path, at, version = rest.rpartition("@")
    if not at or "/" in version:
        path, version = rest, ""
    parts = tuple(unquote(part) for part in path.split("/") if part)
    if not type_ or not parts:
        return None
    kind = type_.lower()
    return Purl(
        type=kind,
        path=tuple(_normal(kind, part) for part in parts),
        version=unquote(version),
        qualifiers=_qualifiers(query),
    )


def scope_of(product: Product, image: Image, finding: Finding) -> Scope | str:
    """Return how narrowly a product fits, or why it does not."""
    answers = [_of_name(name, product, image, finding) for name in product.names]
    scopes = [one for one in answers if isinstance(one, tuple)]
    if scopes:
        return max(scopes)
    return next((one for one in answers if isinstance(one, str)), "it names no product")


def _of_name(name: str, product: Product, image: Image, finding: Finding) -> Scope | str:
    purl = parse_purl(name)
    if purl is not None and purl.type not in ("oci", "docker"):
        package = _package(purl, name, finding)
        return (ANY_IMAGE, package) if isinstance(package, int) else package
    of_image = _image_of_purl(purl, name, image) if purl else _image_of_text(name, image)
    if isinstance(of_image, str):
        return of_image
    if not product.subcomponents:
        return of_image, WHOLE
    inside = [_of_subcomponent(one, finding) for one in product.subcomponents]
    scopes = [one for one in inside if isinstance(one, int)]
    if scopes:
        return of_image, max(scopes)
    return next(one for one in inside if isinstance(one, str))


def _of_subcomponent(text: str, finding: Finding) -> int | str:
    purl = parse_purl(text)
    if purl is None:
        return f"the subcomponent {text} is no package URL"
    return _package(purl, text, finding)


# -- the image


def _image_of_purl(purl: Purl, text: str, image: Image) -> int | str:
    if purl.version:
        if purl.version in image.digests:
            return DIGEST
        return f"it is about {text}, another digest than {image.digest}"
    wanted = purl.qualifiers.get("repository_url", "")
    tag = purl.qualifiers.get("tag", "")
    for known in _known_names(image):
        if wanted and known.where != wanted:
            continue
        if known.repository.rpartition("/")[2].lower() != purl.name:
            continue
        if not tag:
            return NAME
        if known.tag == tag:
            return TAG
    return f"it is about {text}, which is no name of this image{_known(image)}"


def _image_of_text(text: str, image: Image) -> int | str:
    if text.rpartition("@")[2] in image.digests:
        return DIGEST
    if "@sha" in text or text.startswith(("sha256:", "sha512:")):
        return f"it is about {text}, another digest than {image.digest}"
    asked = _parsed(text)
    for known in _known_names(image) if asked else ():
        if asked is None or known.where != asked.where:
            continue
        if not asked.tag:
            return NAME
        if known.tag == asked.tag:
            return TAG
    return f"it is about {text}, which is no name of this image{_known(image)}"


def _known_names(image: Image) -> list[_Known]:
    found = (_parsed(name) for name in image.names)
    return [one for one in found if one is not None]  # a path is none that a statement can mean


def _parsed(text: str) -> _Known | None:
    try:
        reference = Reference.parse(text)
    except SeawallError:
        return None
    repository = str(reference.repository)
    has_tag = ":" in text.partition("@")[0].rpartition("/")[2] and reference.tag is not None
    return _Known(
        where=f"{reference.host}/{repository}" if reference.host else repository,
        repository=repository,
        tag=str(reference.tag) if has_tag else "",
    )


def _known(image: Image) -> str:
    return f" ({', '.join(image.names)})" if image.names else ""


# -- the package


def _package(asked: Purl, text: str, finding: Finding) -> int | str:
    known = parse_purl(finding.purl)
    if known is None:
        return f"it is about {text}, and {finding.name} has no package URL"
    if asked.type != known.type or not _is_same_name(asked, known, finding):
        return f"it is about {text}, not about {finding.purl}"
    if asked.version and asked.version not in (known.version, finding.version):
        return f"it is about {text}, and version {finding.version} is installed"
    for key, value in asked.qualifiers.items():
        if key == "arch" and value == _SOURCE and asked.type in _SYSTEM:
            continue
        if known.qualifiers.get(key) != value:
            return f"it is about {text}, and the package has {key}={known.qualifiers.get(key)}"
    return VERSION if asked.version else ANY_VERSION


def _is_same_name(asked: Purl, known: Purl, finding: Finding) -> bool:
    if asked.path == known.path:
        return True
    if asked.type not in _SYSTEM or asked.path[:-1] != known.path[:-1]:
        return False
    is_source = asked.qualifiers.get("arch", _SOURCE) == _SOURCE
    return is_source and asked.name == _normal(asked.type, finding.package)


def _qualifiers(query: str) -> dict[str, str]:
    found = {key.lower(): value for key, value in parse_qsl(query, keep_blank_values=False)}
    name, version = found.pop("os_name", ""), found.pop("os_version", "")
    if name and version:
        found.setdefault("distro", f"{name}-{version}")
    elif name or version:
        found["distro"] = f"{name}-{version}"  # half a name fits nothing
    return found


def _normal(type_: str, name: str) -> str:
    if type_ == "pypi":
        return name.lower().replace("_", "-").replace(".", "-")
    return name.lower() if type_ in (*_SYSTEM, "oci", "docker", "npm", "composer") else name
