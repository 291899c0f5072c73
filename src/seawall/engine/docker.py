"""A small client of the Docker Engine API for Seawall's own questions; it only looks.

Synchronous, for threads and commands. Every answer has a deadline and a bound. What the gate sends
on behalf of clients does not come through here.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import stat
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Final

from seawall.core import limits, strictjson
from seawall.core.errors import LimitError, NotFoundError, SeawallError, UnavailableError
from seawall.core.strictjson import Json

DEADLINE_S: Final = 10.0
"""For connecting, and for each wait for bytes."""

SAVE_DEADLINE_S: Final = 600.0
"""For each wait for bytes of a saved image: an engine packs all of it before it sends any."""

PIECE_BYTES: Final = limits.MIB

ANSWER_MAX_BYTES: Final = 64 * limits.MIB
"""An engine with 30,000 containers lists them in about 30 MB."""

JSON_MAX_DEPTH: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What an engine says it is; API versions are texts such as `1.41`."""

    engine: str
    api: str
    api_oldest: str
    system: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One line of the engine's list. `image` is as the engine was told, `image_id` its config."""

    id: str
    names: tuple[str, ...]  # without the leading slash
    image: str
    image_id: str
    state: str
    created: int  # seconds since 1970
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that the engine has, under which tags and repository digests."""

    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]


class Docker:
    """The engine behind one unix socket."""

    def __init__(self, socket_path: Path, *, deadline_s: float = DEADLINE_S) -> None:
        self.socket = socket_path
        self._deadline_s = deadline_s

    def is_answering(self) -> bool:
        """Tell whether an engine answers."""
        try:
            self._get("/_ping")
        except SeawallError:
            return False
        return True

    def version(self) -> Version:
        """Raises UnavailableError when no engine answers."""
        answer = self._object("/version")
        return Version(
            engine=_text(answer, "Version"),
            api=_text(answer, "ApiVersion"),
            api_oldest=_text(answer, "MinAPIVersion"),
            system=f"{_text(answer, 'Os')}/{_text(answer, 'Arch')}",
        )

    def info(self) -> dict[str, Json]:
        """Return the engine's own account of itself. Raises UnavailableError."""
        return self._object("/info")

    def containers(
        self, *, labels: Iterable[str] = (), with_stopped: bool = False
    ) -> tuple[Container, ...]:
        """Return the containers that carry every label (`name` or `name=value`).

        Raises UnavailableError.
        """
        query = {"all": "1" if with_stopped else "0"}
        if wanted := list(labels):
            query["filters"] = json.dumps({"label": wanted})
        return tuple(_container(each) for each in self._list("/containers/json", query))

    def inspect(self, container: str) -> dict[str, Json]:
        """Return all that the engine knows of a container, by name or id.

        Raises NotFoundError, UnavailableError.
        """
        return self._object(f"/containers/{urllib.parse.quote(container, safe='')}/json")

    def images(self) -> tuple[Image, ...]:
        """Raises UnavailableError."""
        return tuple(
            Image(
                id=_text(each, "Id"),
                tags=_texts(each, "RepoTags"),
                digests=_texts(each, "RepoDigests"),
            )
            for each in self._list("/images/json", {})
        )

    def image_id(self, image: str) -> str:
        """Return the engine's id of an image, by name: it names the content, as a digest does.

        Raises NotFoundError, UnavailableError.
        """
        try:
            found = self._object(f"/images/{urllib.parse.quote(image, safe='')}/json")
        except NotFoundError as error:
            message = f"the engine has no image {image}"
            raise NotFoundError(message, remedy="pull it first") from error
        return _text(found, "Id")

    def save(
        self,
        image: str,
        into: BinaryIO,
        *,
        max_bytes: int,
        progress: Callable[[int], object] = lambda done: None,
    ) -> None:
        """Write an image, by name or id, as an archive of `docker save`.

        `progress` is told the bytes so far. Raises NotFoundError, LimitError, UnavailableError.
        """
        connection = _Connection(self.socket, SAVE_DEADLINE_S)
        try:
            connection.request("GET", f"/images/{urllib.parse.quote(image, safe='')}/get")
            response = connection.getresponse()
            if response.status == HTTPStatus.NOT_FOUND:
                raise NotFoundError(f"the engine has no image {image}", remedy="pull it first")
            if response.status != HTTPStatus.OK:
                raise UnavailableError(f"the engine saves no {image}: it answers {response.status}")
            done = 0
            while piece := response.read(PIECE_BYTES):
                done += len(piece)
                if done > max_bytes:
                    raise LimitError(f"the image {image} has more than {max_bytes} bytes")
                into.write(piece)
                progress(done)
            if response.length:  # the engine said how much, and it was less
                raise UnavailableError(f"the engine broke off while it saved {image}")
        except (OSError, http.client.HTTPException) as error:
            raise UnavailableError(
                f"the engine at unix://{self.socket} does not save {image}: {error}",
                remedy="see its log; is there room on both disks?",
            ) from error
        finally:
            connection.close()

    def _object(self, path: str) -> dict[str, Json]:
        value = self._json(path, {})
        if not isinstance(value, dict):
            raise self._not_understood(path)
        return value

    def _list(self, path: str, query: Mapping[str, str]) -> list[dict[str, Json]]:
        value = self._json(path, query)
        if not isinstance(value, list):
            raise self._not_understood(path)
        return [each for each in value if isinstance(each, dict)]

    def _json(self, path: str, query: Mapping[str, str]) -> Json:
        target = f"{path}?{urllib.parse.urlencode(query)}" if query else path
        body = self._get(target)
        return strictjson.decode(body, max_bytes=ANSWER_MAX_BYTES, max_depth=JSON_MAX_DEPTH)

    def _get(self, target: str) -> bytes:
        connection = _Connection(self.socket, self._deadline_s)
        try:
            connection.request("GET", target)
            response = connection.getresponse()
            body = response.read(ANSWER_MAX_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise UnavailableError(
                f"no engine answers at unix://{self.socket}",
                remedy="start it: systemctl start docker",
            ) from error
        finally:
            connection.close()
        if response.status == HTTPStatus.NOT_FOUND:
            raise NotFoundError(f"the engine does not know {target}")
        if response.status != HTTPStatus.OK:
            raise UnavailableError(f"the engine answers {target} with {response.status}")
        return body

    def _not_understood(self, path: str) -> UnavailableError:
        return UnavailableError(f"the answer of unix://{self.socket} to {path} is not understood")


def candidates() -> tuple[Path, ...]:
    """Return where engines usually listen: Docker, rootless Docker, Podman, rootless Podman."""
    own = Path("/run/user") / str(os.getuid())
    return (
        Path("/run/docker.sock"),
        Path("/var/run/docker.sock"),
        own / "docker.sock",
        Path("/run/podman/podman.sock"),
        own / "podman" / "podman.sock",
    )


def find(paths: Iterable[Path] | None = None) -> Path | None:
    """Return the first of `paths` (or of the usual places) where an engine answers, or None."""
    for path in candidates() if paths is None else paths:
        if _is_socket(path) and Docker(path).is_answering():
            return path
    return None


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, deadline_s: float) -> None:
        super().__init__("docker", timeout=deadline_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False


def _container(value: dict[str, Json]) -> Container:
    created, labels = value.get("Created"), value.get("Labels") or {}
    return Container(
        id=_text(value, "Id"),
        names=tuple(name.removeprefix("/") for name in _texts(value, "Names")),
        image=_text(value, "Image"),
        image_id=_text(value, "ImageID"),
        state=_text(value, "State"),
        created=created if isinstance(created, int) else 0,
        labels={k: str(v) for k, v in labels.items()} if isinstance(labels, dict) else {},
    )


def _text(value: dict[str, Json], key: str) -> str:
    text = value.get(key)
    return text if isinstance(text, str) else ""


def _texts(value: dict[str, Json], key: str) -> tuple[str, ...]:
    items = value.get(key)
    if not isinstance(items, list):
        return ()
    return tuple(item for item in items if isinstance(item, str))
