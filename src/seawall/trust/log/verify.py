"""The proof that a signature stands in a log. Pure: a bundle's `tlogEntries` item in, steps out.

  1. form        the item parses strictly, its numbers are numbers
  2. log         it is of a log that is trusted
  3. body        it is the entry of exactly this envelope, by this signer
  4. promise     the log signed that it took the body at that time, under that number
  5. number      the number of the entry is the one of its proof, and within the tree
  6. checkpoint  signed by the log, of that log by name, and of the tree that the proof is for
  7. inclusion   the path leads from the body to the checkpoint's root
  8. time        the entry is not from the future

The first step that fails ends it. All of it is needed: the promise alone would be a log that can
show another tree to everybody else, the path alone a log that somebody else signed.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from seawall.core import strictjson
from seawall.core.errors import InvalidInputError, SeawallError
from seawall.core.strictjson import Json
from seawall.trust import bundle
from seawall.trust.keys import PublicKey
from seawall.trust.log import entries, merkle, notes
from seawall.trust.log.entries import SignedEnvelope
from seawall.trust.log.trusted_roots import TrustedLog
from seawall.trust.trail import Step

MAX_CLOCK_SKEW: Final = dt.timedelta(minutes=5)
MAX_PATH: Final = 64

STEPS: Final = {
    1: "form",
    2: "log",
    3: "body",
    4: "promise",
    5: "number",
    6: "checkpoint",
    7: "inclusion",
    8: "time",
}

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogProof:
    """The outcome. `checkpoint` and `integrated_at` are set when it holds."""

    is_valid: bool
    steps: tuple[Step, ...]
    index: int | None = None
    integrated_at: dt.datetime | None = None
    checkpoint: notes.Checkpoint | None = None

    @property
    def failure(self) -> Step | None:
        return next((step for step in self.steps if not step.is_passed), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedEntry:
    """A `tlogEntries` item taken apart."""

    index: int
    log_id: bytes
    integrated_at: int  # Unix seconds
    body: bytes
    promise: bytes
    proof_index: int
    size: int
    root: bytes
    path: tuple[bytes, ...]
    checkpoint: bytes

    @classmethod
    def parse(cls, item: Json) -> UnverifiedEntry:
        """Raises InvalidInputError."""
        whole = _object(item, "an entry of the log")
        kind, proof = _object(whole.get("kindVersion"), "kindVersion"), whole.get("inclusionProof")
        proof = _object(proof, "inclusionProof")
        promise = _object(whole.get("inclusionPromise"), "inclusionPromise")
        checkpoint = _object(proof.get("checkpoint"), "checkpoint").get("envelope")
        path = proof.get("hashes", [])  # absent in a tree of one leaf
        if kind != {"kind": "dsse", "version": "0.0.1"}:
            raise InvalidInputError("the entry is not of the kind dsse 0.0.1")
        if not isinstance(path, list) or len(path) > MAX_PATH or not isinstance(checkpoint, str):
            raise InvalidInputError("the entry's proof has no path or no checkpoint")
        return cls(
            index=_number(whole.get("logIndex", "0"), "logIndex"),
            log_id=bundle.decode_base64(_object(whole.get("logId"), "logId").get("keyId"), "keyId"),
            integrated_at=_number(whole.get("integratedTime"), "integratedTime"),
            body=bundle.decode_base64(whole.get("canonicalizedBody"), "canonicalizedBody"),
            promise=bundle.decode_base64(
                promise.get("signedEntryTimestamp"), "signedEntryTimestamp"
            ),
            proof_index=_number(proof.get("logIndex", "0"), "logIndex"),
            size=_number(proof.get("treeSize"), "treeSize"),
            root=bundle.decode_base64(proof.get("rootHash"), "rootHash"),
            path=tuple(bundle.decode_base64(one, "hashes") for one in path),
            checkpoint=checkpoint.encode("utf-8", "replace"),
        )


def verify(
    item: Json,
    *,
    envelope: SignedEnvelope,
    signer: PublicKey,
    logs: Sequence[TrustedLog],
    now: dt.datetime,
) -> LogProof:
    """Prove that `envelope`, signed by `signer`, stands in one of `logs`.

    That the signature itself is good is another proof's business. What is wrong with the item is a
    step, not an error. Raises ValueError for a `now` without time zone.
    """

    def check_body(body: bytes) -> str:
        parsed = entries.parse(body)
        if not isinstance(parsed, entries.SignatureEntry) or not parsed.is_of(envelope, signer):
            raise InvalidInputError("the entry is that of another signature")
        return f"signature by {signer.key_id[:12]}"

    return verify_entry(item, check_body=check_body, logs=logs, now=now)


def verify_entry(
    item: Json,
    *,
    check_body: Callable[[bytes], str],
    logs: Sequence[TrustedLog],
    now: dt.datetime,
) -> LogProof:
    """Prove that a body stands in one of `logs`; `check_body` says what it is, or raises why not.

    Raises ValueError for a `now` without time zone.
    """
    if now.tzinfo is None:
        raise ValueError("a proof needs a time with its zone")
    trail: list[Step] = []
    try:
        entry = UnverifiedEntry.parse(item)
        _passed(trail, 1, f"entry {entry.index}")
        log = _log(trail, entry, logs)
        _passed(trail, 3, check_body(entry.body))
        _check_promise(trail, entry, log)
        _check_number(trail, entry, log)
        checkpoint = _check_checkpoint(trail, entry, log)
        _check_inclusion(trail, entry)
        moment = _check_time(trail, entry, now)
    except SeawallError as error:
        number = len(trail) + 1
        failed = Step(number=number, name=STEPS[number], is_passed=False, detail=error.message)
        return LogProof(is_valid=False, steps=(*trail, failed))
    return LogProof(
        is_valid=True,
        steps=tuple(trail),
        index=entry.index,
        integrated_at=moment,
        checkpoint=checkpoint,
    )


def verify_any(
    items: Sequence[Json],
    *,
    envelope: SignedEnvelope,
    signer: PublicKey,
    logs: Sequence[TrustedLog],
    now: dt.datetime,
) -> LogProof:
    """Prove by any of a bundle's entries; none means no. The last proof that failed is returned."""
    proof = LogProof(
        is_valid=False,
        steps=(Step(number=1, name=STEPS[1], is_passed=False, detail="no entry of a log"),),
    )
    for item in items:
        proof = verify(item, envelope=envelope, signer=signer, logs=logs, now=now)
        if proof.is_valid:
            break
    return proof


def promised_bytes(body: bytes, *, integrated_at: int, index: int, log_id: bytes) -> bytes:
    """Return what a signed entry timestamp is over (Rekor's canonical JSON)."""
    return strictjson.encode(
        {
            "body": bundle.encode_base64(body),
            "integratedTime": integrated_at,
            "logID": log_id.hex(),
            "logIndex": index,
        }
    )


def _log(trail: list[Step], entry: UnverifiedEntry, logs: Sequence[TrustedLog]) -> TrustedLog:
    found = next((log for log in logs if log.log_id == entry.log_id), None)
    if found is None:
        raise InvalidInputError(f"the log {entry.log_id.hex()[:12]} is not trusted")
    _passed(trail, 2, found.name)
    return found


def _check_promise(trail: list[Step], entry: UnverifiedEntry, log: TrustedLog) -> None:
    message = promised_bytes(
        entry.body,
        integrated_at=entry.integrated_at,
        index=entry.index,
        log_id=log.log_id,
    )
    if not log.key.has_signed(entry.promise, message):
        raise InvalidInputError("the log did not sign the time of the entry")
    _passed(trail, 4, "signed by the log")


def _check_number(trail: list[Step], entry: UnverifiedEntry, log: TrustedLog) -> None:
    if entry.index != entry.proof_index and not log.is_sharded:
        raise InvalidInputError(f"entry {entry.index} has the proof of entry {entry.proof_index}")
    if not entry.proof_index < entry.size:
        raise InvalidInputError(f"a tree of {entry.size} has no entry {entry.proof_index}")
    _passed(trail, 5, f"{entry.proof_index} of {entry.size}")


def _check_checkpoint(
    trail: list[Step], entry: UnverifiedEntry, log: TrustedLog
) -> notes.Checkpoint:
    note = notes.parse(entry.checkpoint)
    if not notes.is_signed_by_log(note, log.key):
        raise InvalidInputError("the log did not sign the checkpoint")
    checkpoint = notes.parse_checkpoint(note.text)
    if not log.is_origin(checkpoint.origin):
        raise InvalidInputError(f"the checkpoint is of another log, {checkpoint.origin[:80]!r}")
    if (checkpoint.size, checkpoint.root) != (entry.size, entry.root):
        raise InvalidInputError("the checkpoint is of another tree than the proof")
    _passed(trail, 6, f"{checkpoint.origin}, {checkpoint.size} entries")
    return checkpoint


def _check_inclusion(trail: list[Step], entry: UnverifiedEntry) -> None:
    is_included = merkle.is_included(
        merkle.leaf_hash(entry.body),
        index=entry.proof_index,
        size=entry.size,
        root=entry.root,
        path=entry.path,
    )
    if not is_included:
        raise InvalidInputError("the path does not lead to the root")
    _passed(trail, 7, f"{len(entry.path)} hashes")


def _check_time(trail: list[Step], entry: UnverifiedEntry, now: dt.datetime) -> dt.datetime:
    if entry.integrated_at > (now + MAX_CLOCK_SKEW).timestamp():
        raise InvalidInputError("the entry is from the future")
    moment = dt.datetime.fromtimestamp(entry.integrated_at, dt.UTC)
    _passed(trail, 8, f"{moment:%Y-%m-%d %H:%M:%S}Z")
    return moment


def _passed(trail: list[Step], number: int, detail: str) -> None:
    trail.append(Step(number=number, name=STEPS[number], is_passed=True, detail=detail))


def _number(value: Json, what: str) -> int:
    """Read an int64 as protobuf's JSON writes it: in quotes, or bare."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= merkle.MAX_SIZE:
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value) and int(value) <= merkle.MAX_SIZE:
        return int(value)
    raise InvalidInputError(f"{what} is not a number")


def _object(value: Json, what: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise InvalidInputError(f"{what} must be an object")
    return value
