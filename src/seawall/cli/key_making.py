"""`seawall key generate|import|export|show`, for keys in files."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from seawall.config import Settings
    from seawall.core.secret import Secret
    from seawall.trust.keys import KeyPair, PrivateKey

DEFAULT_NAME: Final = "seawall"


def generate(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.cli import passphrases
    from seawall.core.errors import InvalidInputError
    from seawall.trust import key_files, keys

    if options.touch or options.pin_policy or options.pin_file or options.management_key_file:
        raise InvalidInputError(
            "touch, PIN and management key are for keys on a token",
            remedy="say which: --token pkcs11:token=NAME",
        )
    private, public = paths(options, settings, DEFAULT_NAME)
    key_files.refuse_existing(private, public)
    phrase = passphrases.read_new(options.passphrase_file, prompt=f"Passphrase for {private}")
    _write(keys.generate(phrase), private, public, options.json)
    return 0


def bring(options: argparse.Namespace, settings: Settings) -> int:
    """Import without a token: only docker's form needs it."""
    from seawall.cli import passphrases
    from seawall.core.errors import InvalidInputError
    from seawall.trust import docker_keys, key_files, keys

    if options.from_docker is None or options.key is not None:
        raise InvalidInputError(
            "nothing says where the key comes from or goes",
            remedy="seawall key import KEY --token URI, or --from-docker FILE",
        )
    private, public = paths(options, settings, options.from_docker.stem)
    key_files.refuse_existing(private, public)
    phrase = passphrases.read(
        options.passphrase_file, prompt=f"Passphrase of {options.from_docker}"
    )
    found = docker_keys.decode(key_files.read_bytes(options.from_docker), phrase)
    _write(keys.seal(found.key, phrase), private, public, options.json)
    return 0


def export(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.trust import docker_keys, key_files

    key_files.refuse_existing(options.docker)
    key, phrase = open_file(options.key, options.passphrase_file, settings)
    pem = docker_keys.encode(
        docker_keys.DockerKey(key=key, role=options.role, gun=options.gun or ""), phrase
    )
    key_files.write_private(pem, options.docker)
    name = docker_keys.file_name(key.public)
    if options.json:
        print(json.dumps({"key_id": key.public.key_id, "file": str(options.docker), "name": name}))
    else:
        print(f"written: {options.docker}\ndocker expects it as trust/private/{name}")
    return 0


def show(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.trust import key_files

    key_id = key_files.read_public(options.file).key_id
    print(json.dumps({"key_id": key_id}) if options.json else key_id)
    return 0


def paths(options: argparse.Namespace, settings: Settings, name: str) -> tuple[Path, Path]:
    """Return where the two files of a key go."""
    prefix: Path = options.output or settings.home.keys / name
    return prefix.with_name(prefix.name + ".key"), prefix.with_name(prefix.name + ".pub")


def make_directory(directory: Path) -> None:
    from seawall.core.errors import UnavailableError

    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(f"cannot make {directory}: {error.strerror}") from error


def open_file(
    name: str, passphrase_file: Path | None, settings: Settings
) -> tuple[PrivateKey, Secret]:
    """Open a key file of ours, or one in the person's configuration, with its passphrase."""
    from seawall.cli import passphrases, signers
    from seawall.core.errors import InvalidInputError
    from seawall.trust import key_files

    path = signers.find(name, settings)
    if not isinstance(path, Path) or key_files.find_reference(path) is not None:
        raise InvalidInputError(
            f"{name} is not in a file, and never leaves the place where it is",
            remedy="give a key file",
        )
    phrase = passphrases.read(passphrase_file, prompt=f"Passphrase of {path}")
    return key_files.read_private(path, phrase), phrase


def _write(pair: KeyPair, private: Path, public: Path, as_json: bool) -> None:
    from seawall.trust import key_files

    make_directory(private.parent)
    key_files.write(pair, private=private, public=public)
    if as_json:
        made = {"key_id": pair.key_id, "private": str(private), "public": str(public)}
        print(json.dumps(made))
    else:
        print(f"key {pair.key_id}\nprivate: {private} (encrypted)\npublic:  {public}")
