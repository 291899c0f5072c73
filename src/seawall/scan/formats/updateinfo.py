"""updateinfo.xml, the advisories of rpm repositories (Amazon Linux, Fedora, EPEL).

    <updates><update type="security"><id>ALAS2023-2023-001</id><title/><severity/>
      <references><reference type="cve" id="CVE-…"/></references>
      <pkglist><collection><package name= epoch= version= release= arch= /></collection></pkglist>

The distribution is told by the id (`ALAS2023-…`), Fedora's release by its `<release>`. Only updates
of type `security` count. XML that declares a document type or an entity is refused whole: no feed
has one, and entities are how a small file fills the memory.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Final

from seawall.scan import severity as severities
from seawall.scan.advisory_model import Advisory, Affected
from seawall.scan.errors import BadFeedError, BadRecordError
from seawall.scan.formats import reading
from seawall.scan.formats.reading import Record

PACKAGES_MAX: Final = 20_000

_DECLARATION: Final = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_AMAZON: Final = re.compile(r"ALAS(2023|2|)-[0-9]{4}-[0-9]{1,6}")
_FEDORA: Final = re.compile(r"Fedora (EPEL )?([0-9]{1,3})")


def records(body: bytes) -> Iterator[tuple[str, Record]]:
    """Yield one record for each update. Raises BadFeedError when the XML is none, or unsafe."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadFeedError("the XML is not UTF-8") from error
    if _DECLARATION.search(body):
        raise BadFeedError("the XML declares a document type or an entity")
    try:
        root = ET.fromstring(body)  # noqa: S314
    except (ET.ParseError, ValueError, LookupError) as error:
        raise BadFeedError(f"the file is not XML: {error}") from error
    if root.tag != "updates":
        raise BadFeedError(f"the XML is no updateinfo, but {root.tag[:64]!r}")
    for number, update in enumerate(root.iterfind("update"), start=1):
        if update.get("type") == "security":
            yield f"update {number}", lambda update=update: _advisory(update)  # type: ignore[misc]


def _advisory(update: ET.Element) -> Advisory:
    name = reading.identifier((update.findtext("id") or "").strip())
    ecosystem = _ecosystem(name, (update.findtext("release") or "").strip())
    rating = severities.of_word(update.findtext("severity") or "", source=ecosystem)
    ids = [reference.get("id") or "" for reference in update.iterfind("references/reference")]
    titles = [reference.get("title") or "" for reference in update.iterfind("references/reference")]
    found: dict[Affected, None] = {}
    for number, package in enumerate(update.iterfind("pkglist/collection/package")):
        if number >= PACKAGES_MAX:
            raise BadRecordError(f"more than {PACKAGES_MAX} packages")
        if package.get("arch") in ("x86_64", "noarch", "i686"):
            affected = reading.fixed_in(
                ecosystem, package.get("name") or "", _version(package), rating=rating
            )
            found[affected] = None
    upstream = reading.cves(ids) or reading.cves(w for t in titles for w in t.split())
    return Advisory(
        id=name,
        upstream=upstream,
        summary=reading.summary(update.findtext("title") or ""),
        affected=tuple(found),
    )


def _ecosystem(name: str, release: str) -> str:
    if (amazon := _AMAZON.fullmatch(name)) is not None:
        return f"Amazon Linux:{amazon[1] or '2018.03'}"
    if (fedora := _FEDORA.search(release)) is not None:
        return f"{'EPEL' if fedora[1] else 'Fedora'}:{fedora[2]}"
    raise BadRecordError(f"the distribution of {name} is not known")


def _version(package: ET.Element) -> str:
    epoch, version = package.get("epoch") or "0", package.get("version") or ""
    release = package.get("release") or ""
    if not version or not release:
        raise BadRecordError("a package without a version")
    text = f"{version}-{release}"
    return text if epoch == "0" else f"{epoch}:{text}"
