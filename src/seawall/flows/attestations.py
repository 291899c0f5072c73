"""Collects what is attested of an image of this registry, and has it proven.

Fetching stands here, around `trust.attestations.proof`, which has no I/O. What cannot be fetched or
does not fit the bounds is left out: a missing attestation can only refuse, never admit.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from seawall.core.errors import SeawallError
from seawall.core.limits import MIB
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor
from seawall.oci.names import RepositoryName
from seawall.registry.service import Registry
from seawall.trust import bundle, cosign
from seawall.trust.attestations import envelope, plan, proof
from seawall.trust.attestations.envelope import AttestationFormat, UnverifiedAttestation
from seawall.trust.attestations.proof import AttestationProof, Question, VerifiedAttestation
from seawall.trust.trusted import TrustedKeys

TOTAL_MAX_BYTES: Final = 128 * MIB
"""Of all attestations of one image that are read for one question."""

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestations:
    """Looks at what is attested of images of this registry."""

    registry: Registry
    trusted_keys: TrustedKeys
    hosts: frozenset[str]

    def prove(
        self,
        repository: RepositoryName,
        digest: Digest,
        *,
        now: dt.datetime,
        predicate_type: str | None = None,
    ) -> AttestationProof:
        """Return the numbered proof of what trusted keys attest of exactly this digest."""
        question = Question(
            subject=digest,
            repository=repository,
            now=now,
            predicate_type=predicate_type,
            hosts=self.hosts,
        )
        found = self._found(repository, digest, predicate_type)
        return proof.verify(question, found, self.trusted_keys.for_repository(repository))

    def of_image(
        self,
        repository: RepositoryName,
        digest: Digest,
        members: Sequence[Digest],
        *,
        now: dt.datetime,
        predicate_type: str | None = None,
    ) -> tuple[VerifiedAttestation, ...]:
        """Return what is attested of an image, as evidence for a policy.

        `members` are the manifests of an index that could run here; for a plain image, itself. What
        is attested of the index counts, and what the same key attests of *every* member, by its
        oldest statement.
        """
        own = self.prove(repository, digest, now=now, predicate_type=predicate_type).attestations
        others = [member for member in members if member != digest]
        each = [
            self.prove(repository, member, now=now, predicate_type=predicate_type).attestations
            for member in others
        ]
        return (*own, *_said_of_all(each))

    def _found(
        self, repository: RepositoryName, digest: Digest, predicate_type: str | None
    ) -> Iterator[UnverifiedAttestation]:
        left = TOTAL_MAX_BYTES
        for form, layer, source in self._listed(repository, digest, predicate_type):
            if layer.size > envelope.MAX_BYTES or layer.size > left:
                continue
            left -= layer.size
            with contextlib.suppress(SeawallError):
                content = self.registry.read_blob(repository, layer.digest, layer.size)
                yield UnverifiedAttestation(format=form, content=content, source=source)

    def _listed(
        self, repository: RepositoryName, digest: Digest, predicate_type: str | None
    ) -> Iterator[tuple[AttestationFormat, Descriptor, str]]:
        for layer in self._behind_tag(repository, digest, predicate_type):
            yield AttestationFormat.COSIGN_TAG, layer, "tag .att"
        listed = self.registry.referrers(repository, digest, bundle.MEDIA_TYPE)
        wanted = [one for one in listed if cosign.may_attest(one.annotations, predicate_type)]
        for referrer in wanted[: plan.MAX_ATTESTATIONS]:
            bundled = self._layer(repository, referrer.digest, digest, predicate_type)
            if bundled is not None:
                source = f"referrer {referrer.digest.short}"
                yield AttestationFormat.SIGSTORE_BUNDLE, bundled, source

    def _behind_tag(
        self, repository: RepositoryName, digest: Digest, predicate_type: str | None
    ) -> tuple[Descriptor, ...]:
        with contextlib.suppress(SeawallError):
            tag = plan.attestation_tag(digest)
            manifest = self.registry.manifest_by_target(repository, tag)
            return plan.tag_layers(manifest.content, predicate_type)[: plan.MAX_ATTESTATIONS]
        return ()

    def _layer(
        self,
        repository: RepositoryName,
        referrer: Digest,
        subject: Digest,
        predicate_type: str | None,
    ) -> Descriptor | None:
        with contextlib.suppress(SeawallError):
            manifest = self.registry.manifest(repository, referrer)
            return cosign.attestation_layer(manifest.content, subject, predicate_type)
        return None


def _said_of_all(
    each: Sequence[tuple[VerifiedAttestation, ...]],
) -> Iterator[VerifiedAttestation]:
    """Yield for each type and key that all members share the oldest of their newest statements."""
    newest = [{(one.predicate_type, one.key_id): one for one in _by_age(of)} for of in each]
    if not newest:
        return
    shared = set(newest[0]).intersection(*newest[1:])
    for key in sorted(shared):
        yield next(iter(_by_age(tuple(member[key] for member in newest))))


def _by_age(found: Sequence[VerifiedAttestation]) -> list[VerifiedAttestation]:
    """Sort oldest first; what states no time is older than all."""
    return sorted(found, key=lambda one: (one.signed_at is not None, one.signed_at or _EPOCH))
