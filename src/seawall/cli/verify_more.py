"""The parts of `seawall verify` beside signatures and tree: the log, and the content itself."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seawall.cli import _registry_options
from seawall.core.errors import InvalidInputError

if TYPE_CHECKING:
    from seawall.cli.image_content import ContentProof
    from seawall.cli.image_judging import Judged
    from seawall.cli.image_log import ImageLogProof
    from seawall.cli.verification_files import Evidence
    from seawall.cli.verify_tree import Asked
    from seawall.trust.model import TrustedKey


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what else is proven."""
    parser.add_argument(
        "--logged", action="store_true",
        help="want each signer's entry in the registry's transparency log, and that the log shows"
        " one tree to everybody",
    )  # fmt: skip
    parser.add_argument(
        "--log-root", type=Path, metavar="FILE",
        help="trusted_root.json with the log's key (default: this installation's, or as remembered"
        " by `log verify`)",
    )  # fmt: skip
    parser.add_argument(
        "--no-content", action="store_true",
        help="do not fetch the configuration and layers to hold them against their digests",
    )  # fmt: skip


def prove_log(
    asked: Asked, evidence: Evidence, judged: Judged | None, keys: Sequence[TrustedKey]
) -> ImageLogProof | None:
    """Prove that the log holds the signatures that count; None when that was not asked for."""
    from seawall.cli import image_log, log_sources

    options, settings, image = asked.options, asked.settings, asked.image
    if not options.logged:
        return None
    if judged is None:
        raise InvalidInputError("--logged needs a key whose signatures are looked at: --key")
    if options.offline is not None and options.log_root is None:
        raise InvalidInputError("--logged without a network needs the log's key: --log-root")
    is_own = options.log_root is None and str(image.host) in settings.registry_hosts
    scheme = "http" if options.unsafe_plain_http else "https"
    where = argparse.Namespace(
        url=None if is_own else f"{scheme}://{image.host}",
        trusted_root=options.log_root,
        unsafe_trust_on_first_use=False,
        user=options.user,
        password_file=options.password_file,
        ca=options.ca,
        unsafe_plain_http=options.unsafe_plain_http,
    )
    wanted = image_log.Wanted(
        signatures=evidence.signatures,
        judged=judged,
        keys=keys,
        signers=options.signers,
        now=asked.now,
    )
    if options.offline is not None:
        return image_log.prove(wanted, log_sources.read_root(options.log_root), None)
    with log_sources.opened(where, settings, purpose="log") as source:
        return image_log.prove(wanted, source.log, source)


def prove_content(asked: Asked, evidence: Evidence) -> ContentProof | None:
    """Hold all bytes of the image against their digests; None when that was not wanted."""
    from seawall.cli import image_content

    options, image = asked.options, asked.image
    if options.no_content or options.offline is not None:
        return None
    with _registry_options.open_client(options, image, asked.settings) as client:
        return image_content.check(client, image.repository, evidence.manifest)
