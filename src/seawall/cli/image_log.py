"""Whether the log holds the signatures that count, and is the one log that everybody sees.

The entry is proven from the bundle (`trust.log.verify`); then the log itself has to prove that its
present tree grew from that of the bundle, and from what was remembered of it: an entry in a fork
has a perfect proof of its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from seawall.cli.image_judging import Judged
from seawall.cli.log_sources import Source
from seawall.core.errors import SeawallError, UnavailableError
from seawall.trust import bundle, keys
from seawall.trust.log import entries, following, verify
from seawall.trust.log.notes import Checkpoint
from seawall.trust.log.trusted_roots import TrustedLog
from seawall.trust.log.verify import LogProof
from seawall.trust.model import SignatureFormat, TrustedKey, UnverifiedSignature
from seawall.trust.trail import Step

STEPS: Final = {**verify.STEPS, max(verify.STEPS) + 1: "one log"}
ONE_LOG: Final = max(STEPS)
REMEDY: Final = "do not use it before somebody has looked at the log: seawall log verify"
SIGN_REMEDY: Final = "let it be signed into the log: seawall sign IMAGE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The signatures of an image, those that count, and how many signers must be in the log."""

    signatures: Sequence[UnverifiedSignature]
    judged: Judged
    keys: Sequence[TrustedKey]
    signers: int
    now: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLogProof:
    """The outcome."""

    is_valid: bool
    steps: tuple[Step, ...]
    remedy: str = ""


def prove(wanted: Wanted, log: TrustedLog, source: Source | None) -> ImageLogProof:
    """Prove the entries in `log`, and that `source` shows one tree; None: there is no network."""
    steps: list[Step] = []
    logged: set[str] = set()
    for number, signer, found in _proofs(wanted, log):
        last = _one_log(found, source) if found.is_valid else None
        steps += _shown(number, found, last)
        if last is not None and last.is_passed:
            logged.add(signer)
        if last is not None and not last.is_passed:
            return ImageLogProof(is_valid=False, steps=tuple(steps), remedy=REMEDY)
    is_valid = len(logged) >= wanted.signers
    if not steps:
        steps.append(
            Step(number=1, name=STEPS[1], is_passed=False, detail="no signature names an entry")
        )
    return ImageLogProof(
        is_valid=is_valid, steps=tuple(steps), remedy="" if is_valid else SIGN_REMEDY
    )


def _proofs(wanted: Wanted, log: TrustedLog) -> Iterator[tuple[int, str, LogProof]]:
    by_id = {key.key_id: key for key in wanted.keys}
    for number, signature in wanted.judged.proof.every:
        artifact, key = wanted.signatures[number - 1], by_id.get(signature.public_key_id)
        if key is None or artifact.format is not SignatureFormat.SIGSTORE_BUNDLE:
            continue
        envelope = bundle.parse(artifact.content)
        found = verify.verify_any(
            bundle.log_entries(artifact.content),
            envelope=entries.SignedEnvelope(
                payload=envelope.payload,
                payload_type=bundle.PAYLOAD_TYPE,
                signature=envelope.signature,
            ),
            signer=keys.parse_public(key.public_pem),
            logs=(log,),
            now=wanted.now,
        )
        yield number, signature.key_id, found


def _one_log(found: LogProof, source: Source | None) -> Step:
    if source is None or found.checkpoint is None:
        return Step(
            number=ONE_LOG, name=STEPS[ONE_LOG], is_passed=True, detail="not asked: no network"
        )
    try:
        size, is_passed = _grown(source, found.checkpoint), True
        detail = f"{size} entries"
    except UnavailableError:
        raise
    except SeawallError as error:
        detail, is_passed = error.message, False
    return Step(number=ONE_LOG, name=STEPS[ONE_LOG], is_passed=is_passed, detail=detail)


def _grown(source: Source, shown: Checkpoint) -> int:
    """Have the log prove that it grew from all that was seen of it; return its present size."""
    note = source.reading.checkpoint()
    present = following.check(note, source.log)
    trees: list[following.Seen] = [shown]
    if source.remembered is not None:
        trees.insert(0, source.remembered.memory)
    for seen in trees:
        following.check_growth(seen, present)
        if seen.size:
            path = source.reading.consistency(seen.size, present.size)
            following.check_consistency(seen, note, source.log, path)
    return present.size


def _shown(number: int, found: LogProof, last: Step | None) -> list[Step]:
    steps = found.steps if last is None else (*found.steps, last)
    return [replace(step, signature=str(number)) for step in steps]
