"""`seawall key generate|import|list --token`, `link` and `attest`: keys on hardware."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seawall.config import Settings
    from seawall.trust.keys import PrivateKey
    from seawall.trust.model import Hardware
    from seawall.trust.tokens.attestation import Attestation
    from seawall.trust.tokens.cryptoki import Touch
    from seawall.trust.tokens.key import TokenKey
    from seawall.trust.tokens.provisioning import Access, Policies
    from seawall.trust.tokens.uri import TokenUri


def generate(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.cli import key_making, token_access
    from seawall.trust import key_files
    from seawall.trust.tokens import provisioning, uri

    wanted = uri.parse(options.token)
    private, public = key_making.paths(options, settings, wanted.object or key_making.DEFAULT_NAME)
    key_files.refuse_existing(private, public)
    key = provisioning.generate(
        token_access.tokens_of(settings),
        wanted,
        _access(options, wanted),
        _policies(options),
        now=dt.datetime.now(dt.UTC),
    )
    _write(key, private, public, options, _touch(options))
    return 0


def bring(options: argparse.Namespace, settings: Settings) -> int:
    """Import to a token: the backup is written, and opened again, before the token is touched."""
    from seawall.cli import key_making, token_access
    from seawall.core.errors import InvalidInputError
    from seawall.trust import key_files
    from seawall.trust.tokens import provisioning, uri

    if options.key is None or options.from_docker is not None:
        raise InvalidInputError("which key? seawall key import KEY --token URI")
    if (options.backup is None) != options.unsafe_no_backup:
        raise InvalidInputError(
            "a key that exists once is lost with its token",
            remedy="give --backup FILE, or --unsafe-no-backup",
        )
    wanted = uri.parse(options.token)
    name = wanted.object or f"{Path(options.key).stem}-token"
    private, public = key_making.paths(options, settings, name)
    key_files.refuse_existing(private, public, *([options.backup] if options.backup else []))
    key = _with_backup(options, settings)
    brought = provisioning.bring(
        token_access.tokens_of(settings),
        wanted,
        key,
        _access(options, wanted),
        _policies(options),
        now=dt.datetime.now(dt.UTC),
    )
    _write(brought, private, public, options, _touch(options))
    return 0


def link(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.cli import key_making, token_access
    from seawall.trust import key_files
    from seawall.trust.tokens import uri

    wanted = uri.parse(options.token)
    private, public = key_making.paths(options, settings, wanted.object or key_making.DEFAULT_NAME)
    key_files.refuse_existing(private, public)
    key = token_access.tokens_of(settings).open_key(
        wanted,
        ask_pin=token_access.ask_pin(wanted.pin_file or options.pin_file, option="--pin-file"),
    )
    _write(key, private, public, options, _touch(options))
    return 0


def attest(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.cli import main
    from seawall.trust import key_files
    from seawall.trust.tokens import uri
    from seawall.trust.tokens.attestation import AttestationError

    roots = key_files.read_certificates(options.root)
    try:
        if uri.is_token_uri(options.subject):
            found = _attest_on_token(options, settings, roots)
        else:
            found = _attest_file(Path(options.subject), roots)
    except AttestationError as error:
        print(f"not proven: {error.message}", file=sys.stderr)
        print(f"            {error.remedy}" if error.remedy else "", end="\n", file=sys.stderr)
        return main.EXIT_NO
    if options.output is not None:
        key_files.refuse_existing(options.output)
        key_files.write_certificates(options.output, found.chain)
    _print_attestation(found, options.json)
    return 0


def list_keys(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.cli import token_access
    from seawall.trust.tokens import uri

    wanted = uri.parse(options.token)
    for token, keys in token_access.tokens_of(settings).list(wanted):
        rows = [
            {
                "uri": str(key.uri),
                "label": key.label,
                "id": key.key_id.hex(),
                "key_id": key.public.key_id if key.public else None,
            }
            for key in keys
        ]
        if options.json:
            named = {"token": token.label, "serial": token.serial, "model": token.model}
            print(json.dumps({**named, "pin": token.pin.value, "keys": rows}))
            continue
        print(f"{token.title}  {token.manufacturer}, {token.model}  PIN {token.pin.value}")
        for row in rows:
            print(
                f"  {row['key_id'] or 'not P-256, not usable here'}  {row['label']}  {row['uri']}"
            )
    return 0


def described(hardware: Hardware | None) -> dict[str, str] | None:
    """Return what an attestation says, for JSON."""
    if hardware is None:
        return None
    names = ("device", "serial", "firmware", "slot", "form", "pin", "touch")
    return {name: getattr(hardware, name) for name in names}


def _with_backup(options: argparse.Namespace, settings: Settings) -> PrivateKey:
    from seawall.cli import key_making
    from seawall.core.errors import IntegrityError
    from seawall.trust import key_files, keys

    key, phrase = key_making.open_file(options.key, options.passphrase_file, settings)
    if options.backup is not None:
        key_files.write_private(keys.seal(key, phrase).private_pem, options.backup)
        if key_files.read_private(options.backup, phrase).public != key.public:
            raise IntegrityError(f"the backup {options.backup} does not hold the key")
    return key


def _access(options: argparse.Namespace, uri: TokenUri) -> Access:
    from seawall.cli import passphrases, token_access
    from seawall.trust.tokens.provisioning import Access

    file = options.management_key_file
    return Access(
        ask_pin=token_access.ask_pin(uri.pin_file or options.pin_file, option="--pin-file"),
        management_key=passphrases.read_file(file) if file else None,
    )


def _policies(options: argparse.Namespace) -> Policies:
    from seawall.trust.tokens.cryptoki import PinPolicy
    from seawall.trust.tokens.provisioning import Policies

    return Policies(touch=_touch(options), pin=PinPolicy(options.pin_policy or "unknown"))


def _touch(options: argparse.Namespace) -> Touch:
    from seawall.trust.tokens.cryptoki import Touch

    return Touch(options.touch or "unknown")


def _write(
    key: TokenKey, private: Path, public: Path, options: argparse.Namespace, asked: Touch
) -> None:
    from seawall.cli import key_making
    from seawall.trust import key_files
    from seawall.trust.tokens.cryptoki import Touch
    from seawall.trust.tokens.references import TokenReference

    touch = asked if key.touch is Touch.UNKNOWN else key.touch
    key_making.make_directory(private.parent)
    reference = TokenReference(uri=key.uri, public=key.public, touch=touch)
    key_files.write_reference(reference, private=private, public=public)
    if options.json:
        made = {"key_id": key.public.key_id, "uri": str(key.uri), "touch": touch.value}
        print(json.dumps({**made, "private": str(private), "public": str(public)}))
        return
    print(f"key {key.public.key_id}\ntoken:   {key.uri}")
    print(f"private: {private} (says where the key is)\npublic:  {public}")
    print(key.public.pem.decode(), end="")


def _attest_on_token(options: argparse.Namespace, settings: Settings, roots: bytes) -> Attestation:
    from seawall.cli import token_access
    from seawall.trust.tokens import attestation
    from seawall.trust.tokens import uri as uris

    uri = uris.parse(options.subject)
    tokens = token_access.tokens_of(settings)
    ask = token_access.ask_pin(uri.pin_file or options.pin_file, option="--pin-file")
    key = tokens.open_key(uri, ask_pin=ask)
    given = attestation.for_key(tokens.certificates(uri), key.public)
    known = attestation.parse_roots(roots)
    return attestation.prove(given, known, now=dt.datetime.now(dt.UTC))


def _attest_file(path: Path, roots: bytes) -> Attestation:
    from seawall.trust import key_files
    from seawall.trust.tokens import attestation

    return attestation.verify(key_files.read_certificates(path), roots, now=dt.datetime.now(dt.UTC))


def _print_attestation(found: Attestation, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"key_id": found.public.key_id, "hardware": described(found.hardware)}))
        return
    hardware = found.hardware
    print(f"proven: the key {found.public.key_id}\nis kept by {hardware}")
    form = f", {hardware.form}" if hardware.form else ""
    print(f"firmware {hardware.firmware}{form}")
