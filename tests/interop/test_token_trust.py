"""Trees whose every key is on a PKCS#11 token: stock docker pulls what they name, and no more.

Against a real `seawall up`; the tokens are SoftHSM's and the keys are not extractable.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from seawall.testing import engines, running, tokens, trusting
from seawall.testing.trusting import Person

pytestmark = pytest.mark.interop

each_docker = pytest.mark.parametrize("docker", ["20.10", "28"], indirect=True)


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    if tokens.why_no_softhsm():
        pytest.skip(tokens.why_no_softhsm())
    home = tmp_path_factory.mktemp("hsm")
    with tokens.softhsm(home / "hsm", "root-1", "root-2", "signer") as path:
        yield path


@pytest.fixture(scope="module")
def place(need, engine: engines.Engine, module: Path, tmp_path_factory):
    need("skopeo")
    directory = tmp_path_factory.mktemp("trust")
    with running.installation(directory, engine.socket) as installation:
        installation.knows_advisories(running.advisory("openssl", "1"))
        yield installation


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where the tokens are plugged in. Every PIN is the same, and in a file."""

    place: running.Installation
    module: Path
    home: Path

    def seawall(self, *words: str, check: bool = True):
        option = "--pin-file" if words[0] == "key" else "--passphrase-file"
        state = ("--state", str(self.place.state))
        done = self.place.run(
            sys.executable, "-m", "seawall", *state, *words, option, str(self.home / "pin"),
            check=check,
            env={
                "SOFTHSM2_CONF": os.environ["SOFTHSM2_CONF"],
                "SEAWALL_PKCS11_MODULE": str(self.module),
                "SEAWALL_CONFIG_HOME": str(self.home / "configuration"),
            },
        )  # fmt: skip
        assert tokens.PIN not in done.stdout + done.stderr
        return done

    def key(self, token: str, name: str) -> str:
        """Make a key on a token; return the URI that names it."""
        made = self.seawall(
            "key", "generate", "--token", f"pkcs11:token={token};object={name}",
            "--output", str(self.home / f"{name}-{token}"), "--json",
        )  # fmt: skip
        return json.loads(made.stdout)["uri"]


@pytest.fixture
def desk(place, module, tmp_path):
    (tmp_path / "pin").write_text(tokens.PIN + "\n")
    place.log_in()
    return Desk(place=place, module=module, home=tmp_path)


@pytest.fixture
def docker(request):
    program = trusting.find_docker(request.param)
    if program is None:
        pytest.skip(f"needs a docker client {request.param}, and none is here: tools/clients.sh")
    return program


@each_docker
def test_docker_pulls_what_keys_on_tokens_signed_and_refuses_the_rest(
    desk, docker, engine, tmp_path, request
):
    """The root wants two tokens of two; a third one signs the tag."""
    area = f"with{request.node.callspec.params['docker'].replace('.', '')}"
    roots = [desk.key(token, area) for token in ("root-1", "root-2")]
    signer = desk.key("signer", area)
    repository = f"{desk.place.host}/{area}/app"
    image = desk.place.push(running.debian_image(note=area), f"{area}/app", "v1")
    unsigned = desk.place.push(running.debian_image(note=f"{area} 2"), f"{area}/app", "v2")

    one = ("--root-key", roots[0], "--threshold", "2", "--key", signer)
    assert 0 != desk.seawall("trust", "init", repository, *one, check=False).returncode
    desk.seawall("trust", "init", repository, *one, "--root-key", roots[1])
    desk.seawall("sign", image, "--key", signer)

    fresh = Person(
        home=tmp_path / "lin", host=desk.place.host, name="admin", password=desk.place.password
    )
    pulled = fresh.docker(docker, engine, "pull", image)
    assert f"{image}@sha256:" in pulled.stdout
    refused = fresh.docker(docker, engine, "pull", unsigned, check=False)
    assert (1, True) == (refused.returncode, "No valid trust data for v2" in refused.stderr)
