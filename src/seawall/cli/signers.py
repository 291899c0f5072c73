"""Which keys a command signs with, and how their passphrases and PINs are asked for.

Every command that signs takes `--key`, once or several times: a file, the name of a key in the
person's own configuration, a `pkcs11:` URI of a key on a token, or a `vault:` URI of a key at a
signing service. `open_signers` turns them into signers. A file that is missing is told before
anything is asked for, a token that is missing before its PIN is.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from seawall.cli._beside import Beside

if TYPE_CHECKING:
    from seawall.config import Settings
    from seawall.trust.signing import Signer

T = TypeVar("T")

DEFAULT_KEY: Final = "seawall"
URI_SCHEMES: Final = ("pkcs11:", "vault:")
MAKE_A_KEY: Final = "name it with --key, or make one: seawall key generate"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--key` and `--passphrase-file`; `options.keys` and `options.passphrase_files`."""
    parser.add_argument(
        "--key", dest="keys", action="append", default=[], metavar="KEY",
        help="private key: a file, its name in your configuration, pkcs11:… on a token, or "
        "vault:… at a service; may be given several times (default: the one of `key generate`)",
    )  # fmt: skip
    parser.add_argument(
        "--passphrase-file", dest="passphrase_files", type=Path, action="append", default=[],
        metavar="FILE",
        help="passphrase or PIN of the key (else: asked); once for all keys, or for each",
    )  # fmt: skip


def open_signers(
    keys: Sequence[str], options: argparse.Namespace, settings: Settings
) -> list[Signer]:
    """Return a signer for each of `keys`, in their order; for none, the default key.

    `options` are those of `add_arguments`. Raises InvalidInputError when one key is given twice,
    NotFoundError, KeyFormatError, PassphraseError, and the errors of `trust.tokens`.
    """
    wanted = [find(key, settings) for key in keys or [DEFAULT_KEY]]
    files = _passphrase_files(options.passphrase_files, len(wanted))
    signers = [_open(one, file, settings) for one, file in zip(wanted, files, strict=True)]
    _refuse_doubles(signers)
    return signers


@contextlib.contextmanager
def opening(
    call: Callable[[], T], keys: Sequence[str], options: argparse.Namespace, settings: Settings
) -> Iterator[Callable[[], T]]:
    """Begin with `call`, which opens the keys, and give what waits for its outcome.

    Guessing passphrases is made slow on purpose, so files are opened beside the caller's other
    work. What asks a person or a device is opened at once. When that other work fails, what is
    wrong with a key is told first.
    """
    from seawall.core.errors import SeawallError

    if _is_quiet(keys, options, settings):
        wait = Beside(call).wait
    else:
        opened = call()

        def wait() -> T:
            return opened

    try:
        yield wait
    except SeawallError:
        wait()
        raise


def find(key: str, settings: Settings) -> str | Path:
    """Return the URI as it stands, or the path of the file. Raises NotFoundError."""
    from seawall.core.errors import NotFoundError

    if key.lower().startswith(URI_SCHEMES):
        return key
    path = Path(key)
    in_configuration = settings.home.keys / f"{key}.key"
    if path.name == key and not path.exists() and in_configuration.exists():
        return in_configuration
    if not path.exists():
        missing = in_configuration if key == DEFAULT_KEY else path
        raise NotFoundError(f"there is no key {missing}", remedy=MAKE_A_KEY)
    return path


def _is_quiet(keys: Sequence[str], options: argparse.Namespace, settings: Settings) -> bool:
    """Tell whether the keys are files whose passphrases are in files. Raises NotFoundError."""
    from seawall.trust import key_files

    found = [find(key, settings) for key in keys or [DEFAULT_KEY]]
    return bool(options.passphrase_files) and all(
        isinstance(one, Path) and not key_files.is_reference(one) for one in found
    )


def _open(wanted: str | Path, file: Path | None, settings: Settings) -> Signer:
    if isinstance(wanted, Path):
        return _open_file(wanted, file, settings)
    from seawall.cli import token_access
    from seawall.trust import vault
    from seawall.trust.tokens import uri

    if uri.is_token_uri(wanted):
        return token_access.open_key(uri.parse(wanted), settings, file)
    return vault.open_key(vault.parse(wanted), default_token_file=settings.home.vault_token)


def _open_file(path: Path, file: Path | None, settings: Settings) -> Signer:
    from seawall.cli import passphrases
    from seawall.trust import key_files

    reference = key_files.find_reference(path)
    if reference is not None:
        from seawall.cli import token_access

        return token_access.open_key(
            reference.uri, settings, file, expected=reference.public, touch=reference.touch
        )
    return key_files.read_private(path, passphrases.read(file, prompt=f"Passphrase of {path}"))


def _passphrase_files(files: Sequence[Path], count: int) -> list[Path | None]:
    from seawall.core.errors import InvalidInputError

    if not files:
        return [None] * count
    if len(files) == 1:
        return [files[0]] * count
    if len(files) != count:
        raise InvalidInputError(
            f"{len(files)} passphrase files for {count} keys",
            remedy="give one for all of them, or one for each in their order",
        )
    return list(files)


def _refuse_doubles(signers: Sequence[Signer]) -> None:
    from seawall.core.errors import InvalidInputError

    ids = [signer.public.key_id for signer in signers]
    doubles = sorted({key_id for key_id in ids if ids.count(key_id) > 1})
    if doubles:
        raise InvalidInputError(
            f"the key {doubles[0][:12]} is given twice",
            remedy="two signatures of one key count once: name different keys",
        )
