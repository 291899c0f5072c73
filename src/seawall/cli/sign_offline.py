"""`seawall sign --offline`: all that signing an image takes, on a machine without network.

What `seawall trust export` wrote is brought here, what was signed is carried back. The file that
comes is not believed: its manifest must fit its digest, the tree is proven from this person's own
pin, and a person sees what will be signed before a key is opened. Nothing here opens a connection.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from seawall.cli import _registry_options, _trust_options, notation_signing, proof_output, signers
from seawall.core.errors import IntegrityError, InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from seawall.cli.own_trees import Opened
    from seawall.cli.signed_files import SignedFile
    from seawall.cli.signed_files import Signer as SignedBy
    from seawall.cli.verification_files import Evidence
    from seawall.config import Settings
    from seawall.oci.manifests import Descriptor
    from seawall.oci.names import Reference
    from seawall.trust.notation.signatures import Identity
    from seawall.trust.signing import Signer
    from seawall.trust.tuf.chain import Pin
    from seawall.trust.tuf.drafts import Current, Upload
    from seawall.trust.tuf.names import Gun

EXIT_LOOK: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What was brought, and what of it is to be signed."""

    evidence: Evidence
    image: Reference
    targets: tuple[Descriptor, ...]
    """The image itself, and of an index each platform's."""
    opened: Opened | None
    """The proven tree; None: it is left as it is."""


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Show what will be signed; sign it when told to."""
    from seawall.cli import signed_files

    _refuse_others(options)
    now = dt.datetime.now(dt.UTC)
    asked = _read(options, settings, now)
    if not options.json:
        _show(asked)
    if not options.yes:
        if options.json:
            print(json.dumps(_document(asked) | {"file": None}))
        else:
            print("look at it, then sign it with --yes")
        return EXIT_LOOK
    keys = signers.open_signers(options.keys, options, settings)
    identities = notation_signing.identities(keys, options, settings, now)
    # The tree first: a key that may not sign there is told before anything is touched.
    upload = _sign_tree(asked, keys, now)
    signed = signed_files.SignedFile(
        image=asked.image,
        digest=asked.evidence.digest,
        signed_at=now,
        signers=tuple(
            _sign(asked, key, identity, now) for key, identity in zip(keys, identities, strict=True)
        ),
        files=None if upload is None else {one.file.role: one.file for one in upload.drafts},
    )
    signed_files.write(options.output, signed)
    _tell(options, asked, signed)
    return 0


def _refuse_others(options: argparse.Namespace) -> None:
    if options.output is None:
        raise InvalidInputError("name the file for what is signed", remedy="with -o FILE")
    if options.attest_scan:
        raise InvalidInputError("--attest-scan asks the installation, and does not work offline")
    if options.root_keys:
        raise InvalidInputError(
            "a new tree is made with its server", remedy="make it there: seawall trust init REPO"
        )


def _read(options: argparse.Namespace, settings: Settings, now: dt.datetime) -> _Asked:
    from seawall.cli import image_signatures, verification_files

    found = verification_files.read(options.offline)
    image = _registry_options.parse_reference(str(found.image))
    if options.image is not None and _registry_options.reference(options) != image:
        raise InvalidInputError(f"the file is about {image}, not about {options.image}")
    if image.digest not in (None, found.digest):
        raise IntegrityError(f"the file names {image}, and holds {found.digest}")
    targets = (found.manifest.descriptor, *image_signatures.platforms(found.manifest))
    has_tree = not options.no_tree and image.tag is not None and image.digest is None
    opened = _open(options, settings, found, now) if has_tree else None
    return _Asked(evidence=found, image=image, targets=targets, opened=opened)


def _open(
    options: argparse.Namespace, settings: Settings, found: Evidence, now: dt.datetime
) -> Opened:
    """Prove the tree that was brought, from this person's pin, and remember how far it has come."""
    from seawall.cli import own_trees, pin_files
    from seawall.trust.tuf.names import Gun

    image = found.image
    gun = Gun.of(str(image.host), image.repository)
    pin = _pin(options, settings, gun)
    if found.tree is None and pin is None:
        raise NotFoundError(
            f"the file holds no tree of {gun}",
            remedy="let its owner make one and export again, or sign without it: --no-tree",
        )
    opened = own_trees.prove(
        gun, found.tree, pin, now,
        timestamp_lifetime=_trust_options.lifetime(options, gun.host, settings),
        unsafe_first_use=options.unsafe_first_use,
    )  # fmt: skip
    pin_files.remember(settings.home.pins, gun, opened.pin)
    return opened


def _pin(options: argparse.Namespace, settings: Settings, gun: Gun) -> Pin | None:
    """Return what this person pinned, or the fingerprint that was named for the first time."""
    from seawall.cli import pin_files
    from seawall.trust.tuf.chain import Pin

    pinned = pin_files.read(settings.home.pins, gun)
    if not options.fingerprints:
        return pinned
    if pinned is not None:
        raise InvalidInputError(f"{gun} is pinned already", remedy="leave --root out")
    return Pin(root_key_ids=frozenset(options.fingerprints))


def _sign(asked: _Asked, key: Signer, identity: Identity | None, now: dt.datetime) -> SignedBy:
    from seawall.cli import signed_files
    from seawall.trust import detached

    made = {
        target.digest: detached.make(target, asked.image, key, now, identity=identity)
        for target in asked.targets
    }
    return signed_files.Signer(public=key.public, signatures=made)


def _sign_tree(asked: _Asked, keys: Sequence[Signer], now: dt.datetime) -> Upload | None:
    """Sign the tree's files; None when it is left as it is, an empty upload when it says so."""
    from seawall.cli import tag_publishing
    from seawall.trust.tuf import drafts, edits, metadata
    from seawall.trust.tuf.drafts import Keyring, Upload

    if asked.opened is None:
        return None
    assert asked.image.tag is not None
    current, keyring = asked.opened.current, Keyring.of(keys)
    wish = tag_publishing.Wish(tag=asked.image.tag, manifest=asked.evidence.manifest, signers=keys)
    if tag_publishing.stands(current, keyring, wish):
        return Upload()
    waiting = {
        role: metadata.parse(role, content) for role, content in asked.evidence.waiting.items()
    }
    made = edits.set_tag(current, keyring, wish.tag, wish.target, now, waiting=waiting)
    own = [one for one in made.drafts if keyring.holds(current.keys_of(one.file.role))]
    return drafts.with_snapshot(current, Upload(drafts=tuple(own)), keyring, now)


def _show(asked: _Asked) -> None:
    print(f"{asked.image}, exported {asked.evidence.made_at:%FT%TZ}")
    for target in asked.targets:
        platform = f"  {target.platform}" if target.platform else ""
        print(f"  to sign: {target.digest}{proof_output.printable(platform)}")
    if asked.opened is None:
        print("  the repository's tree is left as it is: nothing binds the tag")
        return
    current = asked.opened.current
    print(f"  tree of {current.gun}, proven from the pinned root")
    print(f"  tag {asked.image.tag}: {_before(asked, current)} -> {asked.evidence.digest}")


def _before(asked: _Asked, current: Current) -> str:
    """Return what the tag stands for now, where clients look."""
    from seawall.trust.tuf.names import RELEASES, TARGETS

    for role in (RELEASES, TARGETS):
        body = current.body(role)
        if body is not None and str(asked.image.tag) in body.targets:
            return str(body.targets[str(asked.image.tag)].digest)
    return "none"


def _document(asked: _Asked) -> dict[str, object]:
    opened = asked.opened
    return {
        "image": str(asked.image),
        "digest": asked.evidence.digest,
        "platforms": {str(one.digest): str(one.platform) for one in asked.targets[1:]},
        "tag_before": None if opened is None else _before(asked, opened.current),
    }


def _tell(options: argparse.Namespace, asked: _Asked, signed: SignedFile) -> None:
    ids = [one.public.key_id for one in signed.signers]
    roles = sorted(signed.files or {})
    if options.json:
        more = {"file": str(options.output), "key_ids": ids, "roles": roles}
        print(json.dumps(_document(asked) | more))
        return
    for one in ids:
        print(f"signed by key {one}")
    if roles:
        print(f"files of the tree: {', '.join(roles)}")
    print(f"wrote {options.output}; upload it: seawall sign --upload {options.output}")
