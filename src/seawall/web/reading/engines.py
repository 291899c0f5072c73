"""What the container engine says now, within a short time: a silent engine never hangs a page."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seawall.core.errors import SeawallError
from seawall.core.strictjson import Json
from seawall.engine import docker
from seawall.engine.docker import Docker
from seawall.web import views

DEADLINE_S: Final = 1.0
"""For each wait for the engine's bytes."""

REMEDY: Final = ("sudo apt-get install docker.io", "sudo systemctl start docker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The engine and what runs on it; no engine at all, or one that does not answer."""

    engine: views.Engine | None
    containers: tuple[docker.Container, ...] = ()


def find(paths: Iterable[Path]) -> Docker | None:
    """Return the first engine of `paths` that answers, else the first that is there at all."""
    # One socket often has two names, /run and /var/run; the only one is not asked twice.
    sockets = list(dict.fromkeys(path.resolve() for path in paths if _is_socket(path)))
    found = [Docker(socket, deadline_s=DEADLINE_S) for socket in sockets]
    if len(found) > 1:
        return next((engine for engine in found if engine.is_answering()), found[0])
    return found[0] if found else None


def look(engine: Docker | None) -> Seen:
    """Ask the engine for itself and for what runs on it."""
    if engine is None:
        return Seen(engine=None)
    socket = f"unix://{engine.socket}"
    try:
        version, info, containers = engine.version(), engine.info(), engine.containers()
    except SeawallError as error:
        note = f"{error.message}; {error.remedy}" if error.remedy else error.message
        silent = views.Engine(name=socket, version="", is_reachable=False, note=note)
        return Seen(engine=silent)
    name = info.get("Name")
    answering = views.Engine(
        name=name if isinstance(name, str) and name else socket,
        version=f"Docker {version.engine}, API {version.api}",
        is_reachable=True,
        note="; ".join(_weaknesses(info)),
    )
    return Seen(engine=answering, containers=containers)


def _weaknesses(info: dict[str, Json]) -> Iterator[str]:
    options = info.get("SecurityOptions")
    named = {str(one).split(",", 1)[0] for one in options} if isinstance(options, list) else set()
    if not named & {"name=userns", "name=rootless"}:
        yield "root in a container is root on this machine: set userns-remap in daemon.json"
    if "name=seccomp" not in named:
        yield "no seccomp: containers may make every system call"


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False
