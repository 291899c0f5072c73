"""Collects the signatures of an image from the registry and has them proven.

Fetching stands here, around `trust.proof`, which has no I/O. What cannot be fetched or parsed is
left out: a missing signature can only refuse, never admit.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from seawall.core.errors import SeawallError
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName, Tag
from seawall.registry.service import Registry
from seawall.trust import cosign, proof, referrers
from seawall.trust.authorities import TrustedAuthorities
from seawall.trust.model import TrustedAuthority, TrustedKey, UnverifiedSignature
from seawall.trust.referrers import SignatureLayer
from seawall.trust.trusted import TrustedKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What a proof is made from: nothing of it has been verified."""

    artifacts: tuple[UnverifiedSignature, ...]
    keys: tuple[TrustedKey, ...]
    authorities: tuple[TrustedAuthority, ...]

    @property
    def weight(self) -> int:
        """Bytes in memory, about."""
        held = sum(len(one.content) + len(one.signature) for one in self.artifacts)
        return held + 1024 * (1 + len(self.keys)) + sum(len(a.content) for a in self.authorities)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatures:
    """Looks at what vouches for an image of this registry."""

    registry: Registry
    trusted_keys: TrustedKeys
    authorities: TrustedAuthorities
    hosts: frozenset[str]

    def prove(
        self,
        repository: RepositoryName,
        digest: Digest,
        *,
        tag: Tag | None,
        now: dt.datetime,
    ) -> proof.Proof:
        """Return the numbered proof for `digest` as an image of `repository`."""
        found = self.gather(repository, digest)
        return self.prove_these(found, repository, digest, tag=tag, now=now)

    def gather(self, repository: RepositoryName, digest: Digest) -> Gathered:
        """Return all that a proof is made from, as it is in the database now."""
        return Gathered(
            artifacts=tuple(self.of(repository, digest)),
            keys=self.trusted_keys.for_repository(repository),
            authorities=self.authorities.for_repository(repository),
        )

    def prove_these(
        self,
        found: Gathered,
        repository: RepositoryName,
        digest: Digest,
        *,
        tag: Tag | None,
        now: dt.datetime,
    ) -> proof.Proof:
        """Return the proof by what was gathered."""
        return proof.verify(
            digest,
            repository=repository,
            tag=tag,
            artifacts=found.artifacts,
            keys=found.keys,
            authorities=found.authorities,
            now=now,
            hosts=self.hosts,
        )

    def of(self, repository: RepositoryName, digest: Digest) -> list[UnverifiedSignature]:
        """Return everything that claims to sign `digest`, at most one more than is looked at."""
        found: list[UnverifiedSignature] = []
        for artifact in self._all(repository, digest):
            found.append(artifact)
            if len(found) > proof.MAX_SIGNATURES:
                break
        return found

    def _all(self, repository: RepositoryName, digest: Digest) -> Iterator[UnverifiedSignature]:
        with contextlib.suppress(SeawallError):
            yield from self._behind_tag(repository, digest)
        with contextlib.suppress(SeawallError):
            yield from self._referring(repository, digest)

    def _behind_tag(
        self, repository: RepositoryName, digest: Digest
    ) -> Iterator[UnverifiedSignature]:
        tag = cosign.signature_tag(digest)
        manifest = self.registry.manifest_by_target(repository, tag)
        for layer in cosign.tag_layers(manifest.content):
            content = self._read(repository, layer.digest)
            if content is not None:
                yield layer.artifact(content, str(tag))

    def _referring(
        self, repository: RepositoryName, digest: Digest
    ) -> Iterator[UnverifiedSignature]:
        for kind in referrers.ARTIFACT_TYPES:
            for referrer in self.registry.referrers(repository, digest, kind):
                layer = self._layer(repository, referrer.digest, digest)
                content = None if layer is None else self._read(repository, layer.descriptor.digest)
                if layer is not None and content is not None:
                    yield UnverifiedSignature(
                        format=layer.format,
                        content=content,
                        source=f"referrer {referrer.digest.short}",
                    )

    def _layer(
        self, repository: RepositoryName, referrer: Digest, subject: Digest
    ) -> SignatureLayer | None:
        with contextlib.suppress(SeawallError):
            manifest = self.registry.manifest(repository, referrer)
            return referrers.layer(manifest.content, subject)
        return None

    def _read(self, repository: RepositoryName, digest: Digest) -> bytes | None:
        with contextlib.suppress(SeawallError):
            return self.registry.read_blob(repository, digest, referrers.MAX_BYTES)
        return None
