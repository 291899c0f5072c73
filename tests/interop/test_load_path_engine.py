"""What a real container maps into memory is what the scanner said can be loaded."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest

from seawall.scan import inventory, inventory_sources
from seawall.scan.model import Component, Reach
from seawall.testing import images
from seawall.testing.engines import Engine
from seawall.testing.images import Entry

PROGRAMS = ("dash", "openssl", "perl", "sleep")
BYSTANDERS = ("gzip", "sed", "tar")
MERGED = ("bin", "lib", "lib64", "sbin")

PERL = "#!/bin/sh\nset -e\nexec perl -MSocket -MPOSIX -e 'POSIX::pause()'\n"
SERVER = "sleep 300 & exec openssl s_server -accept 44330 -nocert"


@pytest.fixture(scope="module")
def packages(need: Callable[..., None]) -> dict[str, list[str]]:
    """Return the files of this machine's own packages that hold the programs and libraries."""
    need("dpkg-query", "ldd", *PROGRAMS)
    names = {owner(os.path.realpath(path)) for path in needed()} | set(BYSTANDERS)
    files = {}
    for name in sorted(names):
        listed = said("dpkg-query", "-L", name).splitlines()
        paths = [path for path in listed if path.strip("/") not in MERGED]
        files[name] = [path for path in paths if os.path.isfile(path) or os.path.islink(path)]
    return files


@pytest.fixture(scope="module")
def system(packages: dict[str, list[str]]) -> dict[str, bytes | Entry]:
    """Return a root file system of these packages, with the database that names them."""
    content: dict[str, bytes | Entry] = {
        name: Entry(link=f"usr/{name}") for name in MERGED if os.path.islink(f"/{name}")
    }
    status = []
    for name, paths in packages.items():
        version = said("dpkg-query", "-W", "-f", "${Version}\\n", name).split()[0]
        status.append(
            f"Package: {name.partition(':')[0]}\nStatus: install ok installed\n"
            f"Architecture: amd64\nVersion: {version}\n"
        )
        lists = f"var/lib/dpkg/info/{name.partition(':')[0]}.list"
        content[lists] = "".join(f"{path}\n" for path in paths).encode()
        for path in paths:
            place = placed(path)
            if os.path.islink(path):
                content[place] = Entry(link=os.readlink(path))
            else:
                mode = os.stat(path).st_mode & 0o777
                content[place] = Entry(content=Path(path).read_bytes(), mode=mode)
    content["var/lib/dpkg/status"] = "\n".join(status).encode()
    content["usr/bin/sh"] = Entry(link="dash")
    content["start"] = Entry(content=PERL.encode(), mode=0o755)
    folders = {str(parent) for path in content for parent in PurePosixPath(path).parents}
    made = {path: Entry(kind=tarfile.DIRTYPE, mode=0o755) for path in sorted(folders - {"."})}
    return made | content


@pytest.mark.parametrize(
    ("command", "last"),
    [(("/start",), "perl"), (("/bin/sh", "-c", SERVER), "openssl")],
)
def test_whatever_a_container_loads_was_told(
    engine: Engine,
    packages: dict[str, list[str]],
    system: dict[str, bytes | Entry],
    tmp_path: Path,
    command: tuple[str, ...],
    last: str,
) -> None:
    image = images.image(images.layer(system), command=command)
    found = components(tmp_path, image)
    owners = {
        placed(os.path.realpath(path)): name.partition(":")[0]
        for name, paths in packages.items()
        for path in paths
    }
    mapped = set(loaded(engine, image, tmp_path, last))
    used = {owners[path] for path in mapped if path in owners}
    assert len(used) >= 2
    assert {name: found[name].reach for name in used if found[name].reach.rank < 2} == {}
    assert {found[name].reach for name in BYSTANDERS} == {Reach.PRESENT}
    assert found[owners[placed(os.path.realpath(which(last)))]].reach is Reach.STARTED


def components(folder: Path, image: images.Image) -> dict[str, Component]:
    layout = images.write_layout(folder / "layout", image)
    with inventory_sources.open_local(layout) as source:
        found = inventory.take(source.layers, source.config)
    return {component.name: component for component in found.components}


def loaded(engine: Engine, image: images.Image, folder: Path, last: str) -> Iterator[str]:
    """Run a container until its program is the expected one; yield the files that are mapped."""
    name = f"loads-{uuid.uuid4().hex[:8]}"
    archive = images.write_docker_archive(folder / "image.tar", image, name=f"{name}:1")
    engine.docker("load", "-i", str(archive))
    engine.docker("run", "-d", "--name", name, "--network", "none", f"{name}:1")
    try:
        state = json.loads(engine.docker("inspect", name).stdout)[0]["State"]
        pid = str(state["Pid"])
        deadline = time.monotonic() + 60
        while not Path(os.readlink(f"/proc/{pid}/exe")).name.startswith(last):
            assert time.monotonic() < deadline, engine.docker("logs", name).stderr
            time.sleep(0.05)
        time.sleep(0.5)  # modules are loaded after the program
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for process in (pid, *children):
            for line in Path(f"/proc/{process}/maps").read_text().splitlines():
                _, _, path = line.partition("/")
                if path:
                    yield path
    finally:
        engine.docker("rm", "-f", name)
        engine.docker("rmi", f"{name}:1")


def needed() -> set[str]:
    paths = {which(name) for name in PROGRAMS}
    for path in list(paths):
        paths |= {word for word in said("ldd", path).split() if word.startswith("/")}
    return paths


def owner(path: str) -> str:
    """Return the package of a file, by either of its spellings."""
    for spelling in (path, path.removeprefix("/usr")):
        done = subprocess.run(["dpkg-query", "-S", spelling], capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.split(": ")[0].split(",")[0]
    pytest.skip(f"{path} is of no package on this machine")


def which(name: str) -> str:
    found = said("sh", "-c", f"command -v {name}").strip()
    return os.path.realpath(found)


def placed(path: str) -> str:
    """Return where a file lies in an image whose `/bin` leads to `/usr/bin`."""
    relative = path.lstrip("/")
    first = relative.partition("/")[0]
    return f"usr/{relative}" if first in MERGED and os.path.islink(f"/{first}") else relative


def said(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
