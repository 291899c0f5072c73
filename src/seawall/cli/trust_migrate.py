"""`seawall trust migrate`: bring trust data and signatures of another server here.

It explains first; with `--apply` it does what it explained.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seawall.cli import _registry_options, progress, signers

if TYPE_CHECKING:
    from seawall.cli.migrating import Done, Explained, Migration
    from seawall.cli.registry_client import RegistryClient
    from seawall.config import Settings
    from seawall.oci.names import Reference
    from seawall.trust.model import TrustedKey
    from seawall.trust.tuf.chain import Pin

HUB: Final = "docker.io"
"""Names of images there begin so, but no server has this name."""
HUB_REGISTRY: Final = "registry-1.docker.io"
HUB_NOTARY: Final = "notary.docker.io"

VIEWS: Final = ("docker", "notary", "cosign", "notation", "seawall")
MARKS: Final = {True: "yes", False: "no", None: "?"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; the connection options are those of the new place."""
    parser.add_argument("old", metavar="OLD", help="HOST[:PORT]/REPOSITORY as it is called now")
    parser.add_argument(
        "--to", metavar="NEW",
        help="HOST[:PORT]/REPOSITORY here (default: the same name, whose host moves to this"
        " installation)",
    )  # fmt: skip
    parser.add_argument(
        "--server",
        metavar="HOST[:PORT]",
        help="the Notary server (default: the old registry; notary.docker.io for docker.io)",
    )
    parser.add_argument(
        "--only", choices=("tree", "signatures"), help="leave the other of the two aside"
    )
    parser.add_argument(
        "--root", dest="fingerprints", action="append", default=[], metavar="FINGERPRINT",
        help="id of the root's key as its owner gives it, 64 hex digits",
    )  # fmt: skip
    parser.add_argument(
        "--unsafe-first-use", action="store_true", help="believe the root that the server shows"
    )
    parser.add_argument(
        "--signed-by", type=Path, action="append", default=[], metavar="PUB",
        help="public key whose signatures are looked for (default: those that this installation"
        " trusts)",
    )  # fmt: skip
    parser.add_argument("--apply", action="store_true", help="do it, do not only explain")
    signers.add_arguments(parser)
    _registry_options.add_connection(parser)
    parser.add_argument("--from-user", help="name for the old servers")
    parser.add_argument("--from-password-file", type=Path, metavar="FILE", help="its password")
    parser.add_argument("--from-ca", type=Path, metavar="FILE", help="their CA certificates, PEM")
    parser.add_argument(
        "--from-unsafe-plain-http", action="store_true", help="no TLS; for this machine only"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.epilog = (
        "Targets and delegations are brought over as they are, with the signatures of their\n"
        "signers; --key names the root's keys, which sign a root for this place.\n"
        "Exit codes: 0 explained or done, 1 it does not hold, 2 wrong input, 3 a server does not\n"
        "answer or does not allow it"
    )


def run(options: argparse.Namespace, settings: Settings, now: dt.datetime) -> int:
    """Explain, and with --apply do it."""
    from seawall.core.errors import IntegrityError

    _check(options)
    with progress.Bars(is_quiet=options.json) as bars, _opened(options, settings, now) as opened:
        moving = opened.showing(bars.show)
        try:
            source = moving.examine(_pin(options), unsafe_first_use=options.unsafe_first_use)
        except IntegrityError as error:
            _print_refusal(error, options.json)
            return 1
        explained = moving.explain(source)
        done = _apply(options, settings, moving, explained) if options.apply else None
    _print(explained, done, options.json)
    return 0


def _check(options: argparse.Namespace) -> None:
    from seawall.core.errors import InvalidInputError

    if options.to is None and options.only == "signatures":
        raise InvalidInputError("signatures are copied to another place", remedy="name it: --to")
    if options.to is None and options.server is None:
        raise InvalidInputError(
            "the same name is asked for, so the old server must be named by another",
            remedy="give --server HOST[:PORT], or --to for another name",
        )


def _pin(options: argparse.Namespace) -> Pin | None:
    from seawall.core.errors import InvalidInputError
    from seawall.trust.tuf.chain import Pin

    for one in options.fingerprints:
        if len(one) != 64 or set(one) - set("0123456789abcdef"):
            raise InvalidInputError(f"{one[:80]!r} is not 64 lower-case hex digits")
    return Pin(root_key_ids=frozenset(options.fingerprints)) if options.fingerprints else None


@contextlib.contextmanager
def _opened(
    options: argparse.Namespace, settings: Settings, now: dt.datetime
) -> Iterator[Migration]:
    from seawall.cli.migrating import Migration
    from seawall.trust.tuf.names import Gun

    old = _registry_options.parse_reference(options.old)
    new = _registry_options.parse_reference(options.to or options.old)
    has_registry = options.to is not None and options.only != "tree"
    with contextlib.ExitStack() as stack:
        yield Migration(
            old=Gun.of(str(old.host), old.repository),
            new=Gun.of(str(new.host), new.repository),
            notary=None if options.only == "signatures" else stack.enter_context(
                _old_client(options, old, settings, _notary_of(options, old))
            ),
            old_registry=stack.enter_context(
                _old_client(options, old, settings, HUB_REGISTRY if old.host == HUB else None)
            )
            if has_registry
            else None,
            new_registry=stack.enter_context(
                _registry_options.open_client(options, new, settings)
            ),
            keys=_keys(options, settings) if has_registry else (),
            now=now,
        )  # fmt: skip


def _notary_of(options: argparse.Namespace, old: Reference) -> str | None:
    """Return where the old trust data is; None: at the old registry itself."""
    server: str | None = options.server
    return server or (HUB_NOTARY if old.host == HUB else None)


def _old_client(
    options: argparse.Namespace, old: Reference, settings: Settings, at: str | None
) -> RegistryClient:
    own = argparse.Namespace(
        user=options.from_user,
        password_file=options.from_password_file,
        ca=options.from_ca,
        unsafe_plain_http=options.from_unsafe_plain_http,
    )
    return _registry_options.open_client(own, old, settings, at=at)


def _keys(options: argparse.Namespace, settings: Settings) -> list[TrustedKey]:
    from seawall.app import databases
    from seawall.core.clock import SystemClock
    from seawall.trust import key_files
    from seawall.trust.model import TrustedKey
    from seawall.trust.trusted import TrustedKeys

    if options.signed_by:
        found = [(path, key_files.read_public(path)) for path in options.signed_by]
        return [
            TrustedKey(key_id=key.key_id, name=path.name, public_pem=key.pem, patterns=("**",))
            for path, key in found
        ]
    if not settings.database.exists():
        return []
    with databases.opened_database(settings) as database:
        return list(TrustedKeys(database, SystemClock()).list())


def _apply(
    options: argparse.Namespace, settings: Settings, moving: Migration, explained: Explained
) -> Done:
    from seawall.app import setup
    from seawall.cli import local
    from seawall.cli.migrating import Done
    from seawall.trust.migration import Way

    source, tree = explained.source, Done()
    if source is not None:
        keys = signers.open_signers(options.keys, options, settings)
        if moving.way is Way.SAME_NAME:
            with setup.opened(settings) as house:
                tree = moving.adopt(source, keys, house, local.who(settings))
        else:
            tree = moving.publish(source, keys, settings.home.pins)
    copied = moving.copy_signatures(explained.rows)
    return Done(published=tree.published, copied=copied.copied)


def _print_refusal(error: Exception, as_json: bool) -> None:
    from seawall.core.errors import SeawallError

    assert isinstance(error, SeawallError)
    if as_json:
        print(json.dumps({"is_valid": False, "message": error.message, "remedy": error.remedy}))
    else:
        print(f"NOT VERIFIED: {error.message}\n  {error.remedy}")


def _print(explained: Explained, done: Done | None, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_document(explained, done), ensure_ascii=False))
        return
    _print_source(explained)
    _print_rows(explained)
    if done is None:
        print("Nothing was changed: do it with --apply.")
        return
    for role in done.published:
        print(f"published: {role}")
    for one in done.copied:
        state = one.problem or ("copied" if one.is_new else "was there already")
        print(f"{one.name}: {state}")
    print("Done, and proven where it stands now.")


def _print_source(explained: Explained) -> None:
    from seawall.cli.local import printable

    source = explained.source
    if source is not None:
        keys = ", ".join(sorted(source.root_key_ids))
        print(f"{source.gun}: root version {source.current.root.version}, {keys}")
        print(f"to be brought over as {explained.way.value.replace('-', ' ')}")
    for note in explained.notes:
        print(f"  {printable(note)}")


def _print_rows(explained: Explained) -> None:
    from seawall.cli.local import printable

    width = max([len("tag"), *(len(row.tag) for row in explained.rows)])
    print(f"{'tag':<{width}}  " + "  ".join(f"{view:<11}" for view in VIEWS))
    for row in explained.rows:
        cells = (f"{MARKS[row.before[view]]} → {MARKS[row.after[view]]}" for view in VIEWS)
        print(f"{row.tag:<{width}}  " + "  ".join(f"{cell:<11}" for cell in cells).rstrip())
        for note in row.notes:
            print(f"{'':<{width}}  {printable(note)}")


def _document(explained: Explained, done: Done | None) -> dict[str, object]:
    source = explained.source
    return {
        "way": explained.way.value,
        "root_key_ids": sorted(source.root_key_ids) if source else [],
        "notes": list(explained.notes),
        "tags": [
            {
                "tag": row.tag,
                "digest": row.digest,
                "is_image_there": row.is_image_there,
                "before": row.before,
                "after": row.after,
                "notes": list(row.notes),
            }
            for row in explained.rows
        ],
        "is_done": done is not None,
        "published": list(done.published) if done else [],
        "copied": [
            {"name": one.name, "is_new": one.is_new, "problem": one.problem}
            for one in (done.copied if done else ())
        ],
    }
