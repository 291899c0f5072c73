"""The process that reads layers: started once, it forks a confined child for each layer.

Run as `python -I -m seawall.scan.worker FD`, FD being a socket. Each message asks for one layer and
brings a socket of its own, over which the child is fed and answers; see `workers` for the other
end. The parent here reads nothing but those messages: no layer's bytes, no secret of the caller.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import signal
import socket
import sys
import traceback
from typing import BinaryIO, Final

import msgspec

from seawall.core.errors import NotFoundError
from seawall.oci.bounds import Limits
from seawall.scan import confinement, inventory_facts, inventory_layer, wire
from seawall.scan.confinement import Bounds
from seawall.scan.files import signatures
from seawall.scan.image_source import LayerSource

REQUEST_MAX_BYTES: Final = 65_536


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One layer to read."""

    digest: str
    media_type: str
    size: int
    limits: Limits
    bounds: Bounds
    has_sketches: bool = False


def main() -> None:
    """Serve until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides when to end
    signatures.shipped()
    gc.freeze()  # keeps what all children share in shared pages
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        while True:
            message, descriptors, _, _ = socket.recv_fds(requests, REQUEST_MAX_BYTES, 1)
            _reap(os.WNOHANG)
            if not message:
                break
            if os.fork() == 0:
                requests.close()
                _serve(message, descriptors[0])
            os.close(descriptors[0])
    _reap(0)


def _reap(options: int) -> None:
    """Take note of children that have ended, so that their time is counted as ours."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, options)[0]:
            pass


def _serve(message: bytes, descriptor: int) -> None:
    """Read one layer in a child; never returns."""
    status = 1
    try:
        request = msgspec.msgpack.decode(message, type=Request)
        with socket.socket(fileno=descriptor) as caller:
            confinement.confine(request.bounds)
            source = _source(request, caller)
            facts = inventory_layer.facts_of(
                source, request.limits, has_sketches=request.has_sketches
            )
            wire.answer(caller, inventory_facts.to_bytes(facts))
        status = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(status)


def _source(request: Request, caller: socket.socket) -> LayerSource:
    def opened() -> BinaryIO:
        fed = wire.Fed(caller)
        if not fed.is_here:
            raise NotFoundError("the bytes are not here")
        return io.BufferedReader(fed, wire.CHUNK_BYTES)

    return LayerSource(
        digest=request.digest, media_type=request.media_type, size=request.size, open=opened
    )


if __name__ == "__main__":
    main()
