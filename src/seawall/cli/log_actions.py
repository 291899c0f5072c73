"""The writing half of `seawall log`: witnesses, their keys, and the file for cosign."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import time
from typing import TYPE_CHECKING

from seawall.cli import local, log_sources
from seawall.core.errors import InvalidInputError
from seawall.trust.log import following, notes, trusted_roots, witness_keys
from seawall.trust.log.notes import WitnessKey

if TYPE_CHECKING:
    from seawall.cli.log_sources import Source
    from seawall.config import Settings
    from seawall.trust.log.following import Memory
    from seawall.trust.log.witness_keys import WitnessSigner


def witness(options: argparse.Namespace, settings: Settings) -> int:
    """Co-sign what the log shows, after it proved that it only grew. Alarms are raised.

    What is co-signed is remembered first: a crash may lose a co-signature, never the memory of it.
    """
    from seawall.cli import passphrases

    if options.every < 1:
        raise InvalidInputError("--every must be 1 or more")
    phrase = passphrases.read(options.passphrase_file, prompt=f"Passphrase of {options.key}")
    signer = witness_keys.read(options.key, phrase)
    with log_sources.opened(options, settings, purpose=f"witness-{signer.public.hint.hex()}") as at:
        memory = None if at.remembered is None else at.remembered.memory
        while True:
            memory = _cosign(at, memory, signer)
            told = {"log": at.log.name, "size": memory.size, "root": memory.root.hex()}
            shown = f"co-signed {memory.size} entries of {at.log.name} as {signer.name}"
            print(json.dumps(told) if options.json else shown, flush=True)
            if options.once:
                return 0
            time.sleep(options.every)


def make_key(options: argparse.Namespace, _settings: Settings) -> int:
    """Make the key of a witness and print its public half."""
    from seawall.cli import passphrases

    signer = witness_keys.generate(options.name)
    phrase = passphrases.read_new(
        options.passphrase_file, prompt=f"Passphrase for {options.output}"
    )
    witness_keys.write(signer, options.output, phrase)
    public = str(signer.public)
    print(json.dumps({"key": public}) if options.json else public)
    return 0


def trusted_root(_options: argparse.Namespace, settings: Settings) -> int:
    """Print what stock cosign needs to believe this log."""
    from seawall.app import setup

    with setup.opened(settings) as house:
        sys.stdout.write(trusted_roots.build(house.log.trusted).decode() + "\n")
    return 0


def accept(options: argparse.Namespace, settings: Settings) -> int:
    """Keep co-signatures by a witness from now on."""
    from seawall.app import setup

    key = WitnessKey.parse(options.key)
    with setup.opened(settings) as house:
        house.witnesses.accept(key, actor=local.who(settings))
    _print(key, options.json)
    return 0


def drop(options: argparse.Namespace, settings: Settings) -> int:
    """Keep no more co-signatures by a witness."""
    from seawall.app import setup

    with setup.opened(settings) as house:
        house.witnesses.drop(options.name, actor=local.who(settings))
    return 0


def list_all(options: argparse.Namespace, settings: Settings) -> int:
    """List the witnesses of this installation's log."""
    from seawall.app import setup

    with setup.opened(settings) as house:
        for key in house.witnesses.list():
            _print(key, options.json)
    return 0


def _cosign(source: Source, memory: Memory | None, signer: WitnessSigner) -> Memory:
    assert source.client is not None
    note = source.reading.checkpoint()
    checkpoint = following.check(note, source.log)
    if memory is not None and memory.size:
        following.check_growth(memory, checkpoint)
        path = source.client.consistency(memory.size, checkpoint.size)
        following.check_consistency(memory, note, source.log, path)
    seen = following.follow(
        memory, note, source.log, source.reading.entries, each=lambda _entry: None
    )
    source.memory.save(source.log, seen)
    now = dt.datetime.now(dt.UTC)
    line = notes.cosign(note.text, name=signer.name, key=signer.key, now=now)
    source.client.send_cosignature(line, checkpoint.size)
    return seen


def _print(key: WitnessKey, as_json: bool) -> None:
    print(json.dumps({"name": key.name, "key": str(key)}) if as_json else key)
