"""Which signatures stand in the transparency log, proven from what the bundle itself carries.

Only bundles carry such a proof. The log that is believed is this installation's own; how many
witnesses saw an entry is counted on the newest checkpoint that was co-signed, in which the entry is
proven too. What cannot be proven is not there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from seawall.core.errors import NotFoundError, SeawallError
from seawall.store.watching import WhileUnchanged
from seawall.trust import bundle, keys
from seawall.trust.log import entries, merkle, notes, verify
from seawall.trust.log.transparency import TransparencyLog
from seawall.trust.log.verify import LogProof
from seawall.trust.log.witnesses import Witnesses
from seawall.trust.model import SignatureFormat, TrustedKey, UnverifiedSignature

PLACE_BYTES: Final = 1024
"""Of an entry that is kept, about."""

_Place: TypeAlias = "tuple[tuple[bytes, ...], int | None]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """The proof that a signature is in the log, and how many different witnesses saw it."""

    proof: LogProof
    witnesses: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedSignatures:
    """Looks signatures up in the log. Every method blocks."""

    log: TransparencyLog
    witnesses: Witnesses
    kept: WhileUnchanged[_Place, int]
    """How many witnesses saw an entry that our log holds. The log only grows, so an entry that is
    there stays, under its number; witnesses and what they co-sign change with events. What is not
    there is looked for again each time."""

    def prove(
        self, artifact: UnverifiedSignature, signer: TrustedKey, *, now: dt.datetime
    ) -> Logged | None:
        """Prove that the log holds this signature; None for a form that cannot say so."""
        if artifact.format is not SignatureFormat.SIGSTORE_BUNDLE:
            return None
        items = bundle.log_entries(artifact.content)
        envelope = bundle.parse(artifact.content)
        found = verify.verify_any(
            items,
            envelope=entries.SignedEnvelope(
                payload=envelope.payload,
                payload_type=bundle.PAYLOAD_TYPE,
                signature=envelope.signature,
            ),
            signer=keys.parse_public(signer.public_pem),
            logs=(self.log.trusted,),
            now=now,
        )
        if not found.is_valid:
            return Logged(proof=found)
        leaves = tuple(merkle.leaf_hash(verify.UnverifiedEntry.parse(one).body) for one in items)
        place = leaves, found.index
        try:
            witnesses = self.kept.get(
                place, lambda: self._seen(*place), weigh=lambda _: PLACE_BYTES
            )
        except NotFoundError:
            return Logged(proof=_forked(found))
        return Logged(proof=found, witnesses=witnesses)

    def _seen(self, leaves: Sequence[bytes], index: int | None) -> int:
        """Count the witnesses of the entry. Raises NotFoundError when our log does not hold it: a
        proof that leads to another tree under our key is a fork."""
        if not self._holds(leaves, index):
            raise NotFoundError("the log of this installation has no such entry")
        return self._witnesses(leaves, index)

    def _holds(self, leaves: Sequence[bytes], index: int | None) -> bool:
        """Tell whether our own log has one of these at this number."""
        for leaf in leaves:
            with contextlib.suppress(NotFoundError):
                if self.log.find(leaf) == index:
                    return True
        return False

    def _witnesses(self, leaves: Sequence[bytes], index: int | None) -> int:
        """Count the witnesses of a checkpoint that provably holds the entry."""
        known = self.witnesses.list()
        if not known:
            return 0
        try:
            note = self.log.witnessed_checkpoint()
            seen = notes.parse_checkpoint(note.text)
            if index is None or not notes.is_signed_by_log(note, self.log.trusted.key):
                return 0
            path = self.log.prove_inclusion(index, seen.size)
        except SeawallError:
            return 0
        is_seen = any(
            merkle.is_included(leaf, index=index, size=seen.size, root=seen.root, path=path)
            for leaf in leaves
        )
        return sum(
            any(notes.cosigned_at(note.text, line, key) for line in note.signatures)
            for key in (known if is_seen else ())
        )


def _forked(proof: LogProof) -> LogProof:
    """Return the proof as a failed one: it holds, but not in the log that we keep."""
    last = proof.steps[-1]
    told = "the proof leads to another tree than the log of this installation: a fork"
    number = next(number for number, name in verify.STEPS.items() if name == "inclusion")
    before = tuple(step for step in proof.steps if step.number < number)
    failed = dataclasses.replace(
        last, number=number, name="inclusion", is_passed=False, detail=told
    )
    return LogProof(is_valid=False, steps=(*before, failed))
