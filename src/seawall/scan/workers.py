"""Layers are read by other processes, which may do nothing else (`worker`, `confinement`).

A layer that crashes its reader, hangs it or eats its memory costs the report that one layer, and a
notice says so. Bytes are opened and checked here, with the caller's rights; the reader only gets
them fed, and its answer is decoded as strictly as if it came from the image.
"""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

import msgspec

from seawall.core.errors import NotFoundError
from seawall.oci.bounds import DEFAULT_LIMITS, Limits
from seawall.scan import inventory_facts, wire
from seawall.scan.confinement import Bounds
from seawall.scan.image_source import LayerSource
from seawall.scan.inventory_facts import LayerFacts
from seawall.scan.model import Notice, NoticeKind
from seawall.scan.worker import Request

GRACE_SECONDS: Final = 20.0
"""After the limit of a layer, within which its reader should have stopped by itself."""

PARALLEL: Final = 3
"""Layers that are read at the same time. Their sizes do not tell their costs: with as many as there
are cores, the last one would often run alone."""


class Workers:
    """Reads layers in confined processes. Use it in a `with`; `facts_of` from any thread.

    The process that forks them starts with the first layer, and again when it was killed.
    """

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._lock = threading.Lock()
        self._requests: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process; readers that are still at work end by their own limits."""
        if self._requests is not None and self._process is not None:
            self._requests.close()
            self._process.wait()
        self._requests = self._process = None

    def facts_of(
        self,
        layer: LayerSource,
        limits: Limits = DEFAULT_LIMITS,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        has_sketches: bool = False,
    ) -> LayerFacts:
        """Return the facts of a layer, or that its reader has failed.

        Raises what `layer.open` or its stream raises, except NotFoundError, and OSError when the
        process is killed at this moment.
        """
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                request = self._request(layer, limits, has_sketches)
                self._send(msgspec.msgpack.encode(request), theirs.fileno())
            ours.settimeout(request.bounds.wall_seconds + GRACE_SECONDS)
            try:
                return _checked(_talk(ours, layer), layer)
            except wire.BrokenOffError:
                return _failed(layer, "it crashed, or needed more memory or time than it may")

    def _send(self, request: bytes, descriptor: int) -> None:
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self.close()
                self._start()
            assert self._requests is not None
            socket.send_fds(self._requests, [request], [descriptor])

    def _start(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-I", "-c", _START, str(theirs.fileno()), *sys.path]
            self._process = subprocess.Popen(
                command,
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            )

    def _request(self, layer: LayerSource, limits: Limits, has_sketches: bool) -> Request:
        seconds = limits.max_seconds + GRACE_SECONDS
        return Request(
            digest=str(layer.digest),
            media_type=layer.media_type,
            size=layer.size,
            limits=limits,
            has_sketches=has_sketches,
            bounds=dataclasses.replace(
                self._bounds,
                cpu_seconds=min(self._bounds.cpu_seconds, int(seconds) + 1),
                wall_seconds=min(self._bounds.wall_seconds, seconds),
            ),
        )


_START: Final = (
    "import sys; sys.path[:] = sys.argv[2:]; from seawall.scan import worker; worker.main()"
)


def _talk(reader: socket.socket, layer: LayerSource) -> bytes:
    while (answer := wire.next_answer(reader)) is None:
        try:
            stream = layer.open()
        except NotFoundError:
            wire.refuse(reader)
            continue
        with stream:
            wire.feed(reader, stream)
    return answer


def _checked(answer: bytes, layer: LayerSource) -> LayerFacts:
    facts = inventory_facts.from_bytes(answer)
    if facts is None or facts.digest != str(layer.digest):
        return _failed(layer, "it gave an answer that is none")
    return facts


def _failed(layer: LayerSource, reason: str) -> LayerFacts:
    text = f"the process that read this layer failed: {reason}; nothing of the layer is known"
    notice = Notice(kind=NoticeKind.LIMIT, message=text, layer=str(layer.digest))
    return LayerFacts(digest=str(layer.digest), is_complete=False, notices=(notice,))
