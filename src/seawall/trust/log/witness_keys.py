"""Keys of witnesses: Ed25519, encrypted on disk under a passphrase, with the witness's name inside.

The name is part of the key's id (tlog-cosignature), so the two are never apart.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import nacl.signing

from seawall.core import strictjson
from seawall.core.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError
from seawall.core.secret import Secret
from seawall.trust import _pem, _sealed, bundle
from seawall.trust.errors import KeyFormatError
from seawall.trust.keys import PASSPHRASE_MIN_CHARACTERS
from seawall.trust.log import notes
from seawall.trust.log.notes import WitnessKey

LABEL: Final = "ENCRYPTED SEAWALL WITNESS KEY"
MAX_BYTES: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessSigner:
    """A witness that can co-sign."""

    name: str
    key: nacl.signing.SigningKey = field(repr=False)

    @property
    def public(self) -> WitnessKey:
        return WitnessKey(name=self.name, public=bytes(self.key.verify_key))


def generate(name: str) -> WitnessSigner:
    """Return a new witness. Raises InvalidInputError for what cannot be a name."""
    return WitnessSigner(name=notes.check_name(name), key=nacl.signing.SigningKey.generate())


def write(signer: WitnessSigner, path: Path, passphrase: Secret) -> None:
    """Write the key to a new file. Raises ConflictError when there is one, InvalidInputError."""
    if len(passphrase.reveal()) < PASSPHRASE_MIN_CHARACTERS:
        raise InvalidInputError(
            f"a passphrase of fewer than {PASSPHRASE_MIN_CHARACTERS} characters",
            remedy="choose a longer one: it is all that protects a stolen key file",
        )
    plain = strictjson.encode(
        {"name": signer.name, "seed": bundle.encode_base64(bytes(signer.key))}
    )
    content = _pem.encode(LABEL, _sealed.seal(plain, passphrase))
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        raise ConflictError(f"{path} exists already, and a key is never overwritten") from error
    except OSError as error:
        raise UnavailableError(f"cannot write {path}: {error.strerror}") from error
    with os.fdopen(number, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def read(path: Path, passphrase: Secret) -> WitnessSigner:
    """Read a key. Raises NotFoundError, KeyFormatError or PassphraseError."""
    try:
        with path.open("rb") as file:
            pem = file.read(_pem.MAX_BYTES + 1)
    except OSError as error:
        raise NotFoundError(f"cannot read {path}: {error.strerror}") from error
    label, content = _pem.decode(pem)
    if label != LABEL:
        raise KeyFormatError(
            f"a PEM block {label!r} where a witness's key is expected",
            remedy="make one with: seawall log witness-key",
        )
    document = strictjson.decode_object(_sealed.unseal(content, passphrase), max_bytes=MAX_BYTES)
    name, seed = document.get("name"), bundle.decode_base64(document.get("seed"), "seed")
    if not isinstance(name, str) or len(seed) != 32:
        raise KeyFormatError("the witness's key does not parse")
    return WitnessSigner(name=notes.check_name(name), key=nacl.signing.SigningKey(seed))
