"""`seawall scan IMAGE`: what is in an image and what is wrong with it.

An image of this installation is scanned by the workers when it is pushed; this shows the report,
and waits for one that is being made. A local OCI layout or `docker save` archive is scanned here
and now, and nothing about it is stored.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seawall.cli import local, progress

if TYPE_CHECKING:
    from seawall.app.rooms import House
    from seawall.config import Settings
    from seawall.oci.digest import Digest
    from seawall.oci.names import RepositoryName
    from seawall.scan.report_model import Report

POLL_SECONDS: Final = 0.2
PATH_STARTS: Final = ("/", "./", "../")  # no image begins like this
SEVERITIES: Final = ("negligible", "low", "medium", "high", "critical")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "image", metavar="IMAGE",
        help="[HOST/]REPOSITORY[:TAG][@DIGEST] here, or the path of an OCI layout or archive",
    )  # fmt: skip
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="the whole report as JSON")
    form.add_argument("--sbom", action="store_true", help="CycloneDX 1.6 bill of materials")
    form.add_argument("--summary", action="store_true", help="only the totals")
    parser.add_argument("--wait", type=float, default=600, help="seconds to wait for a report")
    parser.add_argument("--again", action="store_true", help="scan anew, layers included")
    parser.add_argument(
        "--fail-on", choices=SEVERITIES, help="exit with 1 if a finding is at or above this"
    )
    parser.epilog = (
        "Exit codes: 0 done, 1 findings at or above --fail-on, 2 wrong input, 3 no such image, no\n"
        "report in time, or with --fail-on: not all of the image could be judged. A severity that\n"
        "nobody stated counts as high"
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.app import setup

    with setup.opened(settings) as house:
        path = Path(options.image)
        if path.exists() or options.image.startswith(PATH_STARTS):
            name, report = options.image, _scan_local(house, path)
        else:
            reference = local.own_image(options.image, settings)
            name = str(reference)
            digest = local.find(reference, house)
            report = _report(house, reference.repository, digest, options)
        _print(house, report, name, options)
    return _exit_code(report, options.fail_on)


def _scan_local(house: House, path: Path) -> Report:
    from seawall.core.errors import NotFoundError
    from seawall.oci.digest import Digest
    from seawall.scan import inventory, inventory_sources

    if not path.exists():
        raise NotFoundError(
            f"there is no {path}", remedy="name an OCI layout, or an archive of docker save"
        )
    with inventory_sources.open_local(path) as image:
        found = inventory.take(image.layers, image.config)
        return house.reports.judge(Digest.parse(image.digest), found)


def _report(
    house: House, repository: RepositoryName, digest: Digest, options: argparse.Namespace
) -> Report:
    from seawall.core.errors import UnavailableError
    from seawall.flows import judging, scanning
    from seawall.jobs import queue

    stored = house.registry.manifest(repository, digest)
    scanned = judging.platform_manifest(digest, stored.content, stored.media_type)
    job = scanning.image_job(scanning.SCAN, repository, scanned)
    before = house.reports.latest(scanned)
    if before is not None and not options.again:
        return before
    with house.database.write() as connection:
        queue.enqueue(connection, job, now=house.clock.now())
    deadline = time.monotonic() + options.wait
    with progress.Bar(f"scanning {repository}@{scanned.short}") as bar:
        while time.monotonic() < deadline:
            with house.database.read() as connection:
                is_waiting = queue.is_waiting(connection, kind=job.kind, key=job.key)
            report = house.reports.latest(scanned)
            if report is not None and (before is None or report.scanned_at > before.scanned_at):
                return report
            if not is_waiting:
                break
            bar.spin(f"{deadline - time.monotonic():.0f} s left")
            time.sleep(POLL_SECONDS)
    with house.database.read() as connection:
        error = queue.last_error(connection, kind=job.kind, key=job.key)
    image = f"{repository}@{scanned.short}"
    raise UnavailableError(
        f"the scan of {image} failed: {error}" if error else f"no new report about {image} yet",
        remedy="see that `seawall up` runs, and the log of its workers",
    )


def _print(house: House, report: Report, name: str, options: argparse.Namespace) -> None:
    import msgspec

    from seawall.scan import sbom, table

    if options.json:
        # Of a local image some texts are still digests, which the encoder does not take for texts.
        document = msgspec.json.encode(report, enc_hook=str)
        sys.stdout.buffer.write(msgspec.json.format(document) + b"\n")
    elif options.sbom:
        document = sbom.cyclonedx(
            report.inventory,
            name=name,
            digest=report.digest,
            now=house.clock.now(),
            findings=report.findings,
        )
        sys.stdout.buffer.write(document + b"\n")
    else:
        distribution = report.inventory.distribution
        system = f" ({distribution.pretty_name})" if distribution else ""
        print(f"{name}{local.printable(system)}  {table.counts(report)}")
        if not options.summary:
            for line in table.lines(report):
                print(line)


def _exit_code(report: Report, least: str | None) -> int:
    """Return 1 for findings at or above `least`, 0 when there is none.

    As at the gate, a severity that nobody stated counts as high, and an image that was not judged
    whole is not a good one. Raises UnavailableError for that.
    """
    from seawall.core.errors import UnavailableError
    from seawall.scan.severity import Severity

    if least is None:
        return 0
    stated = (finding.severity for finding in report.findings)
    ranks = {(Severity.HIGH if one is Severity.UNKNOWN else one).rank for one in stated}
    if any(rank >= Severity(least).rank for rank in ranks):
        return 1
    if report.is_partial or report.notices or not report.feeds:
        raise UnavailableError(
            f"nothing {least} or worse was found, but not all of the image could be judged",
            remedy="see what was left out; advisories come with: seawall feeds update",
        )
    return 0
