"""CSAF 2.0 documents of Red Hat and SUSE: VEX (one a CVE) and advisories (one an update).

    product tree    leaves are platforms (with a CPE) and packages (with a package URL); a
                    relationship "package X as a component of platform Y" makes a product
    fixed           affected before the version of the package
    known_affected, no version      affected, no fix; the remediation says what to expect
    known_not_affected              no statement that anything is wrong: left out
    under_investigation             affected as far as anybody knows, in that state

Red Hat's platforms become OSV's names of them (`Red Hat:enterprise_linux:9::appstream`), SUSE's,
too (`SUSE:Linux Enterprise Server 15 SP5`). Debug packages are left out, and so are all but one of
the architectures: the version is the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Final

import msgspec

from seawall.core import strictjson
from seawall.scan import severity as severities
from seawall.scan.advisory_model import Advisory, Affected, State
from seawall.scan.errors import BadRecordError
from seawall.scan.formats import purls, reading
from seawall.scan.formats.reading import Record
from seawall.scan.severity import UNRATED, Rating

PRODUCTS_MAX: Final = 400_000

_REDHAT: Final = re.compile(r"cpe:/[ao]:redhat:([a-z0-9_.:~-]{1,100})")
_SUSE: Final = re.compile(r"(SUSE|openSUSE) (Linux .{1,80}|Leap [0-9.]{1,10}|Tumbleweed)")
_NEVRA: Final = re.compile(
    r"(?P<name>\S+)-(?:(?P<epoch>[0-9]+):)?(?P<version>[^-\s:]+)-(?P<release>[^-\s]+)"
    r"\.(?P<arch>x86_64|aarch64|noarch|src|s390x|ppc64le|i[3-6]86)"
)
_DEBUG: Final = ("-debuginfo", "-debugsource", "-debuginfo-common")


class _Helper(msgspec.Struct):
    cpe: str = ""
    purl: str = ""


class _Product(msgspec.Struct):
    id: str = msgspec.field(name="product_id")
    name: str = ""
    helper: _Helper = msgspec.field(default_factory=_Helper, name="product_identification_helper")


class _Relationship(msgspec.Struct):
    product: _Product = msgspec.field(name="full_product_name")
    package: str = msgspec.field(name="product_reference")
    platform: str = msgspec.field(name="relates_to_product_reference")


class _Tree(msgspec.Struct):
    branches: list[object] = []
    full_product_names: list[_Product] = []
    relationships: Annotated[list[_Relationship], msgspec.Meta(max_length=PRODUCTS_MAX)] = []


class _Remediation(msgspec.Struct):
    category: str = ""
    details: str = ""
    product_ids: list[str] = []


class _Cvss(msgspec.Struct):
    vector: str = msgspec.field(default="", name="vectorString")


class _Score(msgspec.Struct):
    v3: _Cvss | None = msgspec.field(default=None, name="cvss_v3")


class _Threat(msgspec.Struct):
    category: str = ""
    details: str = ""


class _Status(msgspec.Struct):
    fixed: list[str] = []
    recommended: list[str] = []
    first_fixed: list[str] = []
    known_affected: list[str] = []
    under_investigation: list[str] = []


class _Vulnerability(msgspec.Struct):
    cve: str = ""
    title: str = ""
    status: _Status = msgspec.field(default_factory=_Status, name="product_status")
    remediations: list[_Remediation] = []
    scores: list[_Score] = []
    threats: list[_Threat] = []


class _Tracking(msgspec.Struct):
    id: str


class _Publisher(msgspec.Struct):
    name: str = ""


class _Document(msgspec.Struct):
    category: str
    tracking: _Tracking
    title: str = ""
    publisher: _Publisher = msgspec.field(default_factory=_Publisher)


class _Csaf(msgspec.Struct):
    document: _Document
    tree: _Tree = msgspec.field(default_factory=_Tree, name="product_tree")
    vulnerabilities: list[_Vulnerability] = []


class _Package(msgspec.Struct, frozen=True):
    name: str
    version: str  # empty: no version is named
    module: str


def is_mine(value: strictjson.Json) -> bool:
    """Tell whether a document is CSAF."""
    if not isinstance(value, dict):
        return False
    document = value.get("document")
    return isinstance(document, dict) and "csaf_version" in document and "tracking" in document


def records(value: strictjson.Json) -> Iterator[tuple[str, Record]]:
    """Yield one record for the document of an update, one for each CVE of a VEX document."""
    try:
        csaf = reading.converted(value, _Csaf)
        products = _products(csaf.tree)
    except BadRecordError as error:
        yield "record", reading.refusing(error)
        return
    if csaf.document.category == "csaf_vex":
        for hole in csaf.vulnerabilities:
            yield reading.place(hole.cve), _vex(csaf, hole, products)
    else:
        yield reading.place(csaf.document.tracking.id), lambda: _update(csaf, products)


_Products = Mapping[str, tuple[str, _Package]]
"""Product id → (ecosystem, package)."""


def _vex(csaf: _Csaf, hole: _Vulnerability, products: _Products) -> Record:
    def read() -> Advisory:
        if not reading.CVE.fullmatch(hole.cve):
            raise BadRecordError(f"not a CVE: {hole.cve[:64]!r}")
        vendor = "SUSE" if "suse" in csaf.document.publisher.name.lower() else "REDHAT"
        return Advisory(
            id=f"{vendor}-{hole.cve}",
            aliases=(hole.cve,),
            summary=reading.summary(hole.title or csaf.document.title),
            rating=_computed(hole),
            affected=tuple(_affected(hole, products, csaf.document.publisher.name)),
        )

    return read


def _update(csaf: _Csaf, products: _Products) -> Advisory:
    found = {
        affected: None
        for hole in csaf.vulnerabilities
        for affected in _affected(hole, products, csaf.document.publisher.name)
    }
    return Advisory(
        id=reading.identifier(csaf.document.tracking.id),
        upstream=reading.cves(hole.cve for hole in csaf.vulnerabilities),
        summary=reading.summary(csaf.document.title),
        affected=tuple(found),
    )


def _affected(hole: _Vulnerability, products: _Products, publisher: str) -> Iterator[Affected]:
    rating = _said(hole, publisher)
    status = hole.status
    seen: set[tuple[str, _Package]] = set()
    for name in (*status.fixed, *status.recommended, *status.first_fixed):
        if (known := products.get(name)) and known not in seen and known[1].version:
            seen.add(known)
            ecosystem, package = known
            yield reading.fixed_in(
                ecosystem, package.name, package.version, rating=rating, module=package.module
            )
    states = _states(hole.remediations)
    under = dict.fromkeys(status.under_investigation, State.UNDER_INVESTIGATION)
    for name in (*status.known_affected, *status.under_investigation):
        # A version that is known to be affected says nothing about others.
        if (known := products.get(name)) and known not in seen and not known[1].version:
            seen.add(known)
            ecosystem, package = known
            yield reading.fixed_in(
                ecosystem,
                package.name,
                "",
                rating=rating,
                module=package.module,
                state=under.get(name) or states.get(name, State.PLAIN),
            )


def _states(remediations: Iterable[_Remediation]) -> dict[str, State]:
    found: dict[str, State] = {}
    for each in remediations:
        said = each.details.lower()
        if "out of support" in said:
            state = State.END_OF_LIFE
        elif "will not fix" in said or each.category == "no_fix_planned":
            state = State.IGNORED
        elif "deferred" in said:
            state = State.POSTPONED
        else:
            continue
        found.update(dict.fromkeys(each.product_ids, state))
    return found


def _said(hole: _Vulnerability, publisher: str) -> Rating:
    source = reading.summary(publisher)[:64] or "CSAF"
    for threat in hole.threats:
        if threat.category == "impact":
            return severities.of_word(threat.details, source=source)
    return UNRATED


def _computed(hole: _Vulnerability) -> Rating:
    vectors = [score.v3.vector for score in hole.scores if score.v3 is not None]
    return severities.of_vector(vectors[0]) if vectors else UNRATED


# -- the product tree


def _products(tree: _Tree) -> dict[str, tuple[str, _Package]]:
    leaves = {leaf.id: leaf for leaf in (*_leaves(tree.branches), *tree.full_product_names)}
    platforms = {name: _ecosystem(leaf) for name, leaf in leaves.items()}
    packages: dict[str, _Package | None] = {}
    found: dict[str, tuple[str, _Package]] = {}
    for each in tree.relationships:
        ecosystem = platforms.get(each.platform, "")
        if each.package not in packages:
            packages[each.package] = _package(each.package, leaves.get(each.package))
        package = packages[each.package]
        if ecosystem and package is not None:
            found[each.product.id] = (ecosystem, package)
    return found


def _leaves(branches: list[object]) -> Iterator[_Product]:
    todo, seen = list(branches), 0
    while todo:
        seen += 1
        if seen > PRODUCTS_MAX:
            raise BadRecordError(f"more than {PRODUCTS_MAX} products")
        branch = todo.pop()
        if not isinstance(branch, dict):
            continue
        inner = branch.get("branches")
        if isinstance(inner, list):
            todo += inner
        if isinstance(branch.get("product"), dict):
            yield reading.converted(branch["product"], _Product)


def _ecosystem(leaf: _Product) -> str:
    if (redhat := _REDHAT.match(leaf.helper.cpe)) is not None:
        return f"Red Hat:{redhat[1].rstrip(':')}"
    if (suse := _SUSE.fullmatch(leaf.name or leaf.id)) is not None:
        return f"{suse[1]}:{suse[2]}"
    return ""


def _package(reference: str, leaf: _Product | None) -> _Package | None:
    purl = purls.parse(leaf.helper.purl) if leaf else None
    if purl is not None and purl.type == "rpm":
        if purl.qualifiers.get("arch") in ("aarch64", "s390x", "ppc64le"):
            return None
        module = ":".join(purl.qualifiers.get("rpmmod", "").split(":")[:2])
        return _real(purl.name, purl.full_version, module)
    text = reference.rpartition("::")[0] or reference
    if (nevra := _NEVRA.fullmatch(text)) is not None:
        version = f"{nevra['version']}-{nevra['release']}"
        epoch = nevra["epoch"]
        return _real(nevra["name"], f"{epoch}:{version}" if epoch else version, "")
    # A component without a version: `openssl`, `nodejs:18/nodejs`.
    module, slash, name = reference.rpartition("/")
    return _real(name, "", module if slash and ":" in module else "")


def _real(name: str, version: str, module: str) -> _Package | None:
    return None if name.endswith(_DEBUG) else _Package(name, version, module)
