"""`seawall verify --attestation TYPE`: prove, step by step, who says what about an image."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seawall.cli import _registry_options, image_attestations, local
from seawall.core import strictjson
from seawall.core.errors import InvalidInputError
from seawall.oci.digest import Digest
from seawall.trust.attestations import kinds
from seawall.trust.attestations.proof import Question, VerifiedAttestation
from seawall.trust.attestations.statement import Statement

if TYPE_CHECKING:
    from seawall.cli.image_attestations import Judged
    from seawall.config import Settings
    from seawall.oci.names import Reference
    from seawall.trust.model import TrustedKey

ANY: Final = "any"


def run(
    options: argparse.Namespace,
    settings: Settings,
    trusted: list[TrustedKey],
    hosts: frozenset[str],
) -> int:
    """Prove it, print the steps or JSON; with `--predicate-to`, keep what the newest one says."""
    image = _registry_options.reference(options)
    predicate_type = None if options.attestation == ANY else kinds.parse(options.attestation)
    now = dt.datetime.now(dt.UTC)
    newest = _Newest()

    def question(digest: Digest) -> Question:
        return Question(
            subject=digest,
            repository=image.repository,
            now=now,
            predicate_type=predicate_type,
            hosts=hosts,
            required_signers=options.signers,
        )

    with _registry_options.open_client(options, image, settings) as client:
        judged = image_attestations.verify(
            client, image, trusted, question, on_verified=newest.offer
        )
    if options.predicate_to is not None and judged.proof.is_valid:
        _keep(newest, options.predicate_to)
    if options.json:
        print(json.dumps(_document(image, judged), ensure_ascii=False))
    else:
        _print(image, judged)
    return 0 if judged.proof.is_valid else 1


class _Newest:
    """The statement that was signed last, by its signer's clock; those without a time are older."""

    def __init__(self) -> None:
        self.statement: Statement | None = None

    def offer(self, _: VerifiedAttestation, said: Statement) -> None:
        if self.statement is None or _time(said) >= _time(self.statement):
            self.statement = said


def _time(said: Statement) -> dt.datetime:
    return said.signed_at or dt.datetime.min.replace(tzinfo=dt.UTC)


def _keep(newest: _Newest, path: Path) -> None:
    said = newest.statement
    assert said is not None  # the proof is valid, so one was verified
    content = strictjson.encode(said.predicate) + b"\n"
    if path == Path("-"):
        raise InvalidInputError("--predicate-to needs a file", remedy="the proof is printed")
    path.write_bytes(content)


def _print(image: Reference, judged: Judged) -> None:
    proof = judged.proof
    print(f"{image.host}/{image.repository}@{judged.digest}")
    about = ""
    for step in proof.steps:
        if step.signature != about and step.signature:
            print(f"  attestation {local.printable(step.signature)}")
        about = step.signature
        mark = "ok" if step.is_passed else "NO"
        line = f"  {step.number:>2}  {step.name:<12}  {mark}  {local.printable(step.detail)}"
        print(line.rstrip())
    if not proof.is_valid:
        print(f"NOT VERIFIED: {proof.remedy}")
        return
    for one in proof.attestations:
        kind = local.printable(kinds.name_of(one.predicate_type))
        print(f"VERIFIED: {kind} by {one.key_name} ({one.key_id[:12]})")


def _document(image: Reference, judged: Judged) -> dict[str, object]:
    proof = judged.proof
    return {
        "image": str(image),
        "digest": judged.digest,
        "is_valid": proof.is_valid,
        "remedy": proof.remedy,
        "attestations": [
            {
                "predicate_type": one.predicate_type,
                "key_id": one.key_id,
                "name": one.key_name,
                "format": one.format.value,
                "statement": one.payload,
                "is_bound_to_repository": one.is_bound_to_repository,
                "signed_at": one.signed_at.isoformat() if one.signed_at else None,
            }
            for one in proof.attestations
        ],
        "steps": [
            {
                "number": step.number,
                "name": step.name,
                "is_passed": step.is_passed,
                "detail": step.detail,
                "attestation": step.signature,
            }
            for step in proof.steps
        ],
    }
