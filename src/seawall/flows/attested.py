"""Collects the attestations of an image from the registry and has them proven.

They may be large, so they are fetched one at a time, and only where a policy asks for them. What
cannot be fetched is left out: a missing statement can only refuse.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from seawall.core.errors import SeawallError
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.registry.service import Registry
from seawall.trust import bundle, cosign
from seawall.trust.attestations import envelope, plan, proof
from seawall.trust.attestations.envelope import AttestationFormat, UnverifiedAttestation
from seawall.trust.attestations.proof import AttestationProof, Question
from seawall.trust.trusted import TrustedKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestations:
    """Looks at what is attested of an image of this registry. Every method blocks."""

    registry: Registry
    trusted_keys: TrustedKeys
    hosts: frozenset[str]

    def prove(
        self, repository: RepositoryName, digest: Digest, *, now: dt.datetime
    ) -> AttestationProof:
        """Return the proof of all statements of any type about `digest`."""
        asked = Question(subject=digest, repository=repository, now=now, hosts=self.hosts)
        keys = self.trusted_keys.for_repository(repository)
        return proof.verify(asked, self._all(repository, digest), keys)

    def _all(self, repository: RepositoryName, digest: Digest) -> Iterator[UnverifiedAttestation]:
        with contextlib.suppress(SeawallError):
            yield from self._behind_tag(repository, digest)
        with contextlib.suppress(SeawallError):
            yield from self._referring(repository, digest)

    def _behind_tag(
        self, repository: RepositoryName, digest: Digest
    ) -> Iterator[UnverifiedAttestation]:
        tag = plan.attestation_tag(digest)
        manifest = self.registry.manifest_by_target(repository, tag)
        for layer in plan.tag_layers(manifest.content)[: plan.MAX_ATTESTATIONS + 1]:
            content = self._read(repository, layer.digest)
            if content is not None:
                yield UnverifiedAttestation(
                    format=AttestationFormat.COSIGN_TAG, content=content, source=str(tag)
                )

    def _referring(
        self, repository: RepositoryName, digest: Digest
    ) -> Iterator[UnverifiedAttestation]:
        listed = self.registry.referrers(repository, digest, bundle.MEDIA_TYPE)
        for referrer in listed[: 2 * plan.MAX_ATTESTATIONS]:
            content = self._bundle(repository, referrer.digest, digest)
            if content is not None:
                yield UnverifiedAttestation(
                    format=AttestationFormat.SIGSTORE_BUNDLE,
                    content=content,
                    source=f"referrer {referrer.digest.short}",
                )

    def _bundle(
        self, repository: RepositoryName, referrer: Digest, subject: Digest
    ) -> bytes | None:
        with contextlib.suppress(SeawallError):
            manifest = self.registry.manifest(repository, referrer)
            layer = cosign.attestation_layer(manifest.content, subject, None)
            return None if layer is None else self._read(repository, layer.digest)
        return None

    def _read(self, repository: RepositoryName, digest: Digest) -> bytes | None:
        with contextlib.suppress(SeawallError):
            return self.registry.read_blob(repository, digest, envelope.MAX_BYTES)
        return None
