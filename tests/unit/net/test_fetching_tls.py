"""Downloads over TLS: the name is verified although the address is connected to."""

from __future__ import annotations

import datetime as dt
import http.server
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from seawall import net
from seawall.net.errors import FetchError, ForbiddenAddressError


def certificate(directory: Path, name: str) -> Path:
    """Write a self-signed certificate for `name` with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "cert.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + cert.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    path = certificate(tmp_path, "feeds.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.headers["Host"].encode()
            if self.path == "/down":
                self.send_response(302)
                self.send_header("Location", "http://127.0.0.1/")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(url: str, path: Path) -> net.Fetched:
    return net.fetch(
        url,
        path,
        max_bytes=1_000,
        deadline=10,
        resolver=lambda _host, _port: (ipaddress.ip_address("127.0.0.1"),),
    )


def test_brings_a_file_from_the_named_host(port: int, tmp_path: Path) -> None:
    fetch(f"https://feeds.test:{port}/x", tmp_path / "file")
    assert f"feeds.test:{port}".encode() == (tmp_path / "file").read_bytes()


def test_refuses_certificate_of_another_name(port: int, tmp_path: Path) -> None:
    with pytest.raises(FetchError):
        fetch(f"https://other.test:{port}/x", tmp_path / "file")


def test_refuses_redirect_from_https_to_http(port: int, tmp_path: Path) -> None:
    with pytest.raises(ForbiddenAddressError, match="readable"):
        fetch(f"https://feeds.test:{port}/down", tmp_path / "file")
