"""`seawall sign --upload`: bring to the registry what was signed offline. It needs no key.

Before anything is pushed, the tree is fetched and proven from this person's pin, and the files
that were signed must still follow it. Then the signatures go up, each bundle with the proof of the
log that it is entered into now, and the tree last. What is there already is left alone, so that an
upload that was cut off goes on when it is done again.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seawall.cli import _registry_options, _trust_options, log_client, sign_tree
from seawall.core.errors import IntegrityError, InvalidInputError

if TYPE_CHECKING:
    from seawall.cli.image_signatures import Collected, Signed
    from seawall.cli.own_trees import Opened, Site
    from seawall.cli.registry_client import RegistryClient
    from seawall.cli.signed_files import SignedFile, Signer
    from seawall.cli.tag_publishing import Published
    from seawall.config import Settings
    from seawall.oci.manifests import Descriptor
    from seawall.trust.bundle import Log
    from seawall.trust.cosign import Upload
    from seawall.trust.tuf.drafts import Upload as TreeUpload
    from seawall.trust.tuf.model import File
    from seawall.trust.tuf.names import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What to publish over a tree that was proven just now."""

    opened: Opened
    upload: TreeUpload
    waiting: Mapping[Role, File]


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Upload, and print what became of it."""
    from seawall.cli import signed_files

    _refuse_others(options)
    signed = signed_files.read(options.upload)
    if options.image is not None and _registry_options.reference(options) != signed.image:
        raise InvalidInputError(f"the file is about {signed.image}, not about {options.image}")
    with _registry_options.open_client(options, signed.image, settings) as client:
        log = None if options.no_log else log_client.LogClient(client).find()
        entering = None if log is None else log.entering(signed.image)
        with _trust_options.server(options, signed.image, client, settings) as site:
            targets = _targets(client, signed)
            planned = _plan_tree(options, site, signed, targets[0])
            done = [
                (one, _upload(client, signed, one, targets, entering)) for one in signed.signers
            ]
            tree = None if planned is None else _publish(site, planned)
    _tell(options, signed, done, None if log is None else log.name, tree)
    return 1 if sign_tree.is_waiting(tree) else 0


def _refuse_others(options: argparse.Namespace) -> None:
    if options.keys or options.root_keys or options.attest_scan:
        raise InvalidInputError(
            "--upload signs nothing", remedy="leave --key, --root-key and --attest-scan out"
        )


def _targets(client: RegistryClient, signed: SignedFile) -> tuple[Descriptor, ...]:
    """Return the image as the registry has it; all of it must be signed, and nothing else."""
    from seawall.cli import image_signatures

    image = client.get_manifest(signed.image.repository, signed.digest)
    targets = (image.descriptor, *image_signatures.platforms(image))
    for one in signed.signers:
        if one.signatures.keys() != {target.digest for target in targets}:
            raise IntegrityError(
                f"the file does not hold the signatures of {signed.digest} and its platforms",
                remedy="it was altered: sign again",
            )
    return targets


def _plan_tree(
    options: argparse.Namespace, site: Site, signed: SignedFile, image: Descriptor
) -> _Plan | None:
    """Open the tree with proof, and see whether what was signed still follows it."""
    from seawall.cli import own_trees
    from seawall.trust.tuf import carried
    from seawall.trust.tuf.model import Target

    if options.no_tree or signed.files is None:
        return None
    if signed.image.tag is None:
        raise IntegrityError("the file holds files of a tree, but names no tag")
    opened = own_trees.open_tree(
        site, dt.datetime.now(dt.UTC), unsafe_first_use=options.unsafe_first_use
    )
    waiting = own_trees.waiting(site, opened.current)
    upload = carried.resume(
        opened.current,
        signed.files,
        signed.image.tag,
        Target(digest=image.digest, length=image.size),
        waiting=waiting,
    )
    return _Plan(opened=opened, upload=upload, waiting=waiting)


def _upload(
    client: RegistryClient,
    signed: SignedFile,
    signer: Signer,
    targets: tuple[Descriptor, ...],
    log: Log | None,
) -> tuple[Signed, ...]:
    from seawall.cli import image_signatures

    return tuple(
        image_signatures.Signed(
            digest=target.digest,
            platform=str(target.platform) if target.platform else "",
            is_new=_push(client, signed, signer, target, log),
        )
        for target in targets
    )


def _push(
    client: RegistryClient, signed: SignedFile, signer: Signer, target: Descriptor, log: Log | None
) -> bool:
    from seawall.cli import image_signatures
    from seawall.trust import detached

    wanted = detached.Wanted(digest=target.digest, reference=signed.image, key=signer.public)

    def plan(found: Collected) -> list[Upload]:
        return detached.uploads(
            signer.signatures[target.digest],
            target,
            wanted,
            signed.signed_at,
            beside=detached.Beside(existing=found.artifacts, tag_manifest=found.tag_manifest),
            log=log,
        )

    return image_signatures.push_until_seen(client, signed.image.repository, target.digest, plan)


def _publish(site: Site, plan: _Plan) -> Published:
    from seawall.cli import own_trees
    from seawall.cli.tag_publishing import Outcome, Published
    from seawall.trust.tuf.drafts import Keyring

    upload = plan.upload
    if not upload.drafts:
        return Published(outcome=Outcome.UNCHANGED)
    now = dt.datetime.now(dt.UTC)
    is_done = own_trees.publish(site, plan.opened, upload, Keyring.of(()), now)
    if is_done:
        own_trees.settle(site, plan.waiting)
    return Published(
        outcome=Outcome.PUBLISHED if is_done else Outcome.WAITING, roles=tuple(upload.files)
    )


def _tell(
    options: argparse.Namespace,
    signed: SignedFile,
    done: list[tuple[Signer, tuple[Signed, ...]]],
    log: str | None,
    tree: Published | None,
) -> None:
    from seawall.cli import sign

    for signer, parts in done:
        key_id = signer.public.key_id
        if options.json:
            more = {"tree": sign_tree.document(tree)}
            print(json.dumps(sign.document(signed.image, key_id, parts, log) | more))
        else:
            sign.show(signed.image, key_id, parts, log)
    if options.json:
        return
    if tree is not None:
        sign_tree.show(signed.image, tree)
    else:
        print("the repository's tree is left as it was")
