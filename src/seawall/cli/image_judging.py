"""Who vouches for an image in a registry: its signatures, collected and proven.

The I/O that stands around `trust.proof`, over one `RegistryClient`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from seawall.cli.image_signatures import collect
from seawall.cli.registry_client import RegistryClient
from seawall.oci.digest import Digest
from seawall.oci.names import Reference
from seawall.trust import proof
from seawall.trust.model import TrustedAuthority, TrustedKey, UnverifiedSignature
from seawall.trust.proof import Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The proof for one image."""

    digest: Digest
    proof: Proof


def verify_image(
    client: RegistryClient,
    reference: Reference,
    keys: Sequence[TrustedKey],
    now: dt.datetime,
    *,
    hosts: frozenset[str],
    authorities: Sequence[TrustedAuthority] = (),
    required_signers: int = 1,
) -> Judged:
    """Resolve the image once, collect its signatures and prove who vouches for it."""
    image = client.get_manifest(reference.repository, reference.target)
    found = collect(client, reference.repository, image.digest)
    return judge(
        image.digest,
        found.artifacts,
        reference,
        keys,
        now,
        hosts=hosts,
        authorities=authorities,
        required_signers=required_signers,
    )


def judge(
    subject: Digest,
    artifacts: Sequence[UnverifiedSignature],
    reference: Reference,
    keys: Sequence[TrustedKey],
    now: dt.datetime,
    *,
    hosts: frozenset[str],
    authorities: Sequence[TrustedAuthority] = (),
    required_signers: int = 1,
) -> Judged:
    """Prove who vouches for an image whose signatures were collected."""
    result = proof.verify(
        subject,
        repository=reference.repository,
        tag=None if reference.digest else reference.tag,
        artifacts=artifacts,
        keys=keys,
        authorities=authorities,
        now=now,
        hosts=hosts,
        required_signers=required_signers,
    )
    return Judged(digest=subject, proof=result)
