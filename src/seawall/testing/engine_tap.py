"""A tap between a gate and its engine: a test is told of each request before the engine hears it.

With it a race is no race: what a test does in `on_request` is done between the gate's decision and
the engine's deed, every time.
"""

from __future__ import annotations

import contextlib
import re
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

CHUNK_BYTES: Final = 65536
_HEAD: Final = re.compile(rb"([A-Z]+) (?:/v[\d.]+)?(/[^ ?]*)")


@dataclass(slots=True, kw_only=True)
class Tap:
    """`seen` are the requests so far, such as `POST /containers/create`."""

    path: Path
    engine: Path
    on_request: Callable[[str], None] = lambda _: None
    seen: list[str] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        """Accept until the listener is closed."""
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._exchange, args=(client,), daemon=True).start()

    def _exchange(self, client: socket.socket) -> None:
        """Pass one exchange on: the gate opens a connection for each."""
        with client, socket.socket(socket.AF_UNIX) as engine, contextlib.suppress(OSError):
            first = client.recv(CHUNK_BYTES)
            if head := _HEAD.match(first):
                request = f"{head[1].decode()} {head[2].decode()}"
                self.seen.append(request)
                self.on_request(request)
            engine.connect(str(self.engine))
            engine.sendall(first)
            back = threading.Thread(target=_pump, args=(engine, client), daemon=True)
            back.start()
            _pump(client, engine)
            back.join()


@contextlib.contextmanager
def tapped(engine: Path) -> Iterator[Tap]:
    """Listen on a socket that leads to `engine`."""
    with tempfile.TemporaryDirectory(prefix="swt-", dir="/tmp") as directory:
        tap = Tap(path=Path(directory) / "e.sock", engine=engine)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tap.path))
        listener.listen()
        thread = threading.Thread(target=tap.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield tap
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # wakes the accept
            listener.close()
            thread.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK_BYTES):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
