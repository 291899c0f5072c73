"""kill -9 at many moments of a push: what was answered with 201 is whole after the restart."""

from __future__ import annotations

import base64
import http.client
import json
import random
import threading
import urllib.request

import pytest

from seawall.oci.digest import Digest
from seawall.testing import images
from seawall.testing.registry_server import PASSWORD, USER, registry_process

ROUNDS = 12
REPOSITORY = "crash/app"

pytestmark = pytest.mark.timeout(300)


def token(address):
    url = f"http://{address}/token?service=registry&scope=repository:{REPOSITORY}:pull,push"
    proof = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {proof}"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)["token"]


class Fuse:
    """Kills the server once it has given so many answers, whoever asked."""

    def __init__(self, answers, kill):
        self.answers = answers
        self.kill = kill
        self.lock = threading.Lock()

    def burn(self):
        with self.lock:
            self.answers -= 1
            if self.answers == 0:
                self.kill()


class Pusher:
    """Pushes images of a seeded content until the server dies; notes what was acknowledged."""

    def __init__(self, address, seed, fuse):
        self.address = address
        self.fuse = fuse
        self.random = random.Random(seed)
        self.bearer = {"Authorization": f"Bearer {token(address)}"}
        self.manifests = {}
        self.blobs = {}

    def run(self):
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            while True:
                self.push(connection)
        except (OSError, http.client.HTTPException):
            pass  # the server was killed
        finally:
            connection.close()

    def push(self, connection):
        size = self.random.choice([10, 5_000, 300_000])
        image = images.image(images.layer({"f": self.random.randbytes(size)}))
        for digest, content in image.blobs.items():
            location = self.call(connection, "POST", "blobs/uploads/", b"", 202)
            path = location.removeprefix(f"/v2/{REPOSITORY}/")
            self.call(connection, "PATCH", path, content, 202)
            self.call(connection, "PUT", f"{path}?digest={digest}", b"", 201)
            self.blobs[digest] = content
        kind = {"Content-Type": image.media_type}
        self.call(connection, "PUT", "manifests/latest", image.manifest, 201, kind)
        self.manifests[image.digest] = image

    def call(self, connection, method, path, body, status, headers=None):
        url = f"/v2/{REPOSITORY}/{path}"
        connection.request(method, url, body=body, headers={**self.bearer, **(headers or {})})
        response = connection.getresponse()
        text = response.read()
        assert status == response.status, text
        self.fuse.burn()
        return response.headers.get("Location", "")


def check(address, pushers):
    connection = http.client.HTTPConnection(address, timeout=30)
    bearer = {"Authorization": f"Bearer {token(address)}"}

    def get(path):
        connection.request("GET", f"/v2/{REPOSITORY}/{path}", headers=bearer)
        response = connection.getresponse()
        content = response.read()
        assert 200 == response.status, (path, content)
        return content

    count = 0
    for pusher in pushers:
        for digest, content in pusher.blobs.items():
            assert content == get(f"blobs/{digest}")
        for digest, image in pusher.manifests.items():
            assert image.manifest == get(f"manifests/{digest}")
            count += 1
    if count:
        latest = Digest.of(get("manifests/latest"))
        document = json.loads(get(f"manifests/{latest}"))
        for one in (document["config"], *document["layers"]):
            assert Digest(one["digest"]).is_of(get(f"blobs/{one['digest']}"))
    connection.close()
    return count


def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path):
    pushers, chance = [], random.Random(42)
    for seed in range(ROUNDS):
        with registry_process(tmp_path) as server:
            check(server.address, pushers[-2:])
            fuse = Fuse(chance.randint(1, 60), server.kill)
            now = [Pusher(server.address, (seed, n).__hash__(), fuse) for n in range(2)]
            threads = [threading.Thread(target=pusher.run) for pusher in now]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            pushers += now
    with registry_process(tmp_path) as server:
        assert check(server.address, pushers) > 20
