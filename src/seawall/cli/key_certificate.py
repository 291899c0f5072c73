"""`seawall key certificate`: the certificate that notation's trust stores want of a key."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from typing import TYPE_CHECKING, Final

from seawall.cli import signers

if TYPE_CHECKING:
    from seawall.config import Settings

MAX_DAYS: Final = 3650


def show(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.cli import notation_signing
    from seawall.core.errors import InvalidInputError
    from seawall.trust import certificates

    if options.days is not None and not 1 <= options.days <= MAX_DAYS:
        raise InvalidInputError(f"--days must be 1 to {MAX_DAYS}")
    lifetime = None if options.days is None else dt.timedelta(days=options.days)
    for signer in signers.open_signers(options.keys, options, settings):
        found = notation_signing.own_certificate(
            signer, settings, dt.datetime.now(dt.UTC), subject=options.subject, lifetime=lifetime
        )
        pem = certificates.to_pem(found).decode()
        document = {
            "key_id": signer.public.key_id,
            "subject": found.subject,
            "thumbprint": found.thumbprint,
            "file": str(notation_signing.certificate_path(signer.public, settings)),
            "pem": pem,
        }
        print(json.dumps(document) if options.json else pem, end="\n" if options.json else "")
    return 0
