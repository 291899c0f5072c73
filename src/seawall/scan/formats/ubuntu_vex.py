"""Ubuntu's VEX documents (OpenVEX), one for each CVE.

    {"@context": "https://openvex.dev/ns/v0.2.0", "statements": [
     {"vulnerability": {"name": "CVE-…"}, "status": "fixed" | "affected" | "not_affected" | …,
      "products": [{"@id": "pkg:deb/ubuntu/openssl@3.0.2-0ubuntu1.15?arch=source&distro=jammy"}]}]}

Only statements about source packages of a release count: binary ones repeat them. `not_affected`
makes no record. Statements of others, about other products, are no advisories and are refused here:
they are let in as VEX.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from seawall.core import strictjson
from seawall.scan.advisory_model import Advisory, Affected, State
from seawall.scan.errors import BadRecordError
from seawall.scan.formats import purls, reading
from seawall.scan.formats.reading import Record

RELEASES: Final[Mapping[str, str]] = {
    "trusty": "14.04:LTS", "xenial": "16.04:LTS", "bionic": "18.04:LTS", "focal": "20.04:LTS",
    "jammy": "22.04:LTS", "mantic": "23.10", "noble": "24.04:LTS", "oracular": "24.10",
    "plucky": "25.04", "questing": "25.10", "resolute": "26.04:LTS",
}  # fmt: skip


class _Name(msgspec.Struct):
    name: str = ""
    id: str = msgspec.field(default="", name="@id")


class _Product(msgspec.Struct):
    id: str = msgspec.field(default="", name="@id")


class _Statement(msgspec.Struct):
    vulnerability: _Name
    status: str
    products: list[_Product] = []


class _Document(msgspec.Struct):
    statements: list[_Statement]
    author: str = ""


def is_mine(value: strictjson.Json) -> bool:
    """Tell whether a document is OpenVEX."""
    return (
        isinstance(value, dict)
        and "openvex" in str(value.get("@context") or "")
        and isinstance(value.get("statements"), list)
    )


def records(value: strictjson.Json) -> Iterator[tuple[str, Record]]:
    """Yield one record for each CVE of the document."""
    try:
        document = reading.converted(value, _Document)
    except BadRecordError as error:
        yield "record", reading.refusing(error)
        return
    by_hole: dict[str, list[_Statement]] = {}
    for statement in document.statements:
        by_hole.setdefault(statement.vulnerability.name, []).append(statement)
    for name, statements in by_hole.items():
        yield reading.place(name), _record(document.author, name, statements)


def _record(author: str, name: str, statements: list[_Statement]) -> Record:
    def read() -> Advisory:
        if "ubuntu" not in author.lower() and "canonical" not in author.lower():
            raise BadRecordError(f"VEX of {author[:64]!r} is no feed: let it in as VEX")
        if not reading.CVE.fullmatch(name):
            raise BadRecordError(f"not a CVE: {name[:64]!r}")
        found = {
            affected: None
            for statement in statements
            for product in statement.products
            if (affected := _affected(statement.status, product.id)) is not None
        }
        return Advisory(id=f"UBUNTU-VEX-{name}", aliases=(name,), affected=tuple(found))

    return read


def _affected(status: str, product: str) -> Affected | None:
    purl = purls.parse(product)
    if purl is None or (purl.type, purl.namespace) != ("deb", "ubuntu"):
        return None
    distro = purl.qualifiers.get("distro", "")
    is_pro = distro.startswith(("esm-", "esm_")) or "/esm" in distro
    codename = distro.removeprefix("ubuntu/").replace("esm-infra/", "").replace("esm-apps/", "")
    release = RELEASES.get(codename)
    if release is None or purl.qualifiers.get("arch") != "source" or status == "not_affected":
        return None
    ecosystem = f"Ubuntu:Pro:{release}" if is_pro else f"Ubuntu:{release}"
    state = State.UNDER_INVESTIGATION if status == "under_investigation" else State.PLAIN
    fixed = purl.version if status == "fixed" else ""
    return reading.fixed_in(ecosystem, purl.name, fixed, state=state)
