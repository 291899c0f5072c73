"""What `sign` adds for notation, and the certificate that a key shows there.

A certificate is made once for a key and kept in the person's own configuration: notation trusts it
byte for byte, so a second one would be another signer to everybody who imported the first.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from seawall.cli.image_signatures import Planner
    from seawall.config import Settings
    from seawall.oci.manifests import Descriptor
    from seawall.oci.names import Reference
    from seawall.trust.certificates import Certificate
    from seawall.trust.cosign import Upload
    from seawall.trust.keys import PublicKey
    from seawall.trust.model import UnverifiedSignature
    from seawall.trust.notation.signatures import Identity
    from seawall.trust.signing import Signer

FORMS: Final = ("jws", "cose", "none")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `planners` reads."""
    parser.add_argument(
        "--notation", choices=FORMS, default="jws", metavar="FORM",
        help="envelope for notation: jws, cose or none (default: jws)",
    )  # fmt: skip
    parser.add_argument(
        "--certificate-chain", dest="chains", type=Path, action="append", default=[],
        metavar="FILE", help="certificate of the key and its issuers up to the root, PEM, for"
        " notation; once for each key (default: the one of `key certificate`)",
    )  # fmt: skip


def planners(
    signers: Sequence[Signer], options: argparse.Namespace, settings: Settings, now: dt.datetime
) -> list[list[Planner]]:
    """Return for each signer what plans its notation signature; nothing with `--notation none`.

    Raises as `identities` does.
    """
    found = identities(signers, options, settings, now)
    return [[] if one is None else [_planner(one, now)] for one in found]


def identities(
    signers: Sequence[Signer], options: argparse.Namespace, settings: Settings, now: dt.datetime
) -> list[Identity | None]:
    """Return for each signer how notation is shown it; None with `--notation none`.

    Raises InvalidInputError for a chain that is for none of the keys or that notation refuses.
    """
    from seawall.core.errors import InvalidInputError
    from seawall.trust.notation.envelope import EnvelopeType
    from seawall.trust.notation.signatures import Identity

    if options.notation == "none":
        if options.chains:
            raise InvalidInputError("--certificate-chain is for notation, which is switched off")
        return [None for _ in signers]
    given = _given_chains(options.chains, signers)
    kind = EnvelopeType.COSE if options.notation == "cose" else EnvelopeType.JWS
    found: list[Identity | None] = []
    for signer in signers:
        chain = given.get(signer.public.key_id) or (own_certificate(signer, settings, now),)
        found.append(Identity(signer=signer, chain=chain, kind=kind))
    return found


def own_certificate(
    signer: Signer,
    settings: Settings,
    now: dt.datetime,
    *,
    subject: str = "",
    lifetime: dt.timedelta | None = None,
) -> Certificate:
    """Return the certificate of this person's key; one is made, and said, when there is none.

    Raises ConflictError when there is one and another `subject` or `lifetime` is asked for.
    """
    from seawall.core.errors import ConflictError
    from seawall.trust import certificates, key_files
    from seawall.trust.notation import leaf

    path = certificate_path(signer.public, settings)
    if path.exists():
        if subject or lifetime:
            raise ConflictError(
                f"{path} exists already",
                remedy="whoever trusts it trusts no other: move it away to have a new one",
            )
        return leaf.parse_chain(key_files.read_certificates(path), signer.public)[0]
    named = leaf.subject_of(subject or leaf.default_subject(signer.public))
    made = leaf.make(signer, named, now, lifetime or leaf.DEFAULT_LIFETIME)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key_files.write_certificates(path, certificates.to_pem(made))
    print(f"made a certificate for notation's trust stores: {path}", file=sys.stderr)
    return made


def certificate_path(key: PublicKey, settings: Settings) -> Path:
    """Return where this person's certificate of a key stands."""
    return settings.home.keys / f"{key.key_id[:16]}.crt"


def _given_chains(
    paths: Sequence[Path], signers: Sequence[Signer]
) -> dict[str, tuple[Certificate, ...]]:
    from seawall.core.errors import InvalidInputError
    from seawall.trust import certificates, key_files
    from seawall.trust.notation import leaf

    keys = {signer.public.key_id: signer.public for signer in signers}
    chains: dict[str, tuple[Certificate, ...]] = {}
    for path in paths:
        pem = key_files.read_certificates(path)
        key = keys.get(certificates.parse_pem(pem)[0].key_id)
        if key is None:
            raise InvalidInputError(
                f"the first certificate in {path} is for none of the keys that sign"
            )
        chains[key.key_id] = leaf.parse_chain(pem, key)
    return chains


def _planner(identity: Identity, now: dt.datetime) -> Planner:
    from seawall.trust.notation import signatures

    def plan(
        image: Descriptor, reference: Reference, existing: Sequence[UnverifiedSignature]
    ) -> Sequence[Upload]:
        return signatures.plan(image, reference, identity, now, existing=existing)

    return plan
