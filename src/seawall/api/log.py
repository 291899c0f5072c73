"""The transparency log over HTTP: read by everybody, written by who may push.

Checkpoints, proofs and the hashes of all entries are public: without them nobody could tell whether
the log is one and the same for all. What an entry *says* is shown to those who may pull from the
repository that it is about; all others see the hash of it and nothing else, which a blinding value
inside the entry keeps from being guessed.

Refused: pages without bounds, signatures that do not hold, and co-signatures by strangers.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from seawall.api import calls
from seawall.api.calls import Callers
from seawall.api.rates import Rate
from seawall.core import blocking, limits, strictjson
from seawall.core.clock import Clock
from seawall.core.errors import InvalidInputError
from seawall.core.strictjson import Json
from seawall.flows.transparency import Logging, Submission
from seawall.ingress.access import Action, Authenticator, Caller
from seawall.oci.names import RepositoryName, Tag
from seawall.trust import bundle, keys
from seawall.trust.log import entries, notes, trusted_roots
from seawall.trust.log.transparency import StoredEntry
from seawall.trust.log.witnesses import Witnesses

ENTRY_MAX_BYTES: Final = 4 * limits.MIB
COSIGNATURE_MAX_BYTES: Final = 8 * limits.KIB
PAGE_BYTES: Final = 2 * limits.MIB

WRITES_AT_ONCE: Final = 200
WRITES_PER_SECOND: Final = 5.0

NOTE_TYPE: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Door:
    logging: Logging
    witnesses: Witnesses
    callers: Callers
    entry_rate: Rate
    cosignature_rate: Rate

    async def checkpoint(self, request: web.Request) -> web.StreamResponse:
        """The newest checkpoint; with `witnessed=1` the newest one that a witness co-signed."""
        log = self.logging.log
        asked = calls.parameter(request, "witnessed")
        if asked not in (None, "0", "1"):
            raise InvalidInputError("witnessed is 0 or 1")
        find = log.witnessed_checkpoint if asked == "1" else log.checkpoint
        note = await blocking.run(find)
        headers = {"Content-Type": NOTE_TYPE, "Cache-Control": "no-store"}
        return web.Response(body=str(note).encode(), headers=headers)

    async def list(self, request: web.Request) -> web.StreamResponse:
        """Entries from `start` on, before `end`: as many as fit into one answer."""
        start, end = (calls.required_number(request, name) for name in ("start", "end"))
        if end <= start:
            raise InvalidInputError(f"there is nothing from {start} to before {end}")
        caller = await self.callers.reader(request)
        found = await blocking.run(self.logging.log.entries, start, end)
        return calls.as_json({"entries": _fitting(found, caller)})

    async def inclusion(self, request: web.Request) -> web.StreamResponse:
        """The path of an entry, named by `number` or by `hash`, in the tree of `size` entries."""
        log = self.logging.log
        number, asked = calls.number(request, "number"), calls.parameter(request, "hash")
        if (number is None) == (asked is None):
            raise InvalidInputError("name the entry by its number or by its hash")
        if number is None:
            number = await blocking.run(log.find, _hash(asked or ""))
        size = calls.number(request, "size")
        if size is None:
            size = await blocking.run(log.size)
        path = await blocking.run(log.prove_inclusion, number, size)
        return calls.as_json({"number": number, "size": size, "hashes": _encoded(path)})

    async def consistency(self, request: web.Request) -> web.StreamResponse:
        """The proof that the tree of `second` entries begins with that of `first`."""
        first, second = (calls.required_number(request, name) for name in ("first", "second"))
        path = await blocking.run(self.logging.log.prove_consistency, first, second)
        return calls.as_json({"first": first, "second": second, "hashes": _encoded(path)})

    async def submit(self, request: web.Request) -> web.StreamResponse:
        """Enter a signed envelope; the answer is an item of a bundle's `tlogEntries`."""
        document = await _document(request, ENTRY_MAX_BYTES)
        if not set(document) <= {"repository", "tag", "envelope", "publicKey"}:
            raise InvalidInputError("an entry has repository, tag, envelope and publicKey")
        repository = RepositoryName.parse(_text(document, "repository"))
        caller = self.callers.pusher(request, repository)
        self.entry_rate.take(str(caller.actor))
        submission = Submission(
            repository=repository,
            tag=Tag.parse(_text(document, "tag")) if "tag" in document else None,
            envelope=entries.parse_envelope(document.get("envelope")),
            signer=keys.parse_public(_text(document, "publicKey").encode()),
        )
        logged, is_new = await blocking.run(self.logging.submit, submission, actor=caller.actor)
        return calls.as_json(logged.to_bundle_json(), status=201 if is_new else 200)

    async def cosign(self, request: web.Request) -> web.StreamResponse:
        """Keep a witness's line below a checkpoint. The line itself proves who sends it."""
        self.cosignature_rate.take(request.remote or "")
        document = await _document(request, COSIGNATURE_MAX_BYTES)
        size = document.get("size")
        if set(document) != {"size", "signature"} or not isinstance(size, int) or size < 0:
            raise InvalidInputError("a co-signature has size and signature")
        line = notes.parse_signature(_text(document, "signature").removesuffix("\n"))
        is_new = await blocking.run(self.witnesses.cosign, line, size=size)
        return calls.as_json({"size": size, "witness": line.name}, status=201 if is_new else 200)

    async def trusted_root(self, _request: web.Request) -> web.StreamResponse:
        """The file with which stock cosign checks entries of this log offline."""
        content = trusted_roots.build(self.logging.log.trusted)
        return web.Response(body=content, headers={"Content-Type": "application/json"})


def routes(
    logging: Logging, witnesses: Witnesses, authenticator: Authenticator, clock: Clock
) -> Sequence[web.RouteDef]:
    """Return the routes of the log."""
    door = _Door(
        logging=logging,
        witnesses=witnesses,
        callers=Callers(authenticator=authenticator),
        entry_rate=Rate(clock=clock, burst=WRITES_AT_ONCE, per_second=WRITES_PER_SECOND),
        cosignature_rate=Rate(clock=clock, burst=WRITES_AT_ONCE, per_second=WRITES_PER_SECOND),
    )
    return [
        web.get("/api/log/checkpoint", calls.answering(door.checkpoint)),
        web.get("/api/log/entries", calls.answering(door.list)),
        web.get("/api/log/proof/inclusion", calls.answering(door.inclusion)),
        web.get("/api/log/proof/consistency", calls.answering(door.consistency)),
        web.post("/api/log/entries", calls.answering(door.submit)),
        web.post("/api/log/checkpoint/cosignatures", calls.answering(door.cosign)),
        web.get("/api/trusted_root.json", calls.answering(door.trusted_root)),
    ]


def _fitting(found: Sequence[StoredEntry], caller: Caller) -> list[dict[str, Json]]:
    shown: list[dict[str, Json]] = []
    total = 0
    for entry in found:
        one = _shown(entry, caller)
        total += len(strictjson.encode(one))
        if shown and total > PAGE_BYTES:
            break
        shown.append(one)
    return shown


def _shown(entry: StoredEntry, caller: Caller) -> dict[str, Json]:
    shown: dict[str, Json] = {
        "number": entry.number,
        "leafHash": bundle.encode_base64(entry.leaf_hash),
    }
    if not caller.may(Action.PULL, RepositoryName(entry.repository)):
        return shown
    shown["body"] = bundle.encode_base64(entry.body)
    shown["repository"] = entry.repository
    shown["integratedTime"] = entry.integrated_at
    if entry.statement is not None:
        shown["statement"] = bundle.encode_base64(entry.statement)
    return shown


async def _document(request: web.Request, max_bytes: int) -> dict[str, Json]:
    body = await calls.read_body(request, max_bytes)
    return strictjson.decode_object(body, max_bytes=max_bytes, max_depth=8)


def _text(document: dict[str, Json], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise InvalidInputError(f"{name!r} must be a text")
    return value


def _hash(text: str) -> bytes:
    try:
        value = binascii.unhexlify(text)
    except ValueError as error:
        raise InvalidInputError("hash must be hex") from error
    if len(value) != 32:
        raise InvalidInputError("hash must be SHA-256, 64 hex digits")
    return value


def _encoded(path: Sequence[bytes]) -> list[str]:
    return [bundle.encode_base64(one) for one in path]
