"""Key files on disk: a new one never replaces an old one, and only its owner may read it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seawall.core import limits
from seawall.core.errors import ConflictError, LimitError, NotFoundError, UnavailableError
from seawall.core.secret import Secret
from seawall.trust import _pem, keys
from seawall.trust.keys import KeyPair, PrivateKey, PublicKey

if TYPE_CHECKING:
    from seawall.trust.tokens.references import TokenReference

PRIVATE_MODE: Final = 0o600
PUBLIC_MODE: Final = 0o644
CERTIFICATES_MAX_BYTES: Final = 256 * limits.KIB


def write(pair: KeyPair, *, private: Path, public: Path) -> None:
    """Write both halves, durably. Raises ConflictError when either file exists already."""
    refuse_existing(private, public)
    _write_new(private, pair.private_pem, PRIVATE_MODE)
    _write_new(public, pair.public_pem, PUBLIC_MODE)


def refuse_existing(*paths: Path) -> None:
    """Raises ConflictError when one of the files exists: ask before asking for a passphrase."""
    for path in paths:
        if os.path.lexists(path):
            raise _exists(path)


def read_public(path: Path) -> PublicKey:
    """Read a public key. Raises NotFoundError or KeyFormatError."""
    return keys.parse_public(_read(path))


def read_private(path: Path, passphrase: Secret) -> PrivateKey:
    """Read and decrypt a private key. Raises NotFoundError, KeyFormatError or PassphraseError."""
    return keys.open_private(_read(path), passphrase)


def read_certificates(path: Path) -> bytes:
    """Read certificates, or a trusted root. Raises NotFoundError, UnavailableError, LimitError."""
    content = _read(path, CERTIFICATES_MAX_BYTES, "file")
    if len(content) > CERTIFICATES_MAX_BYTES:
        raise LimitError(f"{path} is larger than {CERTIFICATES_MAX_BYTES} bytes")
    return content


def write_certificates(path: Path, pem: bytes) -> None:
    """Write certificates, durably. Raises ConflictError when the file exists already."""
    _write_new(path, pem, PUBLIC_MODE)


def is_reference(path: Path) -> bool:
    """Tell whether a key file claims to refer to a key on a token. Raises NotFoundError."""
    return _refers(_read(path))


def find_reference(path: Path) -> TokenReference | None:
    """Return what the file says when it refers to a key on a token, None when it holds a key.

    Raises NotFoundError, KeyFormatError or TokenUriError.
    """
    content = _read(path)
    if not _refers(content):
        return None
    from seawall.trust.tokens import references  # rare, and every signature would pay for it

    return references.parse(content)


def write_reference(reference: TokenReference, *, private: Path, public: Path) -> None:
    """Write PREFIX.key, which refers to the token, and PREFIX.pub. Raises ConflictError."""
    from seawall.trust.tokens import references

    refuse_existing(private, public)
    _write_new(private, references.encode(reference) + b"\n", PRIVATE_MODE)
    _write_new(public, reference.public.pem, PUBLIC_MODE)


def read_bytes(path: Path) -> bytes:
    """Read a key file of any form, bounded. Raises NotFoundError or UnavailableError."""
    return _read(path)


def write_private(pem: bytes, path: Path) -> None:
    """Write one encrypted private key. Raises ConflictError when the file exists already."""
    _write_new(path, pem, PRIVATE_MODE)


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise UnavailableError(f"cannot write {path}: {error.strerror}") from error
    with os.fdopen(number, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path, max_bytes: int = _pem.MAX_BYTES, what: str = "key file") -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(max_bytes + 1)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no {what} {path}") from error
    except OSError as error:
        raise UnavailableError(f"cannot read {path}: {error.strerror}") from error


def _exists(path: Path) -> ConflictError:
    return ConflictError(
        f"{path} exists already, and a key is never overwritten",
        remedy="choose another name, or move the old key away",
    )


def _refers(content: bytes) -> bool:
    return content.lstrip()[:1] == b"{"
