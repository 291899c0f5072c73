"""`seawall doctor`: explain the state of the installation, of its engine, of one container."""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from seawall.cli import local

if TYPE_CHECKING:
    from seawall.app.checkup import Check
    from seawall.config import Settings
    from seawall.core.strictjson import Json
    from seawall.isolation.probe import Finding

EXEC_SECONDS: Final = 60
NOTHING_SEEN: Final = ("not seen", "not tried")
MARKS: Final = {True: "ok", False: "NO", None: "--"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--container", metavar="NAME", help="prove, from inside and outside, that it is confined"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.epilog = "Exit codes: 0 all is well, 1 something is not, 3 it could not be looked at"


def run(options: argparse.Namespace, settings: Settings) -> int:
    if options.container:
        return _container(options, settings)
    from seawall.app import checkup

    checks = list(checkup.checks(settings))
    for check in checks:
        _print_check(check, options.json)
    return 1 if any(check.is_well is False for check in checks) else 0


def _container(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.app import engine_socket
    from seawall.core.errors import NotFoundError, UnavailableError
    from seawall.engine.docker import Docker
    from seawall.isolation import probe

    socket = engine_socket.find(settings)
    program = shutil.which("docker")
    if socket is None or program is None:
        raise UnavailableError(
            "no engine answers, or there is no docker client", remedy="apt-get install docker.io"
        )
    try:
        told = Docker(socket).inspect(options.container)
    except NotFoundError as error:
        raise NotFoundError(
            f"the engine has no container {options.container}", remedy="see: docker ps"
        ) from error
    pid, granted, pids_limit = _told_by_engine(told)
    said: list[str] = []

    def run_inside(words: tuple[str, ...]) -> str:
        command = [program, "-H", f"unix://{socket}", "exec", options.container, *words]
        out, err = _run_bounded(command)
        said.extend(f"{out}\n{err}".strip().splitlines()[-1:])
        return out

    findings = probe.prove(
        run_inside,
        pid,
        granted=granted,
        pids_limit=pids_limit,
        machine=platform.machine(),
    )
    for finding in findings:
        _print_finding(finding, options.json)
    if all(finding.observed in NOTHING_SEEN for finding in findings if _is_inside(finding)):
        why = local.printable(" ".join(said)) or "nothing came back"
        print(f"seawall: nothing could be tried inside: {why}", file=sys.stderr)
        print("         that needs a shell, and perl or python3, in the image", file=sys.stderr)
    return 0 if all(finding.passed for finding in findings) else 1


def _is_inside(finding: Finding) -> bool:
    return finding.name.startswith("inside")


def _run_bounded(command: list[str]) -> tuple[str, str]:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace",
            timeout=EXEC_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "", f"no answer within {EXEC_SECONDS} s"
    return done.stdout, done.stderr


def _told_by_engine(container: dict[str, Json]) -> tuple[int, tuple[str, ...], int]:
    """Return the process, the capabilities and the limit of tasks that the engine set.

    Raises UnavailableError for a container that does not run.
    """
    from seawall.core.errors import UnavailableError
    from seawall.isolation import capabilities

    state, settings = container.get("State"), container.get("HostConfig")
    pid = state.get("Pid") if isinstance(state, dict) else None
    if not isinstance(pid, int) or pid <= 0 or not isinstance(settings, dict):
        raise UnavailableError("the container does not run", remedy="start it first")
    added, limit = settings.get("CapAdd"), settings.get("PidsLimit")
    names = [str(name) for name in added] if isinstance(added, list) else []
    granted = tuple(sorted(name for text in names if (name := capabilities.canonical(text))))
    return pid, granted, limit if isinstance(limit, int) else 0


def _print_check(check: Check, as_json: bool) -> None:
    if as_json:
        line = {
            "about": check.about, "is_well": check.is_well,
            "seen": check.seen, "remedy": check.remedy,
        }  # fmt: skip
        print(json.dumps(line))
        return
    print(f"{MARKS[check.is_well]:<3} {check.about:<14} {local.printable(check.seen)}")
    if check.remedy:
        print(f"    {'':<14} → {check.remedy}")


def _print_finding(finding: Finding, as_json: bool) -> None:
    if as_json:
        line = {
            "check": finding.name, "expected": finding.expected,
            "observed": finding.observed, "passed": finding.passed,
        }  # fmt: skip
        print(json.dumps(line))
    else:
        observed = local.printable(finding.observed)
        print(f"{MARKS[finding.passed]:<3} {finding.name:<44} {observed}")
