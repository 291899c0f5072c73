"""A fake of Vault's and OpenBao's transit engine, over TLS on loopback.

It speaks the documented API (`/v1/transit/keys/:name`, `/v1/transit/sign/:name/sha2-256`) and is as
strict as it: an unknown token, key or version, or a digest of the wrong length, is refused. A test
may make it misbehave with `answer`.
"""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from seawall.testing.certificates import Authority
from seawall.testing.signatures import new_key
from seawall.testing.tokens import keys_scalar
from seawall.trust.keys import PrivateKey

TOKEN: Final = "hvs.test-token"  # noqa: S105 - of the fake
REQUEST_MAX_BYTES: Final = 64 * 1024


@dataclass(slots=True, kw_only=True)
class FakeVault:
    """Its keys, by name: one for each version. `requests` are method and path, as they came."""

    address: str = ""
    ca_file: Path = Path()
    keys: dict[str, list[PrivateKey]] = field(default_factory=lambda: {"release": [new_key()]})
    key_type: str = "ecdsa-p256"
    namespace: str | None = None
    requests: list[tuple[str, str]] = field(default_factory=list)
    answer: Callable[[str, str], tuple[int, dict[str, str], bytes] | None] = lambda *_: None

    def respond(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        self.requests.append((method, path))
        other = self.answer(method, path)
        if other is not None:
            return other
        refusal = self._refusal(headers)
        if refusal is not None:
            return refusal
        match method, path.split("/")[1:]:
            case "GET", ["v1", "transit", "keys", name] if name in self.keys:
                return _said(200, {"data": self._key(name)})
            case "POST", ["v1", "transit", "sign", name, "sha2-256"] if name in self.keys:
                return self._sign(name, json.loads(body))
        return _said(404, {"errors": []})

    def _refusal(self, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes] | None:
        if headers.get("x-vault-token") != TOKEN:
            return _said(403, {"errors": ["permission denied"]})
        if headers.get("x-vault-request") != "true":
            return _said(412, {"errors": ["required request header missing"]})
        if headers.get("x-vault-namespace") != self.namespace:
            return _said(404, {"errors": ["no handler for route"]})
        return None

    def _key(self, name: str) -> dict[str, Any]:
        versions = {
            str(number): {
                "creation_time": "2026-11-26T00:00:00Z",
                "name": "P-256",
                "public_key": key.public.pem.decode(),
            }
            for number, key in enumerate(self.keys[name], 1)
        }
        return {
            "name": name,
            "type": self.key_type,
            "keys": versions,
            "latest_version": len(versions),
            "min_available_version": 0,
            "exportable": False,
            "supports_signing": True,
        }

    def _sign(self, name: str, wanted: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        versions = self.keys[name]
        version = wanted.get("key_version", len(versions))
        digest = base64.b64decode(wanted["input"])
        if wanted.get("prehashed") is not True or wanted.get("marshaling_algorithm") != "asn1":
            return _said(400, {"errors": ["the test wants prehashed input and asn1"]})
        if not 1 <= version <= len(versions) or len(digest) != 32:
            return _said(400, {"errors": ["invalid request"]})
        key = keys_scalar(versions[version - 1])
        signature = key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))
        text = f"vault:v{version}:{base64.b64encode(signature).decode()}"
        return _said(200, {"data": {"signature": text, "key_version": version}})


@contextlib.contextmanager
def serving(home: Path) -> Iterator[FakeVault]:
    """Serve a fake on loopback; its certificate is for localhost."""
    authority = Authority(home)
    pair = authority.issue("localhost")
    vault = FakeVault(ca_file=authority.certificate)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(vault))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    vault.address = f"localhost:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield vault
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _said(status: int, document: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps(document).encode()


def _handler(vault: FakeVault) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._respond()

        def do_POST(self) -> None:
            self._respond()

        def log_message(self, *_: object) -> None:
            pass

        def _respond(self) -> None:
            length = min(int(self.headers.get("Content-Length") or 0), REQUEST_MAX_BYTES)
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more, body = vault.respond(
                self.command, self.path, headers, self.rfile.read(length)
            )
            self.send_response(status)
            for name, value in {**more, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):  # the other side may have had enough
                self.wfile.write(body)

    return Handler
