"""The same bytes at a gate before a real engine: nothing was created, changed or pulled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from seawall.testing import gate_stage
from seawall.testing.gate_lab import HOST, JSON, Lab, status
from seawall.testing.gate_stage import Stage

pytestmark = [pytest.mark.interop, pytest.mark.engine]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    if reason := gate_stage.why_no_stage():
        pytest.skip(reason)
    with gate_stage.set_stage(tmp_path_factory.mktemp("gate")) as stage:
        yield stage


@pytest.fixture(scope="module")
def image(stage: Stage) -> str:
    reference = stage.push("app", "true")
    assert 0 == stage.docker(stage.unix, "pull", reference).returncode
    return reference


def say(stage: Stage, raw: bytes) -> bytes:
    lab = Lab(engine=None, parts=stage.parts, settings=stage.settings)  # type: ignore[arg-type]
    return asyncio.run(lab.say(raw))


def create(body: bytes, path: str = "/v1.41/containers/create", extra: bytes = b"") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\n".encode() + HOST + JSON + extra
        + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )  # fmt: skip


def variants(image: str) -> dict[str, bytes]:
    plain = json.dumps({"Image": image}).encode()[:-1]
    chunks = b"%x\r\n%b}\r\n0\r\n\r\n" % (len(plain) + 1, plain)
    privileged = plain + b',"HostConfig":{"Privileged":true}}'
    smuggled = create(privileged)
    return {
        "lower-case-key": create(plain + b',"hostconfig":{"Privileged":true}}'),
        "long-s": create(plain + ',"HoſtConfig":{"Privileged":true}}'.encode()),
        "escaped-key": create(plain + b',"HostConfig":{"\\u0050rivileged":true}}'),
        "duplicate": create(
            plain + b',"HostConfig":{"Privileged":true,"Binds":["/:/h"]},"HostConfig":{}}'
        ),
        "top-level": create(plain + b',"Privileged":true,"Binds":["/:/h"]}'),
        "trailing": create(plain + b"}{}"),
        "two-framings": create(plain + b"}", extra=b"Transfer-Encoding: chunked\r\n"),
        "smuggled": create(b"", extra=b"Transfer-Encoding: chunked\r\n") + chunks + smuggled,
        "encoded-path": create(privileged, "/v1.41/containers%2Fcreate"),
        "absolute": create(privileged, "http://docker/v1.41/containers/create"),
        "odd-version": create(privileged, "/v1.24.9/containers/create"),
        "old-version": create(privileged, "/v1.23/containers/create"),
        "upgrade": create(privileged, extra=b"Connection: Upgrade\r\nUpgrade: h2c\r\n"),
    }


NAMES = sorted(variants("x"))


@pytest.mark.parametrize("name", NAMES)
def test_refuses_what_the_engine_would_read_as_privileged(
    stage: Stage, image: str, name: str
) -> None:
    assert status(say(stage, variants(image)[name])) in {400, 403}
    assert "" == stage.engine.docker("ps", "-aq").stdout


def test_refuses_to_change_a_stored_container_through_a_legacy_start(
    stage: Stage, image: str
) -> None:
    answer = say(stage, create(json.dumps({"Image": image}).encode()))
    assert 201 == status(answer)
    identity = json.loads(answer.partition(b"\r\n\r\n")[2])["Id"]
    body = b'{"Privileged":true,"Binds":["/:/h"]}'
    for version in ("v1.23", "v1.41"):
        assert 400 == status(say(stage, create(body, f"/{version}/containers/{identity}/start")))
    stored = json.loads(stage.engine.docker("inspect", identity).stdout)[0]["HostConfig"]
    assert not stored["Privileged"]
    assert not stored["Binds"]
    assert ["ALL"] == stored["CapDrop"]
    stage.engine.docker("rm", "-f", identity)


def test_refuses_a_volume_that_hides_the_hosts_files(stage: Stage, image: str) -> None:
    stage.engine.docker(
        "volume", "create", "--opt", "type=none", "--opt", "o=bind", "--opt", "device=/etc", "etc"
    )
    done = stage.docker(stage.mtls, "run", "--rm", "-v", "etc:/data", image, "true")
    assert b"host-settings/Volume" in done.stderr
    done = stage.docker(stage.mtls, "create", "-v", "plain:/data", image, "true")
    assert 0 == done.returncode, done.stderr
    stage.docker(stage.mtls, "rm", "-f", done.stdout.decode().strip())


def test_refuses_the_hosts_network_by_its_id_and_by_a_prefix(stage: Stage, image: str) -> None:
    listed = stage.engine.docker("network", "ls", "-q", "--no-trunc", "-f", "name=host").stdout
    for network in (listed.strip(), listed[:6]):
        done = stage.docker(stage.mtls, "run", "--rm", "--network", network, image, "true")
        assert b"host-settings/NetworkMode" in done.stderr
