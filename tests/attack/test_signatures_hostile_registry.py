"""A registry that lies, leads away or floods: what `seawall sign` and `verify` do not fall for."""

import datetime as dt
import http.server
import json
import threading
import urllib.parse

import pytest

from seawall.cli import image_judging, image_signatures
from seawall.cli.registry_client import RegistryClient, is_loopback
from seawall.cli.registry_logins import Credentials, read_docker_credentials
from seawall.core.errors import (
    ConflictError,
    DeniedError,
    IntegrityError,
    InvalidInputError,
    LimitError,
    NotFoundError,
    UnavailableError,
)
from seawall.core.secret import Secret
from seawall.oci import media
from seawall.oci.digest import Digest
from seawall.oci.names import Reference, RepositoryName
from seawall.testing import images, signatures

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
REPOSITORY = RepositoryName("team/app")
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": []}).encode()
ADA = Credentials(user="ada", password=Secret("secret"))


class Hostile:
    """Answers by path with (status, headers, body), and remembers what it was sent."""

    def __init__(self):
        self.answers = {}
        self.seen = []
        self.swallows = "/nothing"
        self.keeps = False
        self.drops_first = ""
        outer = self

        class Door(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.seen.append((self.command, self.path, dict(self.headers)))
                path, _, query = self.path.partition("?")
                if self.command == "PUT":
                    outer.store(path, query, self.headers.get("Content-Type"), sent)
                status, headers, body = outer.answers.get((self.command, path), (404, {}, b""))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in headers:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_POST = answer  # noqa: N815

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def store(self, path, query, media_type, content):
        """Do as a registry would, where the test says so."""
        if path.startswith(self.swallows):
            self.answers["PUT", path] = (201, {}, b"")
        if not self.keeps:
            return
        self.answers["PUT", path] = (201, {}, b"")
        if query.startswith("digest="):
            path = "/v2/team/app/blobs/" + urllib.parse.unquote(query.removeprefix("digest="))
        if self.drops_first and path.endswith(self.drops_first):
            self.drops_first = ""
            return
        self.answers["GET", path] = (200, {"Content-Type": media_type}, content)

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def authorizations(self):
        return [
            headers["Authorization"] for _, _, headers in self.seen if "Authorization" in headers
        ]


@pytest.fixture
def registry():
    server = Hostile()
    yield server
    server.close()


@pytest.fixture
def elsewhere():
    server = Hostile()
    yield server
    server.close()


@pytest.fixture
def client(registry):
    with RegistryClient(registry.host, credentials=ADA, is_plain_http=True) as client:
        yield client


def on(registry, method, path, status, headers=None, body=b""):
    registry.answers[method, path] = (status, headers or {}, body)


TAGGED = "/v2/team/app/manifests/v1"


def test_refuses_manifest_that_is_not_what_its_digest_says(registry, client):
    wrong = Digest.of(b"other")
    on(registry, "GET", f"/v2/team/app/manifests/{wrong}", 200, {}, MANIFEST)
    with pytest.raises(IntegrityError):
        client.get_manifest(REPOSITORY, wrong)
    on(registry, "GET", TAGGED, 200, {"Docker-Content-Digest": wrong}, MANIFEST)
    with pytest.raises(IntegrityError):
        client.get_manifest(REPOSITORY, "v1")


def test_refuses_blob_that_is_not_what_its_digest_says(registry, client):
    digest = Digest.of(b"right")
    on(registry, "GET", f"/v2/team/app/blobs/{digest}", 200, {}, b"wrong")
    with pytest.raises(IntegrityError):
        client.get_blob(REPOSITORY, digest, max_bytes=100)


def test_refuses_body_larger_than_its_bound(registry, client):
    digest = Digest.of(b"x" * 101)
    on(registry, "GET", f"/v2/team/app/blobs/{digest}", 200, {}, b"x" * 101)
    with pytest.raises(LimitError):
        client.get_blob(REPOSITORY, digest, max_bytes=100)


def test_refuses_to_take_credentials_along_to_another_host(registry, elsewhere, client):
    digest = Digest.of(b"blob")
    challenge = {"WWW-Authenticate": 'Basic realm="x"'}
    path = f"/v2/team/app/blobs/{digest}"
    on(registry, "GET", path, 307, {"Location": f"http://{elsewhere.host}/bytes"})
    on(elsewhere, "GET", "/bytes", 200, {}, b"blob")
    on(registry, "GET", TAGGED, 401, challenge)
    with pytest.raises(DeniedError):
        client.get_manifest(REPOSITORY, "v1")  # has it learn to send credentials
    assert b"blob" == client.get_blob(REPOSITORY, digest, max_bytes=100)
    assert registry.authorizations()
    assert [] == elsewhere.authorizations()


def test_refuses_upload_led_to_another_host(registry, elsewhere, client):
    uploads = "/v2/team/app/blobs/uploads/"
    on(registry, "POST", uploads, 202, {"Location": f"http://{elsewhere.host}/put"})
    with pytest.raises(DeniedError):
        client.put_blob(REPOSITORY, b"signature")
    assert [] == elsewhere.seen


@pytest.mark.parametrize("location", ["http://registry.example/x", "ftp://127.0.0.1/x", "//evil/x"])
def test_refuses_redirect_to_unsafe_address(registry, client, location):
    digest = Digest.of(b"blob")
    on(registry, "GET", f"/v2/team/app/blobs/{digest}", 302, {"Location": location})
    with pytest.raises(DeniedError):
        client.get_blob(REPOSITORY, digest, max_bytes=100)


def test_refuses_redirected_push(registry, elsewhere, client):
    on(registry, "PUT", TAGGED, 307, {"Location": f"http://{elsewhere.host}/x"})
    with pytest.raises(DeniedError):
        client.put_manifest(REPOSITORY, "v1", MANIFEST, media.OCI_INDEX)
    assert [] == elsewhere.seen


def test_refuses_endless_redirects(registry, client):
    digest = Digest.of(b"blob")
    path = f"/v2/team/app/blobs/{digest}"
    on(registry, "GET", path, 302, {"Location": path})
    with pytest.raises(UnavailableError):
        client.get_blob(REPOSITORY, digest, max_bytes=100)
    assert len(registry.seen) < 10


@pytest.mark.parametrize("realm", ["http://registry.example/token", "file:///etc/passwd", ""])
def test_refuses_token_service_without_tls(registry, client, realm):
    on(registry, "GET", TAGGED, 401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="s"'})
    with pytest.raises(DeniedError):
        client.get_manifest(REPOSITORY, "v1")
    assert [] == registry.authorizations()


def test_refuses_token_that_is_none(registry, client):
    realm = f'Bearer realm="http://{registry.host}/token",service="s"'
    on(registry, "GET", TAGGED, 401, {"WWW-Authenticate": realm})
    for body in (b"{}", b'{"token": 5}', b"[]", b"x" * 200_000):
        on(registry, "GET", "/token", 200, {}, body)
        with pytest.raises((UnavailableError, InvalidInputError, LimitError)):
            client.get_manifest(REPOSITORY, "v1")


def test_a_token_is_asked_for_with_the_scope_and_used(registry, client):
    realm = f'Bearer realm="http://{registry.host}/token",service="s",scope="registry:all:*"'
    on(registry, "GET", TAGGED, 401, {"WWW-Authenticate": realm})
    on(registry, "GET", "/token", 200, {}, b'{"token": "t0ken"}')
    with pytest.raises(DeniedError):
        client.get_manifest(REPOSITORY, "v1")
    asked = next(path for _, path, _ in registry.seen if path.startswith("/token"))
    assert "scope=repository%3Ateam%2Fapp%3Apull" in asked
    assert "all" not in asked
    assert "Bearer t0ken" == registry.authorizations()[-1]


@pytest.mark.parametrize(
    "following", ["http://evil.example/next", "//evil.example/next", "http://127.0.0.1:1/next"]
)
def test_refuses_list_of_referrers_that_leads_away(registry, client, following):
    digest = Digest.of(b"image")
    link = {"Link": f'<{following}>; rel="next"'}
    on(registry, "GET", f"/v2/team/app/referrers/{digest}", 200, link, MANIFEST)
    with pytest.raises(DeniedError):
        client.find_referrers(REPOSITORY, digest)


def test_refuses_endless_list_of_referrers(registry, client):
    digest = Digest.of(b"image")
    path = f"/v2/team/app/referrers/{digest}"
    on(registry, "GET", path, 200, {"Link": f'<{path}>; rel="next"'}, MANIFEST)
    with pytest.raises(LimitError):
        client.find_referrers(REPOSITORY, digest)


def test_refuses_plain_http_to_another_machine():
    with pytest.raises(DeniedError, match="clear"):
        RegistryClient("registry.example:5000", is_plain_http=True)


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("localhost:5000", True),
        ("127.0.0.9", True),
        ("[::1]:5000", True),
        ("localhost.example", False),
        ("127.0.0.1.example:5000", False),
        ("127.0.0.1@evil.example", False),
        ("10.0.0.1", False),
    ],
)
def test_only_this_machine_is_loopback(host, is_local):
    assert is_local == is_loopback(host)


def test_a_registry_that_is_not_there_is_unavailable():
    with (
        RegistryClient("127.0.0.1:1", is_plain_http=True) as client,
        pytest.raises(UnavailableError, match="does not answer"),
    ):
        client.get_manifest(REPOSITORY, "v1")


def test_refuses_ca_file_that_is_missing(tmp_path):
    with pytest.raises(NotFoundError):
        RegistryClient("localhost:1", ca_file=tmp_path / "none")


def test_logins_of_docker_are_found_by_host(tmp_path):
    auths = {"localhost:5000": {"auth": "YWRhOnNlOmNyZXQ="}, "empty.example": {}}
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    found = read_docker_credentials(tmp_path, "localhost:5000")
    assert ("ada", Secret("se:cret")) == (found.user, found.password)
    for host in ("localhost:5001", "empty.example"):
        assert read_docker_credentials(tmp_path, host) is None
    assert read_docker_credentials(tmp_path / "none", "localhost:5000") is None


def test_refuses_to_call_an_image_signed_when_the_registry_drops_the_signature(registry, client):
    image = images.image(images.layer({"a": b"b"}))
    digest = Digest.of(image.manifest)
    on(registry, "GET", TAGGED, 200, {"Content-Type": image.media_type}, image.manifest)
    on(registry, "POST", "/v2/team/app/blobs/uploads/", 202, {"Location": "/upload"})
    on(registry, "PUT", "/upload", 201)
    registry.swallows = "/v2/team/app/manifests/"
    reference = Reference.parse(f"{registry.host}/team/app:v1")
    image = client.get_manifest(reference.repository, reference.target)
    with pytest.raises(ConflictError, match=digest):
        image_signatures.sign_image(client, reference, image, signatures.new_key(), NOW)


def test_a_signature_lost_to_another_signer_at_the_same_moment_is_pushed_again(registry, client):
    """The other one read the list before ours was in it, and writes its own over it."""
    image = images.image(images.layer({"a": b"b"}))
    on(registry, "GET", TAGGED, 200, {"Content-Type": image.media_type}, image.manifest)
    on(registry, "POST", "/v2/team/app/blobs/uploads/", 202, {"Location": "/upload"})
    registry.keeps, registry.drops_first = True, f"sha256-{Digest.of(image.manifest).hex}.sig"
    reference = Reference.parse(f"{registry.host}/team/app:v1")
    key = signatures.new_key()
    image = client.get_manifest(reference.repository, reference.target)
    done = image_signatures.sign_image(client, reference, image, key, NOW)
    assert [True] == [one.is_new for one in done]
    judged = image_judging.verify_image(
        client, reference, [signatures.trusted(key)], NOW, hosts=frozenset({registry.host})
    )
    assert 2 == sum(step.number == 5 for step in judged.proof.steps)
    assert judged.proof.is_valid
