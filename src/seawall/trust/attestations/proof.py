"""The proof that a trusted key says something about an image. Pure: bytes and a time in, steps out.

 For the image
  1. keys          at least one trusted key is for this repository
 For each attestation
  2. form          size, strict JSON, base64; one signature in an envelope
  3. algorithm     ECDSA in ASN.1 DER whose numbers fit P-256
  4. signer        it verifies under one of the keys of step 1
  5. statement     only now it is read: in-toto, one subject, one digest, a predicate of its type
  6. type          it is of the type that was asked for, and never a signature
  7. digest        its subject is exactly this digest
  8. repository    where the subject's name is that of an image: this repository
  9. time          where it says when it was made: not in the future
 For the image
 10. attestations  at least one was found, and not too many
 11. signers       enough *different keys* are left

No keys or no attestations mean no. What an attestation says is not judged here: a scan report full
of holes verifies as well as an empty one.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from seawall.core.errors import InvalidInputError, LimitError
from seawall.oci import patterns
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.trust import keys
from seawall.trust.attestations import envelope, kinds, statement
from seawall.trust.attestations.envelope import AttestationFormat, UnverifiedAttestation
from seawall.trust.attestations.plan import MAX_ATTESTATIONS
from seawall.trust.attestations.statement import Statement
from seawall.trust.bundle import Envelope
from seawall.trust.keys import KeyId, PublicKey
from seawall.trust.model import TrustedKey
from seawall.trust.proof import MAX_CLOCK_SKEW
from seawall.trust.trail import Step, StepFailedError, Trail

MAX_FOUND: Final = 2 * MAX_ATTESTATIONS

STEPS: Final = {
    1: "keys",
    2: "form",
    3: "algorithm",
    4: "signer",
    5: "statement",
    6: "type",
    7: "digest",
    8: "repository",
    9: "time",
    10: "attestations",
    11: "signers",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedAttestation:
    """One statement that holds: by a trusted key, about this digest, for this repository."""

    predicate_type: str
    key_id: KeyId
    key_name: str
    digest: Digest
    """Of the image that it is about."""
    payload: Digest
    """Of the statement: the same statement in both forms is one attestation."""
    format: AttestationFormat
    is_bound_to_repository: bool
    signed_at: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationProof:
    """The outcome. `attestations` holds those that count, each statement and key once."""

    is_valid: bool
    attestations: tuple[VerifiedAttestation, ...]
    steps: tuple[Step, ...]
    remedy: str
    """What would make it valid; empty when it is."""

    @property
    def failures(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if not step.is_passed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be proven. `predicate_type` None asks for attestations of any type."""

    subject: Digest
    repository: RepositoryName
    now: dt.datetime
    predicate_type: str | None = None
    hosts: frozenset[str] = frozenset()
    """`host[:port]` names of the registry; empty leaves the host unchecked."""
    required_signers: int = 1


def verify(
    question: Question,
    artifacts: Iterable[UnverifiedAttestation],
    trusted: Sequence[TrustedKey],
    *,
    on_verified: Callable[[VerifiedAttestation, Statement], None] | None = None,
) -> AttestationProof:
    """Prove that trusted keys attest something of `question.subject`.

    `artifacts` are taken one at a time, so that only one of them needs memory. `on_verified` is
    shown what each verified one says. Raises ValueError for a question that cannot be asked; what
    is wrong with an artifact is a step, not an error.
    """
    if question.required_signers < 1 or question.now.tzinfo is None:
        raise ValueError("a proof needs a time with its zone and at least one signer")
    trail = Trail(STEPS)
    found: dict[tuple[KeyId, Digest], VerifiedAttestation] = {}
    with contextlib.suppress(StepFailedError):
        candidates = _candidates(trail, trusted, question.repository)
        for number, artifact in enumerate(_counted(trail, artifacts), 1):
            trail.signature = f"{number} ({artifact.source or artifact.format.value})"
            proven = _prove(trail, artifact, candidates, question)
            trail.signature = ""
            if proven is None:
                continue
            verified, said = proven
            if on_verified is not None and (verified.key_id, verified.payload) not in found:
                on_verified(verified, said)
            found.setdefault((verified.key_id, verified.payload), verified)
        _count(trail, found.values(), question.required_signers)
    return AttestationProof(
        is_valid=trail.is_passed,
        attestations=tuple(found.values()),
        steps=tuple(trail.steps),
        remedy="" if trail.is_passed else _remedy(trail.steps, question.predicate_type),
    )


@dataclass(frozen=True, slots=True)
class _Candidate:
    trusted: TrustedKey
    key: PublicKey


def _candidates(
    trail: Trail, trusted: Sequence[TrustedKey], repository: RepositoryName
) -> list[_Candidate]:
    with trail.step(1) as detail:
        fitting = [
            _Candidate(one, keys.parse_public(one.public_pem))
            for one in trusted
            if any(patterns.is_match(pattern, repository) for pattern in one.patterns)
        ]
        if not fitting:
            raise InvalidInputError(f"no key is trusted for {repository}")
        for candidate in fitting:
            if candidate.key.key_id != candidate.trusted.key_id:
                name = candidate.trusted.name
                raise InvalidInputError(f"the trusted key {name!r} is not the one its id names")
        detail.append(f"{len(fitting)} trusted for {repository}")
    return fitting


def _counted(
    trail: Trail, artifacts: Iterable[UnverifiedAttestation]
) -> Iterator[UnverifiedAttestation]:
    """Hand the artifacts on, and leave step 10 when their number is known."""
    number = 0
    for number, artifact in enumerate(artifacts, 1):
        if number > MAX_FOUND:
            with trail.step(10):
                raise LimitError(f"more than {MAX_FOUND} attestations")
        yield artifact
    with trail.step(10) as detail:
        if not number:
            raise InvalidInputError("the image has no such attestation")
        detail.append(f"{number} found")


def _prove(
    trail: Trail,
    artifact: UnverifiedAttestation,
    candidates: list[_Candidate],
    question: Question,
) -> tuple[VerifiedAttestation, Statement] | None:
    try:
        with trail.step(2) as detail:
            opened = envelope.open_artifact(artifact)
            detail.append(artifact.format.value)
        with trail.step(3) as detail:
            keys.check_signature_form(opened.signature)
            detail.append("ECDSA P-256, SHA-256")
        with trail.step(4) as detail:
            signer = _signer(candidates, opened)
            detail.append(f"{signer.name} ({signer.key_id[:12]})")
        with trail.step(5):
            said = statement.parse(opened.payload)
        with trail.step(6) as detail:
            detail.append(_check_type(said, question))
        with trail.step(7) as detail:
            if said.digest != question.subject:
                raise InvalidInputError(f"it is about {said.digest}, not {question.subject}")
            detail.append(said.digest)
        with trail.step(8) as detail:
            detail.append(_check_repository(said, question))
        with trail.step(9) as detail:
            detail.append(_check_time(said, question.now))
    except StepFailedError:
        return None
    return _verified(artifact, opened, signer, said), said


def _signer(candidates: list[_Candidate], opened: Envelope) -> TrustedKey:
    signed_bytes = opened.signed_bytes
    for candidate in candidates:
        if candidate.key.has_signed(opened.signature, signed_bytes):
            return candidate.trusted
    raise InvalidInputError("it does not verify under any key trusted for this repository")


def _check_type(said: Statement, question: Question) -> str:
    wanted = question.predicate_type
    if wanted is not None and said.predicate_type != wanted:
        raise InvalidInputError(
            f"it is of the type {kinds.name_of(said.predicate_type)[:100]},"
            f" not {kinds.name_of(wanted)}"
        )
    return kinds.name_of(said.predicate_type)


def _check_repository(said: Statement, question: Question) -> str:
    image = said.image
    if image is None:
        return "none named: it binds the digest alone"
    if image.repository != question.repository:
        raise InvalidInputError(f"it is for {image.repository}, not for {question.repository}")
    hosts = {host.lower() for host in question.hosts}
    if hosts and (image.host or "").lower() not in hosts:
        raise InvalidInputError(f"it is for the registry {image.host}, not for this one")
    return f"{image.host}/{image.repository}"


def _check_time(said: Statement, now: dt.datetime) -> str:
    if said.signed_at is None:
        return "none given"
    if said.signed_at > now + MAX_CLOCK_SKEW:
        raise InvalidInputError(f"it says it was made in the future: {said.signed_at:%FT%TZ}")
    return f"{said.signed_at:%FT%TZ}, by the signer's clock"


def _verified(
    artifact: UnverifiedAttestation, opened: Envelope, signer: TrustedKey, said: Statement
) -> VerifiedAttestation:
    return VerifiedAttestation(
        predicate_type=said.predicate_type,
        key_id=signer.key_id,
        key_name=signer.name,
        digest=said.digest,
        payload=Digest.of(opened.payload),
        format=artifact.format,
        is_bound_to_repository=said.image is not None,
        signed_at=said.signed_at,
    )


def _count(trail: Trail, found: Iterable[VerifiedAttestation], required: int) -> None:
    with trail.step(11) as detail:
        names = {one.key_id: one.key_name for one in found}
        counted = f"{len(names)} of {required} required"
        if len(names) < required:
            raise InvalidInputError(counted)
        detail.append(f"{counted}: {', '.join(names.values())}")


def _remedy(steps: Sequence[Step], predicate_type: str | None) -> str:
    kind = kinds.name_of(predicate_type) if predicate_type else "TYPE"
    if any(step.number == 1 and not step.is_passed for step in steps):
        return "trust a key for this repository: seawall key trust FILE.pub"
    return f"let a trusted key attest it: seawall attest IMAGE --type {kind} --predicate FILE"
