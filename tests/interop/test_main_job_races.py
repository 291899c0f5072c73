"""What is judged is what runs: tags that move in between, and bytes that change on the disk."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seawall.oci.digest import Digest
from seawall.testing import engine_tap, running
from seawall.testing.engine_tap import Tap
from seawall.testing.engines import Engine
from seawall.testing.images import Image
from seawall.testing.running import Done, Installation

pytestmark = [pytest.mark.interop, pytest.mark.engine]

GREETING = ("cat", "/etc/note")
SAYS = {"docker": "unknown blob", "skopeo": "404", "gate": "unknown blob"}
READERS = tuple(SAYS)


@pytest.fixture(scope="module")
def tap(engine: Engine) -> Iterator[Tap]:
    with engine_tap.tapped(engine.socket) as tap:
        yield tap


@pytest.fixture(scope="module")
def place(
    tap: Tap, need: Callable[..., None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    need("skopeo")
    with running.installation(tmp_path_factory.mktemp("races"), tap.path) as place:
        place.knows_advisories(running.advisory("libhole", "2.0-1"))
        place.log_in()
        yield place


@pytest.fixture(scope="module")
def key(place: Installation) -> tuple[str, ...]:
    return place.make_key("release")


class Mover:
    """Moves a tag to an image that nobody signed, when the engine is asked for `moment`."""

    def __init__(self, place: Installation, name: str, moment: str, nth: int = 1) -> None:
        self.place, self.name, self.moment, self.left = place, name, moment, nth

    def __call__(self, request: str) -> None:
        if request.startswith("POST") and request.endswith(self.moment):
            self.left -= 1
            if self.left == 0:
                repository, _, tag = self.name.partition("/")[2].partition(":")
                evil = running.debian_image("cat", note=f"evil {repository}\n")
                self.place.push(evil, repository, tag)

    @property
    def has_moved(self) -> bool:
        return self.left <= 0


@pytest.mark.parametrize("moment", ["/containers/create", "/attach", "/wait", "/start"])
def test_a_tag_that_moves_after_the_decision_runs_the_judged_digest(
    place: Installation, engine: Engine, tap: Tap, key: tuple[str, ...], moment: str
) -> None:
    image = running.debian_image("cat", note=f"good {moment}\n")
    name = place.push(image, f"moving{moment}")
    place.seawall("sign", name, *key)
    place.docker("pull", name)
    mover = tap.on_request = Mover(place, name, moment)
    box = f"moving{moment.replace('/', '-')}"
    try:
        done = place.docker("run", "--name", box, name, *GREETING)
    finally:
        tap.on_request = lambda _: None
    assert mover.has_moved
    assert f"good {moment}\n" == done.stdout
    made = json.loads(engine.docker("inspect", box).stdout)[0]
    assert _config_of(image) == made["Image"]
    assert made["Config"]["Image"].endswith(f"@{image.digest}")
    receipt = place.events("--kind", "ContainerCreated")[-1]
    assert (made["Id"], str(image.digest)) == (receipt["container"], receipt["digest"])
    assert f"good {moment}\n" == place.docker("start", "--attach", box).stdout
    place.docker("rm", "-f", box)
    refused = place.docker("run", "--rm", name, *GREETING, check=False)
    assert 125 == refused.returncode, "the tag's new image is unsigned"
    assert "signed: not signed by a trusted key" in refused.stderr


@pytest.mark.parametrize(
    ("moment", "nth", "refused"),
    [
        ("/containers/create", 1, "refused to pull"),  # the client pulls next: decided anew
        ("/images/create", 1, "refused to run"),  # the judged digest is pulled, then asked anew
        ("/containers/create", 2, ""),  # decided for the last time: the judged digest runs
    ],
)
def test_a_tag_that_moves_while_the_client_fetches_never_runs_the_new_image_unjudged(
    place: Installation, tap: Tap, key: tuple[str, ...], moment: str, nth: int, refused: str
) -> None:
    repository = f"fetching{moment}-{nth}"
    name = place.push(running.debian_image("cat", note=f"good {nth}\n"), repository)
    place.seawall("sign", name, *key)
    mover = tap.on_request = Mover(place, name, moment, nth)
    try:
        done = place.docker("run", "--rm", name, *GREETING, check=False)
    finally:
        tap.on_request = lambda _: None
    assert mover.has_moved
    assert ("" if refused else f"good {nth}\n") == done.stdout
    assert refused in done.stderr
    assert (125 if refused else 0) == done.returncode
    judged = {event["digest"] for event in place.events("--repository", repository)
              if event["event"] == "VerdictGiven" and event["allowed"]}  # fmt: skip
    ran = {event["digest"] for event in place.events("--repository", repository)
           if event["event"] == "ContainerCreated"}  # fmt: skip
    assert ran <= judged


def test_an_image_of_the_same_name_made_behind_the_gates_back_does_not_run(
    place: Installation, engine: Engine, key: tuple[str, ...]
) -> None:
    name = place.push(running.debian_image("cat", note="ours\n"), "local/app")
    place.seawall("sign", name, *key)
    evil = place.push(running.debian_image("cat", note="theirs\n"), "local/other")
    engine.docker("login", "-u", "admin", "--password-stdin", place.host,
                  stdin=place.password.encode())  # fmt: skip
    engine.docker("pull", evil)
    engine.docker("tag", evil, name)  # the engine's own idea of the tag is another now
    assert "ours\n" == place.docker("run", "--rm", name, *GREETING).stdout


@pytest.mark.parametrize("reader", READERS)
def test_a_flipped_byte_is_never_served_and_a_new_push_repairs_it(
    place: Installation, engine: Engine, key: tuple[str, ...], reader: str
) -> None:
    repository = f"flipped/{reader}"
    image = running.debian_image("cat", note=f"whole {reader}\n")
    name = place.push(image, repository)
    place.seawall("sign", name, *key)
    layer = list(image.blobs)[-1]
    stored = place.state / "blobs" / "blobs" / "sha256" / layer.hex[:2] / layer.hex
    _flip(stored)
    said = _read(reader, place, engine, name)
    assert said.returncode != 0
    assert SAYS[reader] in said.stderr
    for other in READERS:
        assert _read(other, place, engine, name).returncode != 0
    assert "content-whole" in _read("gate", place, engine, name).stderr, "known from now on"
    assert 404 == _head(place, repository, layer)
    corrupted = place.events("--kind", "BlobCorrupted", "--digest", str(layer))
    assert 1 == len(corrupted), "written down once"
    explained = place.seawall("explain", name, check=False)
    assert 1 == explained.returncode
    assert "content" in explained.stdout
    place.push(image, repository)
    assert 200 == _head(place, repository, layer)
    assert stored.read_bytes() == image.blobs[layer]
    assert f"whole {reader}\n" == place.docker("run", "--rm", name, *GREETING).stdout


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    with path.open("r+b") as file:  # the same file, as a failing disk would have it
        file.write(content)


def _read(reader: str, place: Installation, engine: Engine, name: str) -> Done:
    if reader == "docker":
        engine.docker("login", "-u", "admin", "--password-stdin", place.host,
                      stdin=place.password.encode())  # fmt: skip
        return engine.docker("pull", name, check=False)
    if reader == "gate":
        return place.docker("run", "--rm", name, *GREETING, check=False)
    return place.run(
        "skopeo", "copy", f"--src-creds=admin:{place.password}", f"--src-cert-dir={place.trust}",
        f"docker://{name}", f"dir:{place.home / 'copied'}", check=False,
    )  # fmt: skip


def _head(place: Installation, repository: str, digest: Digest) -> int:
    context = ssl.create_default_context(cafile=str(place.trust / "ca.crt"))
    proof = b64encode(f"admin:{place.password}".encode()).decode()
    token = urllib.request.Request(
        f"https://{place.host}/token?service=seawall-registry&scope=repository:{repository}:pull",
        headers={"Authorization": f"Basic {proof}"},
    )
    with urllib.request.urlopen(token, context=context, timeout=20) as answer:
        bearer = json.load(answer)["token"]
    asked = urllib.request.Request(
        f"https://{place.host}/v2/{repository}/blobs/{digest}",
        method="HEAD",
        headers={"Authorization": f"Bearer {bearer}"},
    )
    try:
        with urllib.request.urlopen(asked, context=context, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _config_of(image: Image) -> str:
    return str(json.loads(image.manifest)["config"]["digest"])
