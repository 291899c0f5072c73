"""What Seawall's scanner found, as predicates to attest.

The report is this installation's for an image of its registry, or one made here and now from a
local copy, whose digest must be the image's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from seawall.app import setup
from seawall.cli import image_signatures, local, scan_memory, scan_targets
from seawall.cli.image_attestations import Predicate
from seawall.cli.registry_client import RegistryClient
from seawall.core.errors import InvalidInputError, NotFoundError, UnavailableError
from seawall.oci import media
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor
from seawall.oci.names import Reference
from seawall.scan import inventory_sources, outputs, vulnerability_predicate
from seawall.scan.outputs import cyclonedx
from seawall.trust.attestations import kinds, statement

if TYPE_CHECKING:
    from seawall.app.rooms import House
    from seawall.config import Settings
    from seawall.scan.report_model import Report

FROM_SCAN: Final = (kinds.VULNERABILITIES, kinds.CYCLONEDX)


def wanted(kind: str | None) -> tuple[str, ...]:
    """Return the types to make: the one that was named, else all. Raises InvalidInputError."""
    if kind is None:
        return FROM_SCAN
    named = kinds.parse(kind)
    if named not in FROM_SCAN:
        raise InvalidInputError(
            f"the scanner makes nothing of the type {kinds.name_of(named)}",
            remedy="use --type vuln or --type cyclonedx, or leave it out for both",
        )
    return (named,)


def collect(
    client: RegistryClient,
    image: Reference,
    layout: str,
    types: Sequence[str],
    settings: Settings,
) -> list[tuple[Descriptor, Predicate]]:
    """Return what is to be said about which manifest; `layout` is a local copy, or empty.

    Raises InvalidInputError when the copy is of another image, UnavailableError without a report.
    """
    members = _members(client, image)
    with setup.opened(settings) as house:
        reports = _local(house, Path(layout)) if layout else _stored(house, image, members)
        found = [
            (members[digest], _predicate(report, image, kind))
            for digest, report in reports.items()
            if digest in members
            for kind in types
        ]
    if not found:
        raise InvalidInputError(
            f"{layout} is a copy of another image than {image}",
            remedy="save the image again, or name the image by the digest of the copy",
        )
    return found


def _members(client: RegistryClient, image: Reference) -> dict[Digest, Descriptor]:
    """Return the manifest, or those of an index's platforms."""
    fetched = client.get_manifest(image.repository, image.target)
    if fetched.media_type in media.INDEXES:
        return {one.digest: one for one in image_signatures.platforms(fetched)}
    return {fetched.digest: fetched.descriptor}


def _local(house: House, path: Path) -> dict[Digest, Report]:
    if not path.exists():
        raise NotFoundError(
            f"there is no {path}", remedy="name an OCI layout, or an archive of docker save"
        )
    with inventory_sources.open_local(path) as opened:
        found = scan_targets.take(opened, scan_memory.of(house.settings), house.settings)
        report = house.reports.judge(Digest.parse(opened.digest), found)
    return {Digest.parse(opened.digest): report}


def _stored(
    house: House, image: Reference, members: dict[Digest, Descriptor]
) -> dict[Digest, Report]:
    local.own_image(str(image), house.settings)
    latest = {digest: house.reports.latest(digest) for digest in members}
    found = {digest: report for digest, report in latest.items() if report is not None}
    if not found:
        raise UnavailableError(
            f"there is no scan report of {image} yet", remedy=f"wait for it: seawall scan {image}"
        )
    return found


def _predicate(report: Report, image: Reference, kind: str) -> Predicate:
    if kind == kinds.VULNERABILITIES:
        return Predicate(predicate_type=kind, content={**vulnerability_predicate.of_report(report)})
    # Without findings: those are said by the other predicate, and change when nothing was built.
    stated = msgspec.structs.replace(report, findings=(), suppressed=())
    name = f"{image.host}/{image.repository}@{report.digest}"
    document = cyclonedx.write(stated, outputs.Subject(name=name))
    return Predicate(predicate_type=kind, content=statement.parse_predicate(document))
