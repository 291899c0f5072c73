"""`seawall attest`: say something about an image, signed, as stock cosign reads it."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seawall.cli import _registry_options, signers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seawall.cli.image_attestations import Attested, Predicate
    from seawall.cli.registry_client import RegistryClient
    from seawall.config import Settings
    from seawall.oci.manifests import Descriptor
    from seawall.oci.names import Reference
    from seawall.trust.signing import Signer

STANDARD_INPUT: Final = Path("-")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _registry_options.add(parser)
    parser.add_argument(
        "--type", dest="kind", metavar="TYPE",
        help="slsaprovenance, cyclonedx, spdx, vuln, openvex, or the URI of another predicate type",
    )  # fmt: skip
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--predicate", type=Path, metavar="FILE", help="what is said, JSON; - reads it"
    )
    source.add_argument(
        "--from-scan", nargs="?", const="", metavar="LAYOUT",
        help="say what Seawall's scanner found (vuln) and what the image holds (cyclonedx); of an"
        " image elsewhere, name its OCI layout or `docker save` archive",
    )  # fmt: skip
    signers.add_arguments(parser)
    parser.add_argument(
        "--no-log", action="store_true", help="do not enter it into the registry's log"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.epilog = (
        "Of a multi-platform index, --predicate is said about the index, and --from-scan about\n"
        "each platform's image that was scanned. Saying the same again changes nothing. What is\n"
        "said enters the registry's transparency log, up to 2 MiB of it.\n"
        "Exit codes: 0 attested, 2 wrong input, 3 the registry does not answer or does not allow\n"
        "it, or there is no report"
    )


def run(options: argparse.Namespace, settings: Settings) -> int:
    from seawall.cli import scan_predicates

    image = _registry_options.reference(options)
    given = None if options.predicate is None else _given(options)
    keys = signers.open_signers(options.keys, options, settings)
    with _registry_options.open_client(options, image, settings) as client:
        if given is None:
            wanted = scan_predicates.wanted(options.kind)
            found = scan_predicates.collect(client, image, options.from_scan, wanted, settings)
        else:
            found = [(client.get_manifest(image.repository, image.target).descriptor, given)]
        for signer in keys:
            done = _attest_all(client, image, found, signer, is_logged=not options.no_log)
            _print(image, signer, done, options.json)
    return 0


def attest_scan(
    client: RegistryClient,
    image: Reference,
    keys: Sequence[Signer],
    options: argparse.Namespace,
    settings: Settings,
) -> None:
    """Attest what this installation's scanner found: the second half of `sign --attest-scan`."""
    from seawall.cli import scan_predicates

    found = scan_predicates.collect(client, image, "", scan_predicates.FROM_SCAN, settings)
    for signer in keys:
        done = _attest_all(client, image, found, signer, is_logged=not options.no_log)
        _print(image, signer, done, options.json)


def _given(options: argparse.Namespace) -> Predicate:
    from seawall.cli.image_attestations import Predicate
    from seawall.core.errors import InvalidInputError
    from seawall.trust.attestations import kinds, statement

    if options.kind is None:
        raise InvalidInputError(
            "--predicate needs --type", remedy=f"one of {', '.join(kinds.NAMES)}"
        )
    predicate_type = kinds.parse(options.kind)
    content = statement.parse_predicate(_read(options.predicate))
    kinds.check(predicate_type, content)
    return Predicate(predicate_type=predicate_type, content=content)


def _read(path: Path) -> bytes:
    """Read one byte more than is allowed at most, so that what is too large is refused as such."""
    from seawall.core.errors import NotFoundError
    from seawall.trust.attestations.statement import PREDICATE_MAX_BYTES

    if path == STANDARD_INPUT:
        return sys.stdin.buffer.read(PREDICATE_MAX_BYTES + 1)
    try:
        with path.open("rb") as opened:
            return opened.read(PREDICATE_MAX_BYTES + 1)
    except OSError as error:
        raise NotFoundError(f"cannot read {path}: {error.strerror}") from error


def _attest_all(
    client: RegistryClient,
    image: Reference,
    found: Sequence[tuple[Descriptor, Predicate]],
    signer: Signer,
    *,
    is_logged: bool,
) -> tuple[Attested, ...]:
    from seawall.cli.image_attestations import Attestor
    from seawall.cli.log_client import LogClient

    now = dt.datetime.now(dt.UTC)
    log = LogClient(client).find() if is_logged else None
    entering = None if log is None else log.entering(image)
    attestor = Attestor(client=client, reference=image, signer=signer, now=now, log=entering)
    return tuple(attestor.attest(target, predicate) for target, predicate in found)


def _print(image: Reference, signer: Signer, done: tuple[Attested, ...], as_json: bool) -> None:
    from seawall.trust.attestations import kinds

    key_id = signer.public.key_id
    if as_json:
        attested = [
            {"digest": one.digest, "predicate_type": one.predicate_type, "is_new": one.is_new}
            for one in done
        ]
        print(json.dumps({"image": str(image), "key_id": key_id, "attested": attested}))
        return
    for one in done:
        state = "attested" if one.is_new else "was attested already"
        kind = kinds.name_of(one.predicate_type)
        print(f"{state}: {kind} of {image.host}/{image.repository}@{one.digest}")
    print(f"by key {key_id}")
