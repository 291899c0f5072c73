"""Real clients sign in: registry logins over our TLS, and the docker client with our bundle."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from seawall.core import actor as actors
from seawall.core.clock import SystemClock
from seawall.distribution import tokens as door
from seawall.identity.certificates import Certificates
from seawall.identity.errors import InvalidCredentialsError
from seawall.identity.grants import Grants
from seawall.identity.standing import Standing
from seawall.identity.tokens import SigningKey, Tokens
from seawall.identity.users import Users
from seawall.ingress import server, tls
from seawall.ingress.bearer import BearerAuthenticator
from seawall.ingress.credentials import Credentials
from seawall.store import Database
from seawall.testing.callers import cheap_passwords

pytestmark = pytest.mark.interop

OPERATOR = actors.operator("root")
PASSWORD = "correct horse battery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    code: int
    output: str


async def run(*command: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Result:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **(env or {})},
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(stdin.encode()), 60)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return Result(code=process.returncode, output=output.decode())


class House:
    def __init__(self, database: Database, folder: Path) -> None:
        self.folder = folder
        clock = SystemClock()
        self.users = Users(database, clock, hashing=cheap_passwords())
        self.users.create("alice", PASSWORD, actor=OPERATOR)
        self.certificates = Certificates(database, clock, folder / "certificates")
        self.server = self.certificates.server_certificate(["localhost", "127.0.0.1"])
        self.grants = Grants(database, clock)
        self.tokens = Tokens(
            key=SigningKey.open(folder / "token.pem"),
            issuer="https://localhost",
            audience="registry",
            standing=Standing(database, clock),
            clock=clock,
        )
        self.credentials = Credentials(self.users, clock)
        self.authenticator: BearerAuthenticator
        self.address = ""

    def registry(self) -> web.Application:
        app = web.Application()
        service = door.TokenService(
            credentials=self.credentials,
            grants=self.grants,
            tokens=self.tokens,
            service="registry",
        )
        app.add_routes(door.token_routes(service))
        app.router.add_get("/v2/", self._version)
        return app

    async def _version(self, request: web.Request) -> web.Response:
        try:
            caller = self.authenticator.caller_of(request.headers.get("Authorization"))
        except InvalidCredentialsError:
            caller = None
        if caller is None or caller.actor == actors.ANONYMOUS:
            challenge = self.authenticator.challenge("")
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        return web.json_response({})


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[House]:
    house = House(database, tmp_path)
    async with server.serve(
        house.registry(),
        host="127.0.0.1",
        port=0,
        ssl_context=tls.server_context(house.server.pair),
    ) as listening:
        house.address = f"localhost:{listening.port}"
        house.authenticator = BearerAuthenticator(
            tokens=house.tokens,
            grants=house.grants,
            realm=f"https://{house.address}/token",
            service="registry",
        )
        # What /etc/docker/certs.d and --cert-dir want: the authority as ca.crt.
        (tmp_path / "trust").mkdir()
        (tmp_path / "trust" / "ca.crt").write_bytes(house.server.authority.read_bytes())
        yield house


def need(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"needs the program {program}")


@pytest.mark.parametrize("program", ["skopeo", "podman", "buildah"])
async def test_registry_clients_sign_in_and_wrong_passwords_fail(
    house: House, tmp_path: Path, program: str
) -> None:
    need(program)
    command = (
        program,
        "login",
        "--authfile",
        str(tmp_path / "auth.json"),
        "--cert-dir",
        str(tmp_path / "trust"),
        "--username",
        "alice",
        "--password-stdin",
        house.address,
    )
    right = await run(*command, stdin=PASSWORD)
    assert (0, True) == (right.code, "Login Succeeded" in right.output), right.output
    wrong = await run(*command, stdin="wrong")
    assert wrong.code != 0
    assert "invalid username/password" in wrong.output or "unauthorized" in wrong.output


async def test_the_docker_client_proves_its_user_with_our_bundle(
    house: House, tmp_path: Path
) -> None:
    need("docker")
    seen: list[str] = []

    async def engine(request: web.Request) -> web.Response:
        assert request.transport is not None
        tls_object = request.transport.get_extra_info("ssl_object")
        seen.append(str(house.certificates.user_of(tls_object.getpeercert(True))))
        headers = {"Api-Version": "1.41", "Ostype": "linux"}
        if request.path.endswith("/version"):
            version = {"Version": "0.1", "ApiVersion": "1.41", "Os": "linux", "Arch": "amd64"}
            return web.json_response(version, headers=headers)
        return web.Response(text="OK", headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", engine)
    context = tls.server_context(
        house.server.pair, client_authority=house.certificates.client_authority
    )
    pair = house.certificates.client_certificate("alice", actor=OPERATOR)
    house.certificates.write_bundle(pair, tmp_path / "bundle")
    async with server.serve(app, host="127.0.0.1", port=0, ssl_context=context) as listening:
        env = {
            "DOCKER_HOST": f"tcp://localhost:{listening.port}",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(tmp_path / "bundle"),
            "DOCKER_CONFIG": str(tmp_path / "docker"),
        }
        right = await run("docker", "version", "--format", "{{.Server.Version}}", env=env)
        assert (0, "0.1") == (right.code, right.output.strip()), right.output
        assert {"alice"} == set(seen)
        (tmp_path / "bundle" / "cert.pem").unlink()
        (tmp_path / "bundle" / "key.pem").unlink()
        nobody = await run("docker", "version", env=env)
        assert nobody.code != 0
        assert {"alice"} == set(seen)
