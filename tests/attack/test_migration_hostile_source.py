"""A Notary server that lies, floods or leads away, and `seawall trust migrate` in front of it."""

import base64
import datetime as dt
import http.server
import ipaddress
import threading

import pytest

from seawall.cli import _redirects, notary_source
from seawall.cli.registry_client import RegistryClient
from seawall.core.errors import DeniedError, IntegrityError, LimitError, SeawallError
from seawall.oci.names import RepositoryName
from seawall.testing import signatures, trees
from seawall.trust import migration
from seawall.trust.tuf import metadata, roots
from seawall.trust.tuf.model import Snapshot, Timestamp
from seawall.trust.tuf.names import RELEASES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, Gun

DAY = dt.timedelta(days=1)
ENDLESS = 64 * 1024 * 1024


class HostileServer:
    """Serves a tree's files by name; a test changes what it will."""

    def __init__(self):
        self.files, self.redirects, self.endless, self.asked = {}, {}, set(), []
        outer = self

        class Door(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                name = self.path.rpartition("/_trust/tuf/")[2]
                outer.asked.append(name)
                if name in outer.redirects:
                    self.send_response(307)
                    self.send_header("Location", outer.redirects[name])
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                body = outer.files.get(name)
                self.send_response(404 if body is None else 200)
                length = ENDLESS if name in outer.endless else len(body or b"")
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(body or b"")
                try:
                    while name in outer.endless:
                        self.wfile.write(b" " * 65536)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def show(self, lab):
        """Serve what `lab` has now, as a Notary server does."""
        tree = lab.tree()
        self.files = {"timestamp.json": tree.timestamp}
        by_role = {ROOT: tree.roots[-1], SNAPSHOT: tree.snapshot, **tree.targets}
        for role, content in by_role.items():
            digest = metadata.parse(role, content).sha256
            self.files[f"{role}.{digest}.json"] = content
        for number, content in enumerate(tree.roots, 1):
            self.files[f"{number}.root.json"] = content
        return tree

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def server():
    server = HostileServer()
    yield server
    server.close()


@pytest.fixture
def true(server):
    """A tree with two roots, and the pin of the first."""
    lab = trees.team("ada", tags={"1": "one"})
    pin, former = lab.pin, lab.old_root_signers()
    lab.root_keys = [signatures.new_key()]
    lab.root(also_by=former)
    server.show(lab)
    return lab, pin


def fetch(server, gun=trees.GUN):
    with RegistryClient(server.host, is_plain_http=True) as client:
        return notary_source.fetch(client, gun)


def examine(server, lab, pin):
    return migration.examine(lab.gun, fetch(server), pin, lab.now)


def name_of(server, role):
    return next(name for name in server.files if name.startswith(f"{role}."))


def test_refuses_a_body_without_end(server, true):
    lab, pin = true
    assert ["1"] == [one.tag for one in examine(server, lab, pin).tags]
    for name in ("timestamp.json", "1.root.json", name_of(server, "targets")):
        server.endless = {name}
        with pytest.raises(SeawallError):
            examine(server, lab, pin)


def test_refuses_a_file_of_another_length_than_its_parent_says(server, true):
    lab, pin = true
    name = name_of(server, "targets")
    server.files[name] += b" "
    with pytest.raises(IntegrityError):
        examine(server, lab, pin)


@pytest.mark.usefixtures("true")
def test_refuses_a_parent_that_announces_a_giant(server):
    snapshot = metadata.parse(SNAPSHOT, server.files[name_of(server, "snapshot")])
    text = server.files[name_of(server, "snapshot")]
    length = snapshot.said(Snapshot).meta[TARGETS].length
    giant = text.replace(f'"length":{length}'.encode(), b'"length":999999999999')
    timestamp = server.files["timestamp.json"]
    said = metadata.parse(TIMESTAMP, timestamp).said(Timestamp).snapshot
    digest = metadata.parse(SNAPSHOT, giant).sha256
    old = base64.b64encode(said.sha256)
    timestamp = timestamp.replace(old, base64.b64encode(bytes.fromhex(digest)))
    timestamp = timestamp.replace(
        f'"length":{said.length}'.encode(), f'"length":{len(giant)}'.encode()
    )
    server.files = {"timestamp.json": timestamp, f"snapshot.{digest}.json": giant}
    with pytest.raises(SeawallError):
        fetch(server)
    assert not any(name.startswith("targets") for name in server.asked)


def test_refuses_a_chain_of_roots_that_goes_in_a_circle(server, true):
    lab, pin = true
    server.files["1.root.json"] = server.files["2.root.json"]
    with pytest.raises(IntegrityError, match="another root as version 1"):
        examine(server, lab, pin)


def test_refuses_a_chain_of_roots_longer_than_any_is(server):
    lab = trees.simple({"1": "one"})
    lab.roots.clear()
    lab.root(version=roots.MAX_ROOTS + 1)
    server.show(lab)
    with pytest.raises(LimitError):
        fetch(server)
    assert not any(name[0].isdigit() for name in server.asked)


def test_refuses_a_root_that_its_predecessor_did_not_sign(server):
    lab = trees.simple({"1": "one"})
    pin = lab.pin
    lab.root_keys = [signatures.new_key()]
    lab.root()
    server.show(lab)
    with pytest.raises(IntegrityError, match="root chain"):
        examine(server, lab, pin)


def test_refuses_the_tree_of_another_repository(server, true):
    lab, pin = true
    other = Gun.of("registry.test", RepositoryName("team/other"))
    with pytest.raises(IntegrityError):
        migration.examine(other, fetch(server, other), pin, lab.now)


def test_refuses_a_frozen_tree(server, true):
    lab, pin = true
    with pytest.raises(IntegrityError, match="expired"):
        migration.examine(lab.gun, fetch(server), pin, lab.now + 30 * DAY)


def test_refuses_a_tree_that_leaves_a_declared_role_out(server, true):
    lab, pin = true
    del server.files[name_of(server, str(RELEASES))]
    with pytest.raises(IntegrityError):
        examine(server, lab, pin)


def test_refuses_to_be_led_to_another_scheme_or_into_a_private_network(server, true):
    name = name_of(server, "targets")
    for place in ("http://169.254.169.254/latest", "file:///etc/passwd", "ftp://x.example/"):
        server.redirects = {"timestamp.json": place}
        with pytest.raises(DeniedError):
            fetch(server)
    public, private = ipaddress.ip_address("93.184.216.34"), ipaddress.ip_address("10.0.0.7")
    mapped = ipaddress.ip_address("::ffff:10.0.0.7")
    for inside in (private, mapped, ipaddress.ip_address("169.254.169.254")):
        found = {"old.example": (public,), "trap.example": (public, inside)}
        assert _redirects.leads_inside(
            "https://old.example", f"https://trap.example/{name}",
            resolver=lambda host, _, found=found: found[host],
        )  # fmt: skip
    assert not _redirects.leads_inside(
        "https://old.example", "https://cdn.example/x", resolver=lambda *_: (public,)
    )
