"""A stand-in for ClamAV's daemon that reads its protocol strictly (clamd(8), INSTREAM)."""

from __future__ import annotations

import contextlib
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""What every scanner of malware calls malware (eicar.org)."""

Answer = Callable[[bytes], bytes]


class _Connection(socketserver.StreamRequestHandler):
    answer: Answer

    def handle(self) -> None:
        command = b""
        while not command.endswith(b"\0"):
            command += self.rfile.read(1)
        if command == b"zPING\0":
            self.wfile.write(b"PONG\0")
        elif command == b"zINSTREAM\0":
            content = b""
            while (size := struct.unpack("!L", self.rfile.read(4))[0]) > 0:
                content += self.rfile.read(size)
            self.wfile.write(type(self).answer(content))


def judged(content: bytes) -> bytes:
    return b"stream: Eicar-Signature FOUND\0" if EICAR in content else b"stream: OK\0"


@contextlib.contextmanager
def running(path: Path, answer: bytes | Answer = judged) -> Iterator[Path]:
    """Run it at a path; `answer` is what it says to a file, or makes that from its bytes."""
    told = (lambda _: answer) if isinstance(answer, bytes) else answer
    handler = type("Told", (_Connection,), {"answer": staticmethod(told)})
    server = socketserver.ThreadingUnixStreamServer(str(path), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield path
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
