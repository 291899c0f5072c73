"""Threat: a layer breaks the reader itself: it crashes, hangs, eats memory, or runs strange code.

The reader is a process of its own that may do nothing else; its end costs the report one layer.
"""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seawall.core.errors import IntegrityError, NotFoundError
from seawall.scan import confinement, inventory, inventory_layer
from seawall.scan.confinement import Bounds
from seawall.scan.image_source import LayerSource
from seawall.scan.model import NoticeKind
from seawall.scan.workers import PARALLEL, Workers
from seawall.testing.images import source

STATUS = b"Package: known\nStatus: install ok installed\nVersion: 1.0\n\n"


GOOD = source({"var/lib/dpkg/status": STATUS})


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers() as made:
        yield made


def test_reads_in_another_process_what_it_reads_here(workers: Workers) -> None:
    layers = [GOOD, source({"a/b": b"x", "usr/bin/x": b"y" * 100})]
    found = inventory.take(layers, None, read=workers.facts_of, parallel=PARALLEL)
    assert inventory.take(layers, None) == found
    assert ["known"] == [component.name for component in found.components]


def test_a_layer_that_is_elsewhere_is_a_notice(workers: Workers) -> None:
    def missing() -> io.BytesIO:
        raise NotFoundError("elsewhere")

    gone = LayerSource(digest=GOOD.digest, media_type=GOOD.media_type, size=1, open=missing)
    (notice,) = workers.facts_of(gone).notices
    assert NoticeKind.MISSING_LAYER is notice.kind


def test_refuses_bytes_that_are_not_what_their_digest_says(workers: Workers) -> None:
    class Wrong(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise IntegrityError("false")

    bad = LayerSource(digest=GOOD.digest, media_type=GOOD.media_type, size=1, open=Wrong)
    with pytest.raises(IntegrityError):
        workers.facts_of(bad)
    assert workers.facts_of(GOOD).is_complete  # and the next layer is read


def test_a_killed_process_is_started_again() -> None:
    with Workers() as workers:
        assert workers.facts_of(GOOD).is_complete
        process = workers._process
        assert process is not None
        process.kill()
        process.wait()
        assert workers.facts_of(GOOD).is_complete
        assert process is not workers._process


@pytest.mark.parametrize(
    "bounds", [Bounds(wall_seconds=0.001), Bounds(memory_bytes=1 << 20)], ids=["time", "memory"]
)
def test_a_reader_that_needs_too_much_costs_its_layer_only(bounds: Bounds) -> None:
    large = source({"var/lib/dpkg/status": STATUS * 200_000})  # 12 MB
    with Workers(bounds) as small:
        facts = small.facts_of(large)
    assert not facts.is_complete
    assert "failed" in facts.notices[0].message
    combined = inventory.combine([GOOD], [facts], None)
    assert combined.is_partial


def in_a_child(act: Callable[[], object]) -> int:
    """Run `act` in a confined process; return 0 when it was allowed."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            confinement.confine(Bounds())
            act()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_the_confined_process_may_still_compute() -> None:
    assert 0 == in_a_child(lambda: sum(range(1000)))


@pytest.mark.skipif(
    os.uname().machine not in ("x86_64", "aarch64"), reason="no list of system calls"
)
@pytest.mark.parametrize(
    "act",
    [
        lambda: socket.socket(socket.AF_INET),
        lambda: socket.socket(socket.AF_UNIX),
        lambda: os.execv("/bin/true", ["true"]),
        os.fork,
        lambda: os.kill(os.getppid(), 0),
        lambda: bytearray(4 << 30),
    ],
    ids=["network", "local socket", "program", "process", "signal", "memory"],
)
def test_refuses_the_confined_process_everything_else(act: Callable[[], object]) -> None:
    assert 1 == in_a_child(act)


def test_refuses_the_confined_process_what_only_root_may_read(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give up being root")
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o600)
    assert 1 == in_a_child(secret.read_text)


def test_a_reader_that_raises_what_it_should_not_costs_one_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("seawall.scan.system.dpkg.parse_status", lambda *_, **__: 1 // 0)
    facts = inventory_layer.facts_of(GOOD)
    found = inventory.combine([GOOD], [facts], None)
    assert found.is_partial
    assert "ZeroDivisionError" in found.notices[0].message
