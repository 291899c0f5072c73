"""Whatever a client says, the engine hears only rows of the route table, in our own words."""

from __future__ import annotations

import asyncio
import json
import random
import re
import urllib.parse

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seawall.core.reason import Refusal
from seawall.gate import routes
from seawall.testing.fake_engine import CONTAINER, EXEC, Seen
from seawall.testing.gate_lab import IMAGE, PINNED, Lab, lab_with

GATES_OWN = re.compile(r"POST /v1\.4[01]/images/[^/]+/app@sha256:[0-9a-f]{64}/tag\?.*")
HEADERS = {b"host", b"user-agent", b"content-length", b"content-type"} | {
    b"connection", b"upgrade", b"x-registry-auth",
}  # fmt: skip

BODY = json.dumps({"Image": IMAGE, "HostConfig": {"AutoRemove": True}}).encode()
SEEDS = [
    b"GET /v1.41/info HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /containers/json?all=1&filters=%7B%7D HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /v1.41/containers/create?name=x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json"
    b"\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY),
    b"POST /v1.41/containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json"
    b"\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY),
    b"POST /containers/%b/start HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    % CONTAINER.encode(),
    b"POST /containers/mine/attach?stdin=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
    b"Upgrade: tcp\r\n\r\nPOST /build HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /exec/%b/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 2\r\n\r\n{}" % EXEC.encode(),
    b"POST /images/create?fromImage=localhost:5443/app&tag=1 HTTP/1.1\r\nHost: x\r\n"
    b"X-Registry-Auth: e30=\r\n\r\n",
    b"DELETE /v1.41/containers/mine?force=1 HTTP/1.1\r\nHost: x\r\n\r\n",
]
TOKENS = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b";", b"%2F", b"%00", b"//", b"/../", b"?",
    b"&", b"=", b"#", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Upgrade: h2c\r\n", b"HTTP/1.1", b"HTTP/1.0", b"/v1.23", b"/build", b"0\r\n\r\n",
    b"Expect: 100-continue\r\n",
    b"POST ", b"GET ", b'"Privileged":true,', b'"HostConfig":{"Binds":["/:/h"]},', b"{", b"}", b'"',
]  # fmt: skip


def mutated(seed: int) -> bytes:
    """One to four seeds in a row, with up to six cuts, repeats and insertions."""
    dice = random.Random(seed)
    raw = bytearray(b"".join(dice.choices(SEEDS, k=dice.randint(1, 4))))
    for _ in range(dice.randint(0, 6)):
        at = dice.randrange(len(raw) + 1)
        match dice.randrange(4):
            case 0:
                raw[at:at] = dice.choice(TOKENS)
            case 1:
                del raw[at : at + dice.randint(1, 12)]
            case 2:
                raw[at:at] = raw[at : at + dice.randint(1, 80)]
            case 3:
                raw[at : at + 1] = bytes([dice.randrange(256)])
    return bytes(raw)


def check(seen: Seen) -> None:
    method, _, target = seen.line.partition(" ")
    names = {line.split(b":")[0].lower() for line in seen.head.split(b"\r\n")[1:] if line}
    assert names <= HEADERS, seen
    if target == "/_ping" or GATES_OWN.fullmatch(seen.line):
        return
    version = re.match(r"/v1\.4[01](?=/)", target)
    assert version, seen
    path, _, query = target[version.end() :].partition("?")
    found = routes.find(method, path)
    assert not isinstance(found, Refusal), seen
    routes.check_query(found.route, urllib.parse.parse_qs(query))
    if found.route.template == "/containers/create":
        body = json.loads(seen.body)
        assert PINNED == body["Image"]
        assert not body["HostConfig"].get("Privileged")
        assert not body["HostConfig"].get("Binds")
    assert bool(seen.body) <= found.route.has_body, seen


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.integers(0, 2**32), min_size=8, max_size=8))
def test_refuses_to_say_to_the_engine_what_is_not_in_the_table(seeds: list[int]) -> None:
    async def attack() -> None:
        async with lab_with(head_s=1.0, body_s=1.0, answer_s=2.0) as lab:
            for seed in seeds:
                await lab.say(mutated(seed))
            assert await is_alive(lab)
            for seen in lab.engine.seen:
                check(seen)

    asyncio.run(attack())


async def is_alive(lab: Lab) -> bool:
    return b'{"Name": "fake"}' in await lab.say(SEEDS[0])
