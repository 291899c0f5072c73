"""Hostile callers at the log's door: forged, foreign, too much, too fast, too curious."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import nacl.signing
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from seawall.api import log as log_api
from seawall.api.rates import Rate, TooFastError
from seawall.core import strictjson
from seawall.identity.model import Action
from seawall.testing import houses, logs, signatures
from seawall.testing.callers import FakeAuthenticator
from seawall.testing.clocks import FakeClock
from seawall.testing.houses import OPERATOR, OTHER, SHOP, Stage
from seawall.trust import bundle
from seawall.trust.log import notes
from seawall.trust.log.notes import WitnessKey

KEY = signatures.new_key()
ENTRIES = "/api/log/entries"
COSIGNATURES = "/api/log/checkpoint/cosignatures"
PUSHER = {"Authorization": "Bearer pusher"}
WITNESS = nacl.signing.SigningKey(b"w" * 32)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage.opened(tmp_path) as stage:
        yield stage


@pytest.fixture
async def door(stage: Stage) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    callers = FakeAuthenticator()
    callers.add("pusher", {"team/app": {Action.PUSH}})
    callers.add("reader", grants={"other/*": {Action.PULL}})
    house = stage.house
    app = web.Application()
    app.add_routes(log_api.routes(house.logging, house.witnesses, callers, house.clock))
    async with TestClient(TestServer(app)) as client:
        yield client


def asked(**changes: object) -> dict[str, Any]:
    return {
        "repository": "team/app",
        "tag": "v1",
        "envelope": logs.envelope(KEY).to_json(),
        "publicKey": KEY.public.pem.decode(),
        **changes,
    }


async def submit(door: Any, body: object, headers: dict[str, str] | None = None) -> Any:
    content = body if isinstance(body, bytes) else strictjson.encode(body)
    return await door.post(ENTRIES, data=content, headers=PUSHER if headers is None else headers)


async def test_a_good_signature_enters_once(door: Any, stage: Stage) -> None:
    body = asked()
    first, again = await submit(door, body), await submit(door, body)
    assert (201, 200) == (first.status, again.status)
    assert 1 == stage.house.log.size()
    item = await first.json()
    assert {"kind": "dsse", "version": "0.0.1"} == item["kindVersion"]


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({}, ""),
        ({"Authorization": "Bearer reader"}, "insufficient_scope"),
        ({"Authorization": "Bearer nobody"}, "invalid_token"),
        ({"Authorization": "Basic cHVzaGVyOng="}, "invalid_token"),
    ],
)
async def test_refuses_who_may_not_push(
    door: Any, stage: Stage, headers: dict[str, str], error: str
) -> None:
    answer = await submit(door, asked(), headers)
    assert 401 == answer.status
    challenge = answer.headers["WWW-Authenticate"]
    assert 'scope="repository:team/app:pull,push"' in challenge
    assert (f'error="{error}"' in challenge) is bool(error)
    assert 0 == stage.house.log.size()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"repository":"team/app","repository":"team/app"}',
        b"\xff",
        asked(repository="../etc"),
        asked(repository=1),
        asked(tag="a b"),
        asked(tag=None),
        asked(envelope=None),
        asked(envelope={"payload": "AA==", "payloadType": "x", "signatures": []}),
        asked(envelope=logs.envelope(signatures.new_key()).to_json()),
        asked(envelope=logs.envelope(KEY, "h.example/other/app:v1").to_json()),
        asked(envelope=bundle.sign(b"not a statement", KEY)),
        asked(publicKey=signatures.new_key().public.pem.decode()),
        asked(publicKey="x"),
        asked(more=1),
    ],
)
async def test_refuses_what_does_not_hold_or_parse(door: Any, stage: Stage, body: object) -> None:
    answer = await submit(door, body)
    assert 400 == answer.status
    assert "application/problem+json" == answer.content_type
    assert 0 == stage.house.log.size()
    assert [] == stage.events("SignatureLogged")


async def test_refuses_a_signature_for_a_repository_of_others(door: Any, stage: Stage) -> None:
    envelope = logs.envelope(KEY, "h.example/other/app:v1").to_json()
    answer = await submit(door, asked(repository="other/app", envelope=envelope))
    assert 401 == answer.status
    assert 0 == stage.house.log.size()


async def test_refuses_bodies_without_bounds(door: Any, stage: Stage) -> None:
    answer = await submit(door, b" " * (log_api.ENTRY_MAX_BYTES + 1))
    assert 413 == answer.status
    answer = await door.post(COSIGNATURES, data=b" " * (log_api.COSIGNATURE_MAX_BYTES + 1))
    assert 413 == answer.status
    nested = b'{"repository":' + b"[" * 50 + b"]" * 50 + b"}"
    assert 413 == (await submit(door, nested)).status
    compressed = {**PUSHER, "Content-Encoding": "gzip"}
    assert 400 == (await submit(door, asked(), compressed)).status


def test_refuses_a_caller_who_writes_too_fast() -> None:
    clock = FakeClock()
    rate = Rate(clock=clock, burst=2, per_second=0.5)
    rate.take("mallory")
    rate.take("mallory")
    with pytest.raises(TooFastError) as refused:
        rate.take("mallory")
    assert dt.timedelta(seconds=2) == refused.value.retry_after
    rate.take("alice")
    clock.advance(dt.timedelta(seconds=2))
    rate.take("mallory")
    clock.advance(dt.timedelta(days=-1))
    with pytest.raises(TooFastError):
        rate.take("mallory")


async def test_refuses_to_say_what_an_entry_of_a_private_repository_says(
    door: Any, stage: Stage
) -> None:
    stage.push(SHOP, houses.image(), "secret-tag")
    stage.push(OTHER, houses.image(), "open-tag")
    stage.work()
    shown = {}
    for name in ("", "reader"):
        headers = {"Authorization": f"Bearer {name}"} if name else {}
        answer = await door.get(f"{ENTRIES}?start=0&end=100", headers=headers)
        shown[name] = (await answer.json())["entries"]
    for one in shown[""]:
        assert {"number", "leafHash"} == set(one)
    said = [base64.b64decode(one["body"]) for one in shown["reader"] if "body" in one]
    assert any(b"open-tag" in body for body in said)
    assert not any(b"secret-tag" in body or b"shop/app" in body for body in said)
    assert (
        401
        == (
            await door.get(f"{ENTRIES}?start=0&end=9", headers={"Authorization": "Bearer x"})
        ).status
    )


@pytest.mark.parametrize(
    "query",
    [
        f"{ENTRIES}?start=0",
        f"{ENTRIES}?start=5&end=5",
        f"{ENTRIES}?start=-1&end=5",
        f"{ENTRIES}?start=0&end=1e3",
        f"{ENTRIES}?start=0&end=5&end=6",
        f"{ENTRIES}?start=0&end=4611686018427387904",
        "/api/log/proof/inclusion",
        "/api/log/proof/inclusion?number=1&hash=00",
        "/api/log/proof/inclusion?hash=zz",
        "/api/log/proof/inclusion?hash=00",
        "/api/log/proof/consistency?first=1",
        "/api/log/checkpoint?witnessed=yes",
    ],
)
async def test_refuses_questions_in_any_other_form(door: Any, query: str) -> None:
    assert 400 == (await door.get(query)).status


@pytest.mark.parametrize(
    "query",
    [
        "/api/log/proof/inclusion?number=0&size=5",
        "/api/log/proof/inclusion?number=3&size=1",
        "/api/log/proof/inclusion?hash=" + "0" * 64,
        "/api/log/proof/consistency?first=0&second=1",
        "/api/log/proof/consistency?first=2&second=1",
        "/api/log/proof/consistency?first=1&second=999",
        "/api/log/checkpoint?witnessed=1",
    ],
)
async def test_refuses_proofs_of_what_is_not_there(door: Any, query: str) -> None:
    assert 201 == (await submit(door, asked())).status
    assert 404 == (await door.get(query)).status


async def test_refuses_cosignatures_by_strangers(door: Any, stage: Stage) -> None:
    assert 201 == (await submit(door, asked())).status
    note = notes.parse(await (await door.get("/api/log/checkpoint")).read())
    line = notes.cosign(
        note.text, name="witness.example", key=WITNESS, now=stage.house.clock.now()
    ).line
    body = {"size": 1, "signature": line}

    async def send(content: dict[str, object]) -> int:
        status: int = (await door.post(COSIGNATURES, data=strictjson.encode(content))).status
        return status

    assert 403 == await send(body)
    stranger = WitnessKey(name="witness.example", public=bytes(32))
    stage.house.witnesses.accept(stranger, actor=OPERATOR)
    assert 400 == await send(body)
    stage.house.witnesses.drop("witness.example", actor=OPERATOR)
    key = WitnessKey(name="witness.example", public=bytes(WITNESS.verify_key))
    stage.house.witnesses.accept(key, actor=OPERATOR)
    assert 404 == await send(body | {"size": 2})
    assert 400 == await send(body | {"size": "1"})
    assert 400 == await send(body | {"signature": "— x"})
    assert 201 == await send(body)  # the control
    assert 200 == await send(body)
