"""HTTP with one registry: one request, one answer that is bounded in size and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import urllib3

from seawall.cli import registry_words
from seawall.core import limits
from seawall.core.errors import LimitError, NotFoundError, UnavailableError

CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 30
BODY_SECONDS: Final = 60
"""A body that takes longer is given up, however steadily it drips."""

SLOWEST_BYTES_A_SECOND: Final = 64 * limits.KIB
"""Blobs that are only held against their digests may be large: they get more time."""

PIECE_BYTES: Final = 64 * limits.KIB
ERROR_MAX_BYTES: Final = registry_words.MAX_BYTES

Sink: TypeAlias = Callable[[bytes], object]
"""Takes the pieces of a body, which is then not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class RegistryHttp:
    """Connections to a registry. Redirects are not followed, nothing is tried twice."""

    def __init__(self, host: str, *, ca_file: Path | None) -> None:
        self._host = host
        if ca_file is not None and not ca_file.is_file():
            raise NotFoundError(f"there is no CA file {ca_file}")
        self._http = urllib3.PoolManager(
            cert_reqs="CERT_REQUIRED",
            ca_certs=str(ca_file) if ca_file else None,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            retries=False,
        )

    def close(self) -> None:
        self._http.clear()

    def send(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | None,
        max_bytes: int,
        *,
        sink: Sink | None = None,
    ) -> Answer:
        """Send one request. Raises UnavailableError, LimitError.

        A `sink` takes the body of a success.
        """
        try:
            response = self._http.request(
                method,
                url,
                headers={"Accept-Encoding": "identity", "User-Agent": "seawall", **headers},
                body=body,
                redirect=False,
                preload_content=False,
            )
            with response:
                limit = max_bytes if response.status < 400 else ERROR_MAX_BYTES
                kept = bytearray()
                take = kept.extend if sink is None or response.status != 200 else sink
                self._read(response, limit, take)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise UnavailableError(
                f"the registry {self._host} does not answer: {registry_words.why(error)}",
                remedy="check the address, the network and --ca",
            ) from error
        return Answer(status=response.status, headers=response.headers, body=bytes(kept))

    def _read(self, response: urllib3.BaseHTTPResponse, limit: int, take: Sink) -> None:
        count, seconds = 0, BODY_SECONDS + limit // SLOWEST_BYTES_A_SECOND
        deadline = time.monotonic() + seconds
        while piece := response.read1(PIECE_BYTES, decode_content=False):
            count += len(piece)
            if count > limit or time.monotonic() > deadline:
                response.close()  # do not read on
                raise LimitError(
                    f"the registry {self._host} sends more than {limit} bytes,"
                    f" or for longer than {seconds} s"
                )
            take(piece)
