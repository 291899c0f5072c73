"""`seawall scan TARGET`: what is in an image and what is wrong with it.

An image of this installation is scanned by the workers when it is pushed; this shows the report,
and waits for one that is being made. Everything else — layouts, archives, directories, images of
the engine or of another registry — is scanned here and now; what was read and shown is remembered
(`scan_memory`), and nothing about it enters the installation.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seawall.cli import _registry_options, local, progress, scan_memory, scan_targets
from seawall.cli.scan_memory import Answer
from seawall.scan.outputs import FORMATS, Subject

if TYPE_CHECKING:
    from seawall.app.rooms import House
    from seawall.config import Settings
    from seawall.jobs.queue import NewJob
    from seawall.oci.digest import Digest
    from seawall.oci.names import RepositoryName
    from seawall.scan.image_source import ImageSource
    from seawall.scan.model import Inventory
    from seawall.scan.report_model import Finding, Report

POLL_SECONDS: Final = 0.2
SEVERITIES: Final = ("negligible", "low", "medium", "high", "critical")
_NO_ADVISORIES: Final = (
    "seawall: there are no advisories in {}: this says what is in the image, and not what is wrong"
    " with it\n         get them: seawall feeds update"
)
_HELP: Final = """targets:
  DOCKERFILE              a file of that name, or *.Dockerfile, Containerfile: its mistakes
  PATH                    OCI layout (folder or tar), archive of docker save, root file system
  docker:NAME             an image that the engine of this machine has
  REPOSITORY[:TAG]        an image of this installation
  HOST/REPOSITORY[:TAG]   an image of another registry

formats:
{formats}

Exit codes: 0 done, 1 findings at or above --fail-on (with --against: new ones) or weaknesses at or
above --fail-on-weakness, 2 wrong input, 3 no such image, no report in time, or with --fail-on: not
all of the image could be judged. A severity that nobody stated counts as high"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="TARGET", help="what to scan, see below")
    parser.add_argument("--against", metavar="TARGET", help="show what changed since that one")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    form.add_argument(
        "--json", dest="format", action="store_const", const="json", help="like --format json"
    )
    form.add_argument(
        "--sbom", dest="format", action="store_const", const="cyclonedx",
        help="like --format cyclonedx",
    )  # fmt: skip
    form.add_argument("--summary", action="store_true", help="only the totals")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write there, not to the screen"
    )
    parser.add_argument("--severity", choices=SEVERITIES, help="leave out findings below this")
    parser.add_argument(
        "--only-fixed", "--ignore-unfixed", action="store_true",
        help="leave out findings without a known fix, also for --fail-on",
    )  # fmt: skip
    parser.add_argument(
        "--fail-on", choices=SEVERITIES, help="exit with 1 if a finding is at or above this"
    )
    parser.add_argument(
        "--fail-on-weakness", choices=SEVERITIES,
        help="exit with 1 if a secret or a mistake of the image itself is at or above this",
    )  # fmt: skip
    parser.add_argument(
        "--vex", type=Path, action="append", default=[], metavar="FILE",
        help="statements that you believe: OpenVEX, CycloneDX or CSAF (more than once)",
    )  # fmt: skip
    parser.add_argument(
        "--fingerprints", type=Path, action="append", default=[], metavar="FILE",
        help="pack of learned fingerprints to use beside those of the installation (more than"
        " once); not for images of this installation",
    )  # fmt: skip
    parser.add_argument(
        "--malware", action="store_true",
        help="ask ClamAV about every file, where its daemon runs on this machine; not for images"
        " of this installation",
    )  # fmt: skip
    parser.add_argument("--platform", default="", metavar="OS/ARCH", help="of an index's images")
    parser.add_argument("--wait", type=float, default=600, help="seconds to wait for a report")
    parser.add_argument("--again", action="store_true", help="scan anew, layers included")
    parser.add_argument("--commit", default="", metavar="SHA", help="for --format github")
    parser.add_argument("--ref", default="", help="for --format github, as refs/heads/main")
    _registry_options.add_connection(parser)
    width = max(map(len, FORMATS))
    lines = "\n".join(f"  {name:<{width}}  {one.summary}" for name, one in FORMATS.items())
    parser.epilog = _HELP.format(formats=lines)


def run(options: argparse.Namespace, settings: Settings) -> int:
    target = options.image
    if options.against is not None:
        return _compare(options, settings)
    if scan_targets.is_own(target, settings) or scan_targets.is_dockerfile(target):
        name, report = _judged(target, options, settings)
        answer = _answer(report, name, options, settings)
        return _show(answer, report, options)
    return _run_remembered(options, settings)


def _run_remembered(options: argparse.Namespace, settings: Settings) -> int:
    """Answer from memory where nothing changed that the answer depends on."""
    import datetime as dt

    target = scan_targets.resolved(options.image, settings)
    memory = scan_memory.of(settings)
    day = dt.datetime.now(dt.UTC).date()
    with contextlib.ExitStack() as stack:
        image = None
        identity = [target]
        if not target.startswith(scan_targets.ENGINE):
            image = stack.enter_context(scan_targets.opened(target, options, settings))
            identity = scan_memory.identity_of(image)
        key = scan_memory.key_of(identity, options, settings, day=day)
        known = None if key is None or options.again else memory.answer(key)
        if known is not None:
            return _show(known, None, options)
        image = image or stack.enter_context(scan_targets.opened(target, options, settings))
        report = _scanned(image, options, settings)
    name = _name(options.image)
    report = _filtered(report, name, options, settings)
    answer = _answer(report, name, options, settings)
    code = _show(answer, report, options)
    if key is not None and not report.is_partial:
        memory.keep_answer(key, dataclasses.replace(answer, exit_code=code))
    return code


def _answer(report: Report, name: str, options: argparse.Namespace, settings: Settings) -> Answer:
    is_silent = report.feeds or options.format == "json"
    return Answer(
        document=_document(_shown(report, options), name, options),
        message="" if is_silent else _NO_ADVISORIES.format(settings.state),
    )


def _show(answer: Answer, report: Report | None, options: argparse.Namespace) -> int:
    """Print an answer and return its exit code, by the report unless it is remembered."""
    if answer.message:
        print(answer.message, file=sys.stderr)
    _write(answer.document, options)
    if report is None:
        return answer.exit_code
    if _is_weak(report, options.fail_on_weakness):
        return 1
    return _exit_code(report.findings, report, options.fail_on)


def _compare(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.core.errors import InvalidInputError
    from seawall.scan import differences
    from seawall.scan.outputs import difference

    if options.format not in ("table", "json"):
        raise InvalidInputError(
            "a comparison is shown as a table or as JSON", remedy="use --format json"
        )
    _, report = _judged(options.image, options, settings)
    _, before = _judged(options.against, options, settings)
    found = differences.between(_shown(before, options), _shown(report, options))
    if options.format == "json":
        _write(difference.as_json(found), options)
    else:
        lines = list(difference.lines(found))
        told = lines[-1:] if options.summary else lines
        _write("".join(f"{line}\n" for line in told).encode(), options)
    whole = differences.between(before, report)
    return _exit_code(whole.new, report, options.fail_on)


def _judged(target: str, options: argparse.Namespace, settings: Settings) -> tuple[str, Report]:
    """Return the name and the report of a target, with VEX and filters of fixes applied."""
    if scan_targets.is_own(target, settings):
        _refuse_for_own(target, options)
        name, report = _stored(target, options, settings)
    elif scan_targets.is_dockerfile(target):
        _refuse_for_dockerfile(target, options)
        name, report = target, _judge(*scan_targets.of_dockerfile(Path(target)), settings)
    else:
        with scan_targets.opened(target, options, settings) as image:
            name, report = _name(target), _scanned(image, options, settings)
    return name, _filtered(report, name, options, settings)


def _refuse_for_own(target: str, options: argparse.Namespace) -> None:
    """Raise InvalidInputError for what the workers of the installation would have to do."""
    from seawall.core.errors import InvalidInputError

    if options.fingerprints:
        raise InvalidInputError(
            f"{target} is scanned by the workers, with the fingerprints of the installation",
            remedy="bring them in first: seawall fingerprints import FILE",
        )
    if options.malware:
        raise InvalidInputError(
            f"{target} is scanned by the workers, which do not ask ClamAV",
            remedy="save it (docker save), and scan the archive",
        )


def _refuse_for_dockerfile(target: str, options: argparse.Namespace) -> None:
    """Raise InvalidInputError for what needs files to look at."""
    from seawall.core.errors import InvalidInputError

    if options.fingerprints or options.malware:
        named = "--fingerprints" if options.fingerprints else "--malware"
        raise InvalidInputError(
            f"{target} is a recipe and has no programs yet, which {named} is about",
            remedy="build it, and scan the image: seawall scan docker:NAME",
        )


def _filtered(report: Report, name: str, options: argparse.Namespace, settings: Settings) -> Report:
    import msgspec

    if options.vex:
        report = _answered(report, [name, *_own_names(name, settings)], options.vex)
    if options.only_fixed:
        fixable = tuple(one for one in report.findings if one.is_fixable)
        report = msgspec.structs.replace(report, findings=fixable)
    return report


def _name(target: str) -> str:
    return target.removeprefix(scan_targets.ENGINE)


def _stored(target: str, options: argparse.Namespace, settings: Settings) -> tuple[str, Report]:
    from seawall.app import setup

    with setup.opened(settings) as house:
        reference = local.own_image(target, settings)
        digest = local.find(reference, house)
        report = _report(house, reference.repository, digest, options)
        answered = house.judge.answered(reference.repository, digest, report)
        return str(reference), house.judge.waived(reference.repository, answered)


def _scanned(image: ImageSource, options: argparse.Namespace, settings: Settings) -> Report:
    from seawall.oci.digest import Digest

    memory = scan_memory.of(settings)
    found = scan_targets.take(
        image,
        memory,
        settings,
        fingerprints=options.fingerprints,
        is_anew=options.again,
        asks_clamav=options.malware,
    )
    return _judge(Digest.parse(image.digest), found, settings)


def _judge(digest: Digest, found: Inventory, settings: Settings) -> Report:
    """Hold an inventory against the advisories of this installation, if it has any."""
    import datetime as dt

    from seawall.app import scanner
    from seawall.scan import report_model

    with scanner.opened_reports(settings) as reports:
        if reports is not None:
            return reports.judge(digest, found)
    return report_model.unjudged(found, digest=digest, now=dt.datetime.now(dt.UTC))


def _own_names(name: str, settings: Settings) -> list[str]:
    """Return the names of an image of this installation under its hosts."""
    is_bare = not name.startswith((*scan_targets.PATH_STARTS, scan_targets.ENGINE))
    hosts = settings.registry_hosts if is_bare else ()
    return [f"{host}/{name}" for host in hosts]


def _answered(report: Report, names: list[str], files: list[Path]) -> Report:
    from seawall.scan import vex
    from seawall.scan.vex import documents

    found = [documents.read_file(path) for path in files]
    return vex.apply(report, found, names=names)


def _report(
    house: House, repository: RepositoryName, digest: Digest, options: argparse.Namespace
) -> Report:
    from seawall.core.errors import UnavailableError
    from seawall.flows import judging, scanning
    from seawall.jobs import queue
    from seawall.scan.outputs import table

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
            error = _last_error(house, job)
            report = house.reports.latest(scanned)
            if report is not None and (before is None or report.scanned_at > before.scanned_at):
                return report
            if not is_waiting:
                break
            left = f"{deadline - time.monotonic():.0f} s left"
            bar.spin(f"{left}; the last try failed: {table.plain(error)}" if error else left)
            time.sleep(POLL_SECONDS)
    error = _last_error(house, job)
    image = f"{repository}@{scanned.short}"
    raise UnavailableError(
        f"the scan of {image} failed: {error}" if error else f"no new report about {image} yet",
        remedy="see that `seawall up` runs, and the log of its workers",
    )


def _last_error(house: House, job: NewJob) -> str | None:
    """Return why the last try failed."""
    from seawall.jobs import queue

    with house.database.read() as connection:
        return queue.last_error(connection, kind=job.kind, key=job.key)


def _shown(report: Report, options: argparse.Namespace) -> Report:
    """Leave out what is less severe than asked; what nobody rated counts as high."""
    import msgspec

    if options.severity is None:
        return report
    kept = tuple(one for one in report.findings if _is_at_least(one, options.severity))
    return msgspec.structs.replace(report, findings=kept)


def _document(report: Report, name: str, options: argparse.Namespace) -> bytes:
    from seawall.scan.outputs import table

    if options.format == "table":
        distribution = report.inventory.distribution
        system = f" ({distribution.pretty_name})" if distribution else ""
        head = f"{table.plain(name, max_chars=300)}{local.printable(system)}"
        lines = [f"{head}  {table.counts(report)}"]
        if not options.summary:
            lines += table.lines(report)
        return "".join(f"{line}\n" for line in lines).encode()
    subject = Subject(name=name, commit=options.commit, ref=options.ref)
    return FORMATS[options.format].write(report, subject).rstrip(b"\n") + b"\n"


def _write(document: bytes, options: argparse.Namespace) -> None:
    from seawall.core import files

    path: Path | None = options.output
    if path is None:
        sys.stdout.buffer.write(document)
    elif path.exists() and not path.is_file():
        path.write_bytes(document)  # a pipe, or /dev/stdout
    else:
        files.write_output(path, document)


def _is_at_least(finding: Finding, least: str) -> bool:
    from seawall.scan.severity import Severity

    stated = finding.severity
    counted = Severity.HIGH if stated is Severity.UNKNOWN else stated
    return counted.rank >= Severity(least).rank


def _is_weak(report: Report, least: str | None) -> bool:
    from seawall.scan.severity import Severity

    return least is not None and any(
        one.severity.rank >= Severity(least).rank for one in report.inventory.weaknesses
    )


def _exit_code(findings: tuple[Finding, ...], report: Report, least: str | None) -> int:
    """Return 1 for findings at or above `least`, 0 when there is none.

    As at the gate, a severity that nobody stated counts as high, and an image that was not judged
    whole is not a good one. Raises UnavailableError for that.
    """
    from seawall.core.errors import UnavailableError

    if least is None:
        return 0
    if any(_is_at_least(one, least) for one in findings):
        return 1
    if report.is_partial or report.gaps or not report.feeds:
        raise UnavailableError(
            f"nothing {least} or worse was found, but not all of the image could be judged",
            remedy="see what was left out; advisories come with: seawall feeds update",
        )
    return 0
