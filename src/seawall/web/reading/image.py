"""The page of one image or index: everything that the house knows about one digest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from seawall.core.clock import Clock
from seawall.core.errors import NotFoundError, SeawallError
from seawall.fleet.receipts import Receipt, Receipts
from seawall.flows.attestations import Attestations
from seawall.flows.signatures import Signatures
from seawall.oci import manifests, media
from seawall.oci.digest import Digest
from seawall.oci.manifests import Descriptor, Index, Manifest, ParsedManifest
from seawall.oci.names import RepositoryName, Tag
from seawall.registry.model import StoredManifest
from seawall.registry.service import Registry
from seawall.scan import inventory_config
from seawall.scan.image_source import CONFIG_MAX_BYTES
from seawall.scan.report_model import Report
from seawall.store import Database
from seawall.trust.trusted import TrustedKeys
from seawall.web import views
from seawall.web.reading import log, reports, scans, signatures
from seawall.web.reading.containers import Running
from seawall.web.reading.engines import Seen
from seawall.web.reading.verdicts import Judged, Verdicts

PLATFORMS_SHOWN: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReader:
    """Reads one page. `host` is the registry as docker names it."""

    database: Database
    registry: Registry
    signatures: Signatures
    attestations: Attestations
    trusted_keys: TrustedKeys
    receipts: Receipts
    verdicts: Verdicts
    running: Running
    seen: Seen
    clock: Clock
    host: str

    def read(
        self, repository: RepositoryName, target: str, query: views.ImageQuery
    ) -> views.ImagePage | None:
        """Return the page of what `target` names now; None when there is no such image."""
        tag = None if ":" in target else Tag(target)
        try:
            stored = self.registry.manifest_by_target(repository, target)
            judged = self.verdicts.of(repository, stored.digest, tag)
        except NotFoundError:
            return None
        if judged is None:
            return None
        parsed = manifests.parse(stored.content, stored.media_type)
        return self._page(repository, stored, parsed, judged, query)

    def _page(
        self,
        repository: RepositoryName,
        stored: StoredManifest,
        parsed: ParsedManifest,
        judged: Judged,
        query: views.ImageQuery,
    ) -> views.ImagePage:
        digest, report, tag = stored.digest, judged.judgement.report, judged.judgement.tag
        is_manifest = isinstance(parsed, Manifest)
        config = self._config(repository, parsed) if isinstance(parsed, Manifest) else None
        platforms = tuple(self._platforms(repository, parsed))
        with self.database.read() as connection:
            push = log.pushed(connection, repository, digest, tag, self.clock.now())
        return views.ImagePage(
            registry=self.host,
            repository=repository,
            digest=digest,
            media_type=stored.media_type,
            platform=config.platform if config else "",
            size=_size(stored, parsed) + sum(platform.size for platform in platforms),
            pushed_at=push.at,
            pushed_by=push.actor,
            verdict=self.verdicts.page(judged, repository),
            tags=self._tags(repository, digest),
            containers=self.running.of_image(self.seen, self._receipts(repository, digest)),
            layers=(
                reports.layers(parsed.layers, config.created_by if config else (), report)
                if isinstance(parsed, Manifest)
                else ()
            ),
            platforms=platforms,
            scan=None if report is None else reports.scan(report, query, has_layers=is_manifest),
            scan_note=_scan_note(parsed, judged, report),
            signatures=self._signatures(repository, digest, judged),
            events=log.about(self.database, repository, digest),
            attestations=self._attestations(repository, digest),
            judgement=None if report is None else scans.judgement(report, has_layers=is_manifest),
            history=scans.history(self.database, {judged.judgement.scanned}),
        )

    def _config(
        self, repository: RepositoryName, parsed: Manifest
    ) -> inventory_config.ImageConfig | None:
        if parsed.config.media_type not in media.IMAGE_CONFIGS:
            return None
        with contextlib.suppress(SeawallError):
            content = self.registry.read_blob(repository, parsed.config.digest, CONFIG_MAX_BYTES)
            return inventory_config.read(content, len(parsed.layers))
        return None

    def _platforms(
        self, repository: RepositoryName, parsed: ParsedManifest
    ) -> Iterator[views.Platform]:
        if not isinstance(parsed, Index):
            return
        for entry in parsed.manifests[:PLATFORMS_SHOWN]:
            yield views.Platform(
                name=str(entry.platform) if entry.platform else "any platform",
                digest=entry.digest,
                size=self._child_size(repository, entry),
            )

    def _child_size(self, repository: RepositoryName, entry: Descriptor) -> int:
        with contextlib.suppress(SeawallError):
            stored = self.registry.manifest(repository, entry.digest)
            return _size(stored, manifests.parse(stored.content, stored.media_type))
        return entry.size

    def _tags(self, repository: RepositoryName, digest: Digest) -> tuple[views.Tag, ...]:
        tagged = self.registry.tag_list_with_digests(repository)
        names = (one.tag for one in tagged if one.digest == digest)
        return log.tags(self.database, repository, digest, names)

    def _receipts(self, repository: RepositoryName, digest: Digest) -> Iterator[Receipt]:
        return (one for one in self.receipts.by_digest(digest) if one.repository == repository)

    def _signatures(
        self, repository: RepositoryName, digest: Digest, judged: Judged
    ) -> tuple[views.Signature, ...]:
        keys = self.trusted_keys.for_repository(repository)
        artifacts = self.signatures.of(repository, digest)
        return signatures.of_proof(judged.judgement.proof, keys, artifacts)

    def _attestations(
        self, repository: RepositoryName, digest: Digest
    ) -> tuple[views.Attestation, ...]:
        proof = self.attestations.prove(repository, digest, now=self.clock.now())
        return tuple(map(signatures.of_attestation, proof.attestations))


def _size(stored: StoredManifest, parsed: ParsedManifest) -> int:
    """Return the bytes of a pull: the manifest and, once each, what it names itself."""
    if isinstance(parsed, Index):
        return len(stored.content)
    blobs = {one.digest: one.size for one in (parsed.config, *parsed.layers)}
    return len(stored.content) + sum(blobs.values())


def _scan_note(parsed: ParsedManifest, judged: Judged, report: Report | None) -> str:
    if report is not None:
        return ""
    if judged.scan_error:
        again = " It is tried again." if judged.is_pending else ""
        return f"The scan failed: {judged.scan_error.rstrip('.')}.{again}"
    if judged.is_pending:
        return "The scan waits or runs. Reload this page in a moment."
    if isinstance(parsed, Manifest) and not parsed.is_image:
        return "This is no image that runs: there is nothing in it to scan."
    if isinstance(parsed, Index) and judged.judgement.scanned == judged.judgement.verdict.digest:
        return "This index has no image for this machine's platform."
    return "There is no report and no scan waits. `seawall doctor` tells what is wrong."
