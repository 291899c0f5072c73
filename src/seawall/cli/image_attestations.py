"""Attestations of an image in a registry: find them, prove them, add ours.

The I/O that stands around `trust.attestations`, over one `RegistryClient`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from seawall.cli import image_signatures
from seawall.cli.registry_client import RegistryClient
from seawall.core import limits, strictjson
from seawall.core.errors import ConflictError, SeawallError, UnavailableError
from seawall.core.strictjson import Json
from seawall.oci import media
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor
from seawall.oci.names import Reference, RepositoryName
from seawall.trust import bundle, cosign
from seawall.trust.attestations import envelope, kinds, plan, proof, statement
from seawall.trust.attestations.envelope import AttestationFormat, UnverifiedAttestation
from seawall.trust.attestations.proof import AttestationProof, Question, VerifiedAttestation
from seawall.trust.attestations.statement import Statement
from seawall.trust.model import TrustedKey
from seawall.trust.signing import Signer

LOGGED_MAX_BYTES: Final = 2 * limits.MIB
"""A larger statement is not sent to the transparency log."""

MAX_ATTEMPTS: Final = 4
"""Rounds of pushing and looking before attesting gives up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicate:
    """What is to be said, and of which type."""

    predicate_type: str
    content: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """One attestation that stands now; `is_new` is False when this key had made it before."""

    digest: Digest
    predicate_type: str
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The proof for one image."""

    digest: Digest
    proof: AttestationProof


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestor:
    """Attests with one key in one repository."""

    client: RegistryClient
    reference: Reference
    signer: Signer
    now: dt.datetime
    log: bundle.Log | None = None
    """Enters each new attestation into a transparency log."""

    def attest(self, target: Descriptor, predicate: Predicate) -> Attested:
        """Say `predicate` about `target`, in both forms; saying it again changes nothing.

        The key is used once at most. Raises ConflictError when the registry does not keep it.
        """
        kind = predicate.predicate_type
        kinds.check(kind, predicate.content)
        signed: plan.SignedStatement | None = None
        for _ in range(MAX_ATTEMPTS):
            there = self._forms_there(target.digest, predicate)
            missing = [form for form in AttestationFormat if form not in there]
            if not missing:
                is_new = signed is not None
                return Attested(digest=target.digest, predicate_type=kind, is_new=is_new)
            signed = signed or self._sign(target, predicate)
            for form in missing:
                self._push(target, signed, form)
        raise ConflictError(
            f"the registry does not keep the attestation of {target.digest}",
            remedy="somebody else may be attesting at this moment: try again",
        )

    def _forms_there(self, subject: Digest, predicate: Predicate) -> set[AttestationFormat]:
        """Return the forms in which this key says the same of the same image already."""
        said, kind = strictjson.encode(predicate.content), predicate.predicate_type
        return {
            artifact.format
            for artifact in collect(self.client, self.reference.repository, subject, kind)
            if _says(artifact, subject, kind, said, self.signer)
        }

    def _sign(self, target: Descriptor, predicate: Predicate) -> plan.SignedStatement:
        kind = predicate.predicate_type
        payload = statement.build(target.digest, self.reference, kind, predicate.content, self.now)
        return plan.sign(payload, kind, self.signer)

    def _push(
        self, target: Descriptor, signed: plan.SignedStatement, form: AttestationFormat
    ) -> None:
        repository = self.reference.repository
        match form:
            case AttestationFormat.COSIGN_TAG:
                behind = self.client.find_manifest(repository, plan.attestation_tag(target.digest))
                content = behind.content if behind else None
                uploads = plan.for_tag(target.digest, signed, content)
            case AttestationFormat.SIGSTORE_BUNDLE:
                uploads = plan.for_bundle(target, signed, self.now, self._log_entries(signed))
            case other:
                assert_never(other)
        image_signatures.push(self.client, repository, uploads)

    def _log_entries(self, signed: plan.SignedStatement) -> Sequence[Json]:
        if self.log is None or len(signed.payload) > LOGGED_MAX_BYTES:
            return ()
        return self.log(envelope.to_json(signed.payload, signed.signature), signed.key)


def verify(
    client: RegistryClient,
    reference: Reference,
    trusted: Sequence[TrustedKey],
    question: Callable[[Digest], Question],
    *,
    on_verified: Callable[[VerifiedAttestation, Statement], None] | None = None,
) -> Judged:
    """Resolve the image once and prove what trusted keys attest of it."""
    image = client.get_manifest(reference.repository, reference.target)
    asked = question(image.digest)
    found = collect(client, reference.repository, image.digest, asked.predicate_type)
    outcome = proof.verify(asked, found, trusted, on_verified=on_verified)
    return Judged(digest=image.digest, proof=outcome)


def collect(
    client: RegistryClient,
    repository: RepositoryName,
    subject: Digest,
    predicate_type: str | None = None,
) -> Iterator[UnverifiedAttestation]:
    """Fetch, one after the other, all that claims to be an attestation of `subject`, both ways.

    One that cannot be had is kept as an empty one, so that the proof shows it as failed.
    """
    behind_tag = client.find_manifest(repository, plan.attestation_tag(subject))
    if behind_tag is not None:
        yield from _behind_tag(client, repository, behind_tag.content, predicate_type)
    yield from _referring(client, repository, subject, predicate_type)


def _behind_tag(
    client: RegistryClient,
    repository: RepositoryName,
    tag_manifest: bytes,
    predicate_type: str | None,
) -> Iterator[UnverifiedAttestation]:
    form, source = AttestationFormat.COSIGN_TAG, "tag .att"
    try:
        layers = plan.tag_layers(tag_manifest, predicate_type)
    except SeawallError as error:
        yield _broken(form, source, error)
        return
    for layer in layers[: plan.MAX_ATTESTATIONS + 1]:
        yield _fetched(client, repository, layer.digest, form, source)


def _referring(
    client: RegistryClient,
    repository: RepositoryName,
    subject: Digest,
    predicate_type: str | None,
) -> Iterator[UnverifiedAttestation]:
    form = AttestationFormat.SIGSTORE_BUNDLE
    listed = [
        entry
        for entry in image_signatures.referring(client, repository, subject)
        if entry.media_type == media.OCI_MANIFEST
        and cosign.may_be_bundle(entry)
        and cosign.may_attest(entry.annotations, predicate_type)
    ]
    for entry in listed[: plan.MAX_ATTESTATIONS + 1]:
        source = f"referrer {entry.digest.short}"
        try:
            manifest = client.get_manifest(repository, entry.digest)
            layer = cosign.attestation_layer(manifest.content, subject, predicate_type)
        except UnavailableError:
            raise
        except SeawallError as error:
            yield _broken(form, source, error)
            continue
        if layer is not None:
            yield _fetched(client, repository, layer.digest, form, source)


def _fetched(
    client: RegistryClient,
    repository: RepositoryName,
    digest: Digest,
    form: AttestationFormat,
    source: str,
) -> UnverifiedAttestation:
    try:
        content = client.get_blob(repository, digest, max_bytes=envelope.MAX_BYTES)
    except UnavailableError:
        raise
    except SeawallError as error:
        return _broken(form, source, error)
    return UnverifiedAttestation(format=form, content=content, source=source)


def _says(
    artifact: UnverifiedAttestation, subject: Digest, kind: str, said: bytes, signer: Signer
) -> bool:
    try:
        opened = envelope.open_artifact(artifact)
        if not signer.public.has_signed(opened.signature, opened.signed_bytes):
            return False
        found = statement.parse(opened.payload)
    except SeawallError:
        return False  # somebody else's broken attestation is no reason not to attest
    is_same = found.digest == subject and found.predicate_type == kind
    return is_same and strictjson.encode(found.predicate) == said


def _broken(form: AttestationFormat, source: str, error: SeawallError) -> UnverifiedAttestation:
    return UnverifiedAttestation(format=form, content=b"", source=f"{source}, {error.message}")
