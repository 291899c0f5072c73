"""`seawall key trust|distrust|list`: which keys this installation believes."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seawall.config import Settings
    from seawall.trust.model import TrustedKey
    from seawall.trust.tokens.attestation import Attestation


def trust(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.app import databases
    from seawall.core import actor
    from seawall.core.clock import SystemClock
    from seawall.trust import key_files
    from seawall.trust.trusted import TrustedKeys

    public = key_files.read_public(options.file)
    attestation = _attestation(options)
    with databases.opened_database(settings) as database:
        key = TrustedKeys(database, SystemClock()).trust(
            public.pem,
            name=options.name or options.file.stem,
            patterns=options.patterns or ["**"],
            actor=actor.operator(settings.home.login),
            attestation=attestation,
        )
    _print(key, options.json)
    return 0


def distrust(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.app import databases
    from seawall.core import actor
    from seawall.core.clock import SystemClock
    from seawall.trust.trusted import TrustedKeys

    with databases.opened_database(settings) as database:
        trusted = TrustedKeys(database, SystemClock())
        key_id = _one(options.key, trusted.list()).key_id
        key = trusted.distrust(key_id, actor=actor.operator(settings.home.login))
    _print(key, options.json)
    return 0


def list_keys(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.app import databases
    from seawall.core.clock import SystemClock
    from seawall.trust.trusted import TrustedKeys

    with databases.opened_database(settings) as database:
        for key in TrustedKeys(database, SystemClock()).list():
            _print(key, options.json)
    return 0


def _attestation(options: argparse.Namespace) -> Attestation | None:
    import datetime as dt

    from seawall.core.errors import InvalidInputError
    from seawall.trust import key_files
    from seawall.trust.tokens import attestation

    if (options.attestation is None) != (options.attestation_root is None):
        raise InvalidInputError("--attestation and --attestation-root go together")
    if options.attestation is None:
        return None
    certificates, roots = (
        key_files.read_certificates(path)
        for path in (options.attestation, options.attestation_root)
    )
    return attestation.verify(certificates, roots, now=dt.datetime.now(dt.UTC))


def _one(wanted: str, trusted: tuple[TrustedKey, ...]) -> TrustedKey:
    from seawall.core.errors import InvalidInputError, NotFoundError

    found = [key for key in trusted if key.name == wanted] or [
        key for key in trusted if wanted and key.key_id.startswith(wanted)
    ]
    if not found:
        raise NotFoundError(f"no trusted key is {wanted!r}", remedy="see: seawall key list")
    if len(found) > 1:
        raise InvalidInputError(f"{wanted!r} fits {len(found)} keys", remedy="give more of the id")
    return found[0]


def _print(key: TrustedKey, as_json: bool) -> None:
    if as_json:
        from seawall.cli.key_tokens import described

        line = {
            "key_id": key.key_id,
            "name": key.name,
            "patterns": list(key.patterns),
            "hardware": described(key.hardware),
        }
        print(json.dumps(line))
        return
    mark = f"  [{key.hardware}]" if key.hardware else ""
    print(f"{key.key_id}  {key.name}  {' '.join(key.patterns)}{mark}")
