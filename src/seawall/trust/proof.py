"""The proof that trusted people vouch for an image. Pure: bytes and a time in, steps out.

Fetching stands around this module. Every step leaves a numbered line; the first one that fails
ends the look at that signature:

 For the image
  1. keys        at least one trusted key or authority is for this repository
  2. signatures  at least one signature was found, and not too many
 For each signature
  3. form        size, strict JSON, types, base64; one signature in an envelope
  4. algorithm   ECDSA in ASN.1 DER whose numbers fit P-256, the only kind of key we trust; with
                 a certificate: the algorithm of its key, and no other
  5. signer      it verifies under one of the keys of step 1 (hints in it are not believed); with
                 a certificate: its chain holds, and leads to one of the keys or authorities of
                 step 1 and to an identity trusted there (`notation.signer`, `sigstore.signer`)
  6. payload     only now it is read: strict JSON, and a signature *for* an image
  7. digest      it names exactly this digest
  8. repository  it names this repository; stock cosign's bundles name none, see below
  9. tag         where it names a tag and the image was asked for by tag: this tag
 10. time        where it says when it was made: not in the future; and when it ends: not yet
 For the image
 11. signers     enough *different signers* are left; two signatures by one key count once, and
                 so do two by one person whom an authority names

Decisions. A payload that names no repository is accepted as a binding to the digest alone: the
formats of the field allow it, and `VerifiedSignature.is_bound_to_repository` says so to whoever
wants more. What a payload does name must fit. The host in it is checked only when the caller gives
the `hosts` under which the registry is reached, since one registry has many names. High-S
signatures are accepted, because stock clients make them.

No keys or no signatures mean no: a check that cannot run has failed.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from seawall.core.errors import InvalidInputError, LimitError
from seawall.oci import patterns
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName, Tag
from seawall.trust import keys, model, payloads
from seawall.trust.keys import KeyId, PublicKey
from seawall.trust.model import (
    Claims,
    Signatory,
    TrustedAuthority,
    TrustedKey,
    UnverifiedSignature,
    VerifiedSignature,
)
from seawall.trust.notation import signer as notation_signer
from seawall.trust.payloads import Opened
from seawall.trust.sigstore import signer as sigstore_signer
from seawall.trust.trail import Step, StepFailedError, Trail

MAX_SIGNATURES: Final = model.MAX_SIGNATURES

MAX_CLOCK_SKEW: Final = dt.timedelta(minutes=5)

STEPS: Final = {
    1: "keys",
    2: "signatures",
    3: "form",
    4: "algorithm",
    5: "signer",
    6: "payload",
    7: "digest",
    8: "repository",
    9: "tag",
    10: "time",
    11: "signers",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The outcome. `signatures` holds those that count, one for each key."""

    is_valid: bool
    signatures: tuple[VerifiedSignature, ...]
    steps: tuple[Step, ...]
    remedy: str
    """What would make it valid; empty when it is."""
    every: tuple[tuple[int, VerifiedSignature], ...] = ()
    """Each signature that holds, with the number of its artifact, counted from 1."""

    @property
    def signers(self) -> tuple[KeyId, ...]:
        return tuple(signature.key_id for signature in self.signatures)

    @property
    def failures(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if not step.is_passed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    digest: Digest
    repository: RepositoryName
    tag: Tag | None
    hosts: frozenset[str]
    now: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidates:
    keys: tuple[tuple[TrustedKey, PublicKey], ...]
    authorities: tuple[TrustedAuthority, ...]


def verify(
    subject: Digest,
    *,
    repository: RepositoryName,
    tag: Tag | None,
    artifacts: Sequence[UnverifiedSignature],
    keys: Sequence[TrustedKey],
    now: dt.datetime,
    authorities: Sequence[TrustedAuthority] = (),
    hosts: frozenset[str] = frozenset(),
    required_signers: int = 1,
) -> Proof:
    """Prove that trusted signers signed `subject` as an image of `repository`.

    `tag` is the tag under which the image was asked for, None for a pull by digest. `keys` and
    `authorities` may hold such for other repositories: their patterns are applied here. `hosts`
    are `host[:port]` names of the registry, empty to leave the host unchecked. Raises ValueError
    for a `now` without time zone or fewer than one required signer; what is wrong with an artifact
    is a step, not an error.
    """
    if required_signers < 1 or now.tzinfo is None:
        raise ValueError("a proof needs a time with its zone and at least one signer")
    lowered = frozenset(host.lower() for host in hosts)
    wanted = _Wanted(digest=subject, repository=repository, tag=tag, hosts=lowered, now=now)
    trail = Trail(STEPS)
    by_key: dict[KeyId, VerifiedSignature] = {}
    every: list[tuple[int, VerifiedSignature]] = []
    with contextlib.suppress(StepFailedError):
        candidates = _candidates(trail, keys, authorities, repository)
        _check_signatures(trail, artifacts)
        for number, artifact in enumerate(artifacts, 1):
            trail.signature = f"{number} ({artifact.source or artifact.format.value})"
            found = _prove(trail, artifact, candidates, wanted)
            if found is not None:
                every.append((number, found))
                _keep_the_stronger(by_key, found)
        trail.signature = ""
        _count(trail, by_key, required_signers)
    return Proof(
        is_valid=trail.is_passed,
        signatures=tuple(by_key.values()),
        steps=tuple(trail.steps),
        remedy="" if trail.is_passed else _remedy(trail.steps),
        every=tuple(every),
    )


def _candidates(
    trail: Trail,
    trusted: Sequence[TrustedKey],
    authorities: Sequence[TrustedAuthority],
    repository: RepositoryName,
) -> _Candidates:
    with trail.step(1) as detail:
        fitting = [key for key in trusted if _is_for(key.patterns, repository)]
        ours = [one for one in authorities if _is_for(one.patterns, repository)]
        if not fitting and not ours:
            raise InvalidInputError(f"no key is trusted for {repository}")
        candidates = _Candidates(
            keys=tuple((key, _parse_key(key)) for key in fitting), authorities=tuple(ours)
        )
        found = [_count_of(fitting, "key")] if fitting or not ours else []
        if ours:
            found.append(", ".join(f"authority {one.name}" for one in ours))
        detail.append(f"{' and '.join(found)} trusted for {repository}")
    return candidates


def _is_for(wanted: Sequence[str], repository: RepositoryName) -> bool:
    return any(patterns.is_match(pattern, repository) for pattern in wanted)


def _parse_key(trusted: TrustedKey) -> PublicKey:
    key = keys.parse_public(trusted.public_pem)
    if key.key_id != trusted.key_id:
        raise InvalidInputError(f"the trusted key {trusted.name!r} is not the one its id names")
    return key


def _check_signatures(trail: Trail, artifacts: Sequence[UnverifiedSignature]) -> None:
    with trail.step(2) as detail:
        if not artifacts:
            raise InvalidInputError("the image has no signature")
        if len(artifacts) > MAX_SIGNATURES:
            raise LimitError(f"{len(artifacts)} signatures, more than {MAX_SIGNATURES}")
        detail.append(f"{_count_of(artifacts, 'signature')} found")


def _prove(
    trail: Trail, artifact: UnverifiedSignature, candidates: _Candidates, wanted: _Wanted
) -> VerifiedSignature | None:
    try:
        with trail.step(3) as detail:
            opened = payloads.open_artifact(artifact)
            detail.append(artifact.format.value)
        with trail.step(4) as detail:
            detail.append(_check_algorithm(opened))
        with trail.step(5) as detail:
            signer = _signer(candidates, opened, wanted.now)
            detail.append(_name_of(signer))
        with trail.step(6):
            claims = payloads.read(artifact.format, opened.payload)
        with trail.step(7) as detail:
            _check_digest(claims, wanted)
            detail.append(wanted.digest)
        with trail.step(8) as detail:
            detail.append(_check_repository(claims, wanted))
        with trail.step(9) as detail:
            detail.append(_check_tag(claims, wanted))
        with trail.step(10) as detail:
            detail.append(_check_time(claims, opened, wanted))
    except StepFailedError:
        return None
    return VerifiedSignature(
        key_id=signer.key_id,
        key_name=signer.name,
        format=artifact.format,
        digest=claims.digest,
        is_bound_to_repository=claims.image is not None,
        tag=claims.image.tag if claims.image else None,
        signed_at=_signed_at(claims, opened),
        public_key_id=signer.public_key_id,
        authority=signer.authority,
    )


def _check_algorithm(opened: Opened) -> str:
    if opened.envelope is not None:
        return notation_signer.check_algorithm(opened.envelope)
    keys.check_signature_form(opened.signature)
    return "ECDSA P-256, SHA-256"


def _signer(candidates: _Candidates, opened: Opened, now: dt.datetime) -> Signatory:
    if opened.envelope is not None:
        return notation_signer.find(opened.envelope, candidates.keys, candidates.authorities, now)
    for trusted, key in candidates.keys:
        if key.has_signed(opened.signature, opened.signed_bytes):
            return Signatory(key_id=key.key_id, name=trusted.name, public_key_id=key.key_id)
    if opened.material is not None:
        signed = sigstore_signer.Signed(
            payload=opened.payload, message=opened.signed_bytes, signature=opened.signature
        )
        return sigstore_signer.find(signed, opened.material, candidates.authorities, now)
    raise InvalidInputError("it does not verify under any key trusted for this repository")


def _name_of(signer: Signatory) -> str:
    if signer.authority:
        return f"{signer.name}, named by {signer.authority}"
    return f"{signer.name} ({signer.key_id[:12]})"


def _check_digest(claims: Claims, wanted: _Wanted) -> None:
    named = claims.image.digest if claims.image else None
    for digest in (claims.digest, named or claims.digest):
        if digest != wanted.digest:
            raise InvalidInputError(f"it is for {digest}, not for {wanted.digest}")


def _check_repository(claims: Claims, wanted: _Wanted) -> str:
    image = claims.image
    if image is None:
        return "none named: it binds the digest alone"
    if image.repository != wanted.repository:
        raise InvalidInputError(f"it is for {image.repository}, not for {wanted.repository}")
    if wanted.hosts and (image.host or "").lower() not in wanted.hosts:
        raise InvalidInputError(f"it is for the registry {image.host}, not for this one")
    return image.repository if image.host is None else f"{image.host}/{image.repository}"


def _check_tag(claims: Claims, wanted: _Wanted) -> str:
    tag = claims.image.tag if claims.image else None
    if tag is None:
        return "none named"
    if wanted.tag is not None and tag != wanted.tag:
        raise InvalidInputError(f"it is for the tag {tag}, not for {wanted.tag}")
    return tag


def _check_time(claims: Claims, opened: Opened, wanted: _Wanted) -> str:
    signed_at = _signed_at(claims, opened)
    ends_at = opened.envelope.attributes.expires_at if opened.envelope else None
    if ends_at is not None and wanted.now >= ends_at:
        raise InvalidInputError(f"it expired at {ends_at:%FT%TZ}")
    if signed_at is None:
        return "none given"
    if signed_at > wanted.now + MAX_CLOCK_SKEW:
        raise InvalidInputError(f"it says it was made in the future: {signed_at:%FT%TZ}")
    return f"{signed_at:%FT%TZ}, by the signer's clock"


def _signed_at(claims: Claims, opened: Opened) -> dt.datetime | None:
    return opened.envelope.attributes.signed_at if opened.envelope else claims.signed_at


def _keep_the_stronger(by_key: dict[KeyId, VerifiedSignature], found: VerifiedSignature) -> None:
    known = by_key.get(found.key_id)
    if known is None and any(one.public_key_id == found.public_key_id for one in by_key.values()):
        return  # one key under two names
    if known is None or (found.is_bound_to_repository and not known.is_bound_to_repository):
        by_key[found.key_id] = found


def _count(trail: Trail, by_key: dict[KeyId, VerifiedSignature], required: int) -> None:
    with trail.step(11) as detail:
        if len(by_key) < required:
            raise InvalidInputError(f"{_count_of(by_key, 'signer')} of {required} required")
        names = ", ".join(signature.key_name for signature in by_key.values())
        detail.append(f"{_count_of(by_key, 'signer')} of {required} required: {names}")


def _remedy(steps: list[Step]) -> str:
    numbers = {step.number for step in steps if not step.is_passed}
    if 1 in numbers:
        return "trust a key for this repository: seawall key trust FILE.pub"
    if 2 in numbers and not any(step.number == 11 for step in steps):
        return "let the image be signed: seawall sign IMAGE --key FILE"
    if 9 in numbers:
        return "sign the image under this tag: seawall sign IMAGE --key FILE"
    return "let somebody whose key is trusted for this repository sign it: seawall sign IMAGE"


def _count_of(things: Sequence[object] | dict[KeyId, VerifiedSignature], noun: str) -> str:
    return f"{len(things)} {noun}" if len(things) == 1 else f"{len(things)} {noun}s"
