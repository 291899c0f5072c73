"""Podman, buildah, skopeo and docker with tokens over TLS, on a whole installation."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from seawall.testing import images, running
from seawall.testing.engines import Engine
from seawall.testing.running import Done, Installation

pytestmark = [pytest.mark.interop, pytest.mark.engine]

PROGRAMS = ("podman", "buildah", "skopeo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client of the containers family, with storage and logins of its own."""

    place: Installation
    program: str
    folder: str

    def __call__(self, *words: str, stdin: str = "", check: bool = True) -> Done:
        verb, *rest = words
        where: tuple[str, ...] = ()
        if self.program != "skopeo":
            where = (f"--root={self.folder}/root", f"--runroot={self.folder}/run",
                     "--storage-driver=vfs")  # fmt: skip
        return self.place.run(
            self.program, *where, verb, *rest, stdin=stdin, check=check,
            env={"REGISTRY_AUTH_FILE": f"{self.folder}/auth.json"},
        )  # fmt: skip

    @property
    def tls(self) -> str:
        return f"--cert-dir={self.place.trust}"

    def log_in(self, user: str, password: str, check: bool = True) -> Done:
        return self("login", self.tls, "-u", user, "--password-stdin", self.place.host,
                    stdin=password, check=check)  # fmt: skip

    def push(self, layout: str, name: str, check: bool = True) -> Done:
        if self.program == "skopeo":
            return self("copy", f"--dest-cert-dir={self.place.trust}", f"oci:{layout}:latest",
                        f"docker://{name}", check=check)  # fmt: skip
        self("pull", "-q", f"oci:{layout}:latest")
        local = self("images", "-q", "--no-trunc").stdout.split()[0]
        return self("push", self.tls, local, f"docker://{name}", check=check)

    def pull(self, name: str, check: bool = True, tls: str = "") -> Done:
        if self.program == "skopeo":
            with tempfile.TemporaryDirectory(dir=self.folder) as target:
                source = (tls or self.tls).replace("--", "--src-", 1)
                return self("copy", source, f"docker://{name}", f"dir:{target}", check=check)
        self("rmi", "--all", "--force")
        return self("pull", tls or self.tls, name, check=check)


@pytest.fixture(scope="module")
def place(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with running.installation(tmp_path_factory.mktemp("clients"), engine.socket) as place:
        place.add_user("writer", "pull,push", "team/**")
        place.add_user("reader", "pull", "team/**")
        place.seawall("grant", "give", "pull", "anonymous", "public/*")
        yield place


@pytest.fixture(params=PROGRAMS)
def client(
    request: pytest.FixtureRequest, place: Installation, need: Callable[..., None]
) -> Iterator[Client]:
    need(request.param)
    # Storage of its own; podman wants its path short.
    with tempfile.TemporaryDirectory(prefix="swp-", dir="/tmp") as folder:
        yield Client(place=place, program=request.param, folder=folder)


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> str:
    image = images.image(images.layer({"one": b"1" * 100_000}), images.layer({"two": b"2"}))
    return str(images.write_layout(tmp_path_factory.mktemp("layout"), image))


def test_who_may_push_pushes_and_pulls_with_a_token_over_tls(client: Client, layout: str) -> None:
    name = f"{client.place.host}/team/{client.program}:1"
    assert "Login Succeeded" in client.log_in("writer", "password of writer").stdout
    client.push(layout, name)
    client.pull(name)
    pushed = client.place.events(
        "--kind", "ManifestPushed", "--repository", name[name.index("/") + 1 : -2]
    )
    assert ["writer"] == [event["actor"] for event in pushed]


def test_a_wrong_password_fails_clearly_and_is_written_down(client: Client) -> None:
    refused = client.log_in("writer", "a guess", check=False)
    assert refused.returncode != 0
    assert "invalid username/password" in refused.stderr
    failed = client.place.events("--kind", "LoginFailed")[-1]
    assert "writer" == failed["name"]


def test_who_may_only_pull_cannot_push(client: Client, layout: str) -> None:
    name = f"{client.place.host}/team/reading-{client.program}:1"
    client.log_in("writer", "password of writer")
    client.push(layout, name)
    client.log_in("reader", "password of reader")
    client.pull(name)
    refused = client.push(layout, name, check=False)
    assert refused.returncode != 0
    assert "denied" in refused.stderr


def test_without_a_login_only_what_is_granted_to_anonymous_is_there(
    client: Client, layout: str
) -> None:
    client.log_in("admin", client.place.password)
    public = f"{client.place.host}/public/{client.program}:1"
    private = f"{client.place.host}/private/{client.program}:1"
    for name in (public, private):
        client.push(layout, name)
    client("logout", client.place.host)
    client.pull(public)
    messages = set()
    for name in (private, private.replace(":1", ":2"), private.replace("private", "nowhere")):
        refused = client.pull(name, check=False)
        assert refused.returncode != 0
        messages.add("unauthorized" in refused.stderr or "denied" in refused.stderr)
    assert {True} == messages, "one answer for what is not there and what is not theirs"
    assert client.push(layout, public, check=False).returncode != 0


def test_a_client_that_does_not_know_the_authority_refuses_the_server(
    client: Client, layout: str
) -> None:
    name = f"{client.place.host}/public/untrusted-{client.program}:1"
    client.log_in("admin", client.place.password)
    client.push(layout, name)
    empty = f"--cert-dir={client.place.home / 'docker'}"
    refused = client.pull(name, check=False, tls=empty)
    assert refused.returncode != 0
    assert "certificate signed by unknown authority" in refused.stderr
    client.pull(name, tls="--tls-verify=false")


def test_a_disabled_user_can_neither_log_in_nor_go_on(client: Client, layout: str) -> None:
    user = f"leaver-{client.program}"
    client.place.add_user(user, "pull,push", "team/**")
    client.log_in(user, f"password of {user}")
    name = f"{client.place.host}/team/left-{client.program}:1"
    client.push(layout, name)
    client.place.seawall("user", "disable", user)
    assert client.pull(name, check=False).returncode != 0
    refused = client.log_in(user, f"password of {user}", check=False)
    assert "invalid username/password" in refused.stderr


def test_docker_says_that_a_password_is_wrong(place: Installation) -> None:
    done = place.run(
        "docker", "login", "-u", "writer", "--password-stdin", place.host, stdin="a guess",
        check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "unauthorized: the name or the password is wrong" in done.stderr


def test_docker_pulls_without_a_login_only_where_it_is_granted(
    place: Installation, engine: Engine, need: Callable[..., None]
) -> None:
    need("skopeo")
    image = running.debian_image("true")
    public, private = place.push(image, "public/app"), place.push(image, "private/app")
    place.run("docker", "-H", engine.host, "pull", public)
    said = []
    for name in (private, f"{place.host}/nowhere/app:1"):
        refused = place.run("docker", "-H", engine.host, "pull", name, check=False)
        assert refused.returncode != 0
        said.append(refused.stderr.replace(name.rpartition(":")[0], "IMAGE"))
    assert "denied" in said[0]
    assert 1 == len(set(said))


def test_tags_are_listed_and_images_inspected_with_a_readers_token(
    place: Installation, need: Callable[..., None]
) -> None:
    need("skopeo")
    name = place.push(running.debian_image("true"), "team/listed", "a")
    place.push(running.debian_image("true", note="b"), "team/listed", "b")
    common = ("--creds=reader:password of reader", f"--cert-dir={place.trust}")
    listed = place.run("skopeo", "list-tags", *common, f"docker://{name.rpartition(':')[0]}")
    assert ["a", "b"] == json.loads(listed.stdout)["Tags"]
    seen = place.run("skopeo", "inspect", *common, f"docker://{name}")
    assert "linux" == json.loads(seen.stdout)["Os"]
