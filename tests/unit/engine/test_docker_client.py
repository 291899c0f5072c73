"""Seawall's own small client of an engine."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from seawall.core.errors import NotFoundError, UnavailableError
from seawall.engine import docker
from seawall.engine.docker import Docker
from seawall.testing.fake_engine import CONTAINER, FakeEngine


@pytest.fixture
def fake() -> Iterator[tuple[FakeEngine, Path]]:
    engine, started, loop = FakeEngine(), threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve(path: Path) -> None:
        async with engine.listening(path):
            started.set()
            await stop.wait()

    with tempfile.TemporaryDirectory(prefix="swg-") as directory:
        path = Path(directory) / "e.sock"
        thread = threading.Thread(target=loop.run_until_complete, args=(serve(path),))
        thread.start()
        started.wait(5)
        yield engine, path
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(stop.set)
        thread.join(5)
        loop.close()


def test_says_what_the_engine_is(fake: tuple[FakeEngine, Path]) -> None:
    version = Docker(fake[1]).version()
    assert ("fake", "1.41", "1.12") == (version.engine, version.api, version.api_oldest)
    assert {"Name": "fake"} == Docker(fake[1]).info()


def test_lists_containers_by_label(fake: tuple[FakeEngine, Path]) -> None:
    engine, path = fake
    engine.answers["GET /containers/json"] = engine.reply(200, [
        {"Id": CONTAINER, "Names": ["/web"], "Image": "a@b", "ImageID": "sha256:x",
         "State": "running", "Created": 7, "Labels": {"com.seawall.verdict": "7"}},
        {"Id": "d" * 64, "Names": None, "Labels": None},
    ])  # fmt: skip
    web, bare = Docker(path).containers(labels=["com.seawall.verdict"], with_stopped=True)
    assert (("web",), "running", 7) == (web.names, web.state, web.created)
    assert {"com.seawall.verdict": "7"} == web.labels
    assert ((), {}) == (bare.names, bare.labels)
    assert (
        "GET /containers/json?all=1&filters=%7B%22label%22%3A+%5B%22com.seawall.verdict%22%5D%7D"
        == engine.lines[-1]
    )


def test_lists_images_with_their_digests(fake: tuple[FakeEngine, Path]) -> None:
    engine, path = fake
    engine.answers["GET /images/json"] = engine.reply(
        200, [{"Id": "sha256:x", "RepoTags": ["a:1"], "RepoDigests": None}]
    )
    [image] = Docker(path).images()
    assert ("sha256:x", ("a:1",), ()) == (image.id, image.tags, image.digests)


def test_a_name_cannot_leave_its_place_in_the_path(fake: tuple[FakeEngine, Path]) -> None:
    engine, path = fake
    with pytest.raises(NotFoundError):
        Docker(path).inspect("../x/json?a=b")
    assert "GET /containers/..%2Fx%2Fjson%3Fa%3Db/json" == engine.lines[-1]


@pytest.mark.parametrize(
    "words", [b"", b"nonsense", b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"]
)
def test_an_engine_that_does_not_answer_well_is_unavailable(
    fake: tuple[FakeEngine, Path], words: bytes
) -> None:
    engine, path = fake
    engine.answers["GET /_ping"] = words
    engine.answers["GET /info"] = words
    assert not Docker(path).is_answering()
    with pytest.raises(UnavailableError):
        Docker(path).info()


def test_finds_the_first_engine_that_answers(fake: tuple[FakeEngine, Path], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert fake[1] == docker.find([tmp_path / "missing", tmp_path / "file", fake[1]])
    assert docker.find([tmp_path / "missing"]) is None
    assert Path("/run/docker.sock") in docker.candidates()
