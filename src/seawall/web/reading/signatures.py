"""The numbered proof, sorted by signature: what the page shows of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seawall.trust.attestations import kinds
from seawall.trust.attestations.proof import VerifiedAttestation
from seawall.trust.model import TrustedKey, UnverifiedSignature
from seawall.trust.proof import STEPS, Proof
from seawall.trust.trail import Step
from seawall.web import views
from seawall.web.views import Outcome

UNKNOWN_KEY: Final = "unknown key"

FORM, SIGNER, FIRST_OWN, LAST_OWN = 3, 5, 3, 10
"""Numbers of steps in `trust.proof`: 3 to 10 are about one signature, the others about all."""

_FORMS: Final = {
    "cosign-tag": "cosign, behind a tag",
    "cosign-att-tag": "cosign, behind a tag",
    "sigstore-bundle": "Sigstore bundle",
}


def of_proof(
    proof: Proof, keys: Sequence[TrustedKey], artifacts: Sequence[UnverifiedSignature]
) -> tuple[views.Signature, ...]:
    """Return the signatures that were looked at, each with all steps of its proof.

    `artifacts` are shown unproven when the proof ended before it came to them.
    """
    around = [step for step in proof.steps if not step.signature]
    names = list(dict.fromkeys(step.signature for step in proof.steps if step.signature))
    if not names:
        return tuple(_unproven(one, around) for one in artifacts)
    return tuple(
        _signature([step for step in proof.steps if step.signature == name], around, keys)
        for name in names
    )


def of_attestation(found: VerifiedAttestation) -> views.Attestation:
    """Return what the page shows of an attestation that verified."""
    return views.Attestation(
        kind=kinds.name_of(found.predicate_type),
        key=found.key_name,
        fingerprint=found.key_id,
        form=_FORMS.get(found.format, found.format),
        signed_at=found.signed_at,
    )


def _signature(
    own: Sequence[Step], around: Sequence[Step], keys: Sequence[TrustedKey]
) -> views.Signature:
    steps = {step.number: step for step in own}
    key = _key(steps.get(SIGNER), keys)
    form = steps.get(FORM)
    # The last step asks whether enough others signed too: it says nothing about this signature.
    is_valid = LAST_OWN in steps and all(step.is_passed for step in own)
    return views.Signature(
        key=key.name if key else UNKNOWN_KEY,
        fingerprint=key.key_id if key else "",
        form=_FORMS.get(form.detail, form.detail) if form and form.is_passed else "not readable",
        signed_at=None,  # neither form proves a time; step 10 tells what the signer says
        outcome=Outcome.ALLOWED if is_valid else Outcome.REFUSED,
        steps=_steps([*around, *own]),
        public_key=key.public_pem.decode("ascii", "replace") if key else "",
    )


def _unproven(artifact: UnverifiedSignature, around: Sequence[Step]) -> views.Signature:
    return views.Signature(
        key=UNKNOWN_KEY,
        fingerprint="",
        form=_FORMS.get(artifact.format.value, artifact.format.value),
        signed_at=None,
        outcome=Outcome.REFUSED,
        steps=_steps(around),
    )


def _key(step: Step | None, keys: Sequence[TrustedKey]) -> TrustedKey | None:
    """Return the key that step 5 found; it names it in exactly this way."""
    if step is None or not step.is_passed:
        return None
    return next((k for k in keys if step.detail == f"{k.name} ({k.key_id[:12]})"), None)


def _steps(found: Sequence[Step]) -> tuple[views.ProofStep, ...]:
    """Return every step in order; those that were not reached are pending."""
    by_number = {step.number: step for step in found}
    return tuple(
        views.ProofStep(
            number=number,
            text=_text(name, by_number.get(number)),
            outcome=_outcome(by_number.get(number)),
        )
        for number, name in STEPS.items()
    )


def _text(name: str, step: Step | None) -> str:
    return f"{name}: {step.detail}" if step is not None and step.detail else name


def _outcome(step: Step | None) -> Outcome:
    if step is None:
        return Outcome.PENDING
    return Outcome.ALLOWED if step.is_passed else Outcome.REFUSED
