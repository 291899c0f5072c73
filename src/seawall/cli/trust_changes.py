"""What `seawall trust` changes: each opens the tree with proof, edits, publishes, proves again."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from typing import TYPE_CHECKING, Final

from seawall.cli import _trust_options, enrolling, own_trees, signers
from seawall.core.errors import InvalidInputError
from seawall.oci.names import Tag
from seawall.trust import key_files
from seawall.trust.tuf import approvals, edits, roots, rotations
from seawall.trust.tuf.drafts import Keyring, Upload
from seawall.trust.tuf.edits import Removal
from seawall.trust.tuf.names import RELEASES, ROOT, Role

if TYPE_CHECKING:
    from seawall.cli.own_trees import Opened, Site
    from seawall.config import Settings

EXIT_WAITS: Final = 1


def init(options: argparse.Namespace, settings: Settings, now: dt.datetime) -> int:
    keys = options.keys or ([] if options.root_keys else [signers.DEFAULT_KEY])
    if options.root_keys and not keys:
        keys = [signers.DEFAULT_KEY]
    found = signers.open_signers([*options.root_keys, *keys], options, settings)
    root, rest = found[: len(options.root_keys)], found[len(options.root_keys) :]
    if len(rest) != 1:
        raise InvalidInputError("one --key signs the tags", remedy="add signers afterwards")
    with _trust_options.opened(options, options.image, settings) as (site, _):
        made = own_trees.init(site, root or rest, rest[0], now, threshold=options.threshold)
        enrolment = enrolling.enrol(site, made.pin.root_key_ids)
    ids = sorted(made.pin.root_key_ids)
    if options.json:
        shown = {"repository": str(site.gun), "root_key_ids": ids, "enrolment": enrolment}
        print(json.dumps(shown))
        return 0
    print(f"made the tree of {site.gun} and pinned its root")
    print_fingerprint(site, ids)
    if enrolment:
        print(enrolment)
    if not root:
        print("the key that signs tags holds the root too: whoever steals it owns the tree")
    return 0


def add_signer(options: argparse.Namespace, settings: Settings, now: dt.datetime) -> int:
    public = key_files.read_public(options.file)
    keyring = _keyring(options, settings)
    edits.signer_role(options.name)
    outcome = 0
    for text in options.repositories:
        with _trust_options.opened(options, text, settings) as (site, _):
            opened = _open(site, options, keyring, now)
            upload = edits.add_signer(opened.current, keyring, options.name, public, now)
            done = own_trees.publish(site, opened, upload, keyring, now)
        outcome = max(outcome, _tell(options, site, f"{options.name} may sign", upload, done))
    return outcome


def remove_signer(options: argparse.Namespace, settings: Settings, now: dt.datetime) -> int:
    """Show what stops being vouched for; do it when told to."""
    keyring = _keyring(options, settings)
    with _trust_options.opened(options, options.image, settings) as (site, _):
        opened = _open(site, options, keyring, now)
        removal = edits.remove_signer(opened.current, keyring, options.name, now)
        if not options.yes:
            _show_removal(options, site, removal)
            return EXIT_WAITS
        done = own_trees.publish(site, opened, removal.upload, keyring, now)
    if not options.json:
        _show_affected(removal)
    return _tell(options, site, f"{options.name} may sign no longer", removal.upload, done)


def revoke(options: argparse.Namespace, settings: Settings, now: dt.datetime) -> int:
    keyring = _keyring(options, settings)
    with _trust_options.opened(options, options.image, settings) as (site, image):
        if (
            image.tag is None
            or image.digest is not None
            or ":" not in options.image.rpartition("/")[2]
        ):
            raise InvalidInputError("name the tag: HOST/REPOSITORY:TAG, without a digest")
        opened = _open(site, options, keyring, now)
        upload = edits.revoke(opened.current, keyring, Tag(image.tag), now)
        done = own_trees.publish(site, opened, upload, keyring, now)
    return _tell(options, site, f"{image.tag} is revoked", upload, done)


def rotate(options: argparse.Namespace, settings: Settings, now: dt.datetime) -> int:
    role = Role(options.role)
    is_servers = options.role in ("snapshot", "timestamp")
    if is_servers == bool(options.new_keys):
        raise InvalidInputError(
            f"the server makes the new key of {role}" if is_servers else "name the new key",
            remedy="leave --new-key out" if is_servers else "with --new-key",
        )
    olds = options.keys or [signers.DEFAULT_KEY]
    found = signers.open_signers([*olds, *options.new_keys], options, settings)
    keyring, fresh = Keyring.of(found), found[len(olds) :]
    with _trust_options.opened(options, options.image, settings, may_delete=is_servers) as (
        site,
        _,
    ):
        opened = _open(site, options, keyring, now)
        current = opened.current
        if is_servers:
            key = site.trees.new_server_key(role)
            upload = rotations.rotate_server_key(current, keyring, role, key, now)
        elif role == ROOT:
            before = current.root_body.roles[ROOT].threshold
            wanted = options.threshold or min(before, len(fresh))
            upload = rotations.rotate_root(current, keyring, fresh, now, threshold=wanted)
        else:
            upload = rotations.rotate_targets(current, keyring, fresh[0], now)
        done = own_trees.publish(site, opened, upload, keyring, now)
    if role == ROOT and not options.json:
        root = next(one.file for one in upload.drafts if one.file.role == ROOT)
        print_fingerprint(site, sorted(roots.key_ids(root)))
    return _tell(options, site, f"{role} has another key", upload, done)


def threshold(options: argparse.Namespace, settings: Settings, now: dt.datetime) -> int:
    role = RELEASES if options.role == "releases" else ROOT
    keyring = _keyring(options, settings)
    with _trust_options.opened(options, options.image, settings) as (site, _):
        opened = _open(site, options, keyring, now)
        upload = rotations.set_threshold(opened.current, keyring, role, options.count, now)
        done = own_trees.publish(site, opened, upload, keyring, now)
    return _tell(options, site, f"{role} wants {options.count} signatures", upload, done)


def renew(options: argparse.Namespace, settings: Settings, now: dt.datetime) -> int:
    keyring = _keyring(options, settings)
    within = dt.timedelta(days=options.within)
    with _trust_options.opened(options, options.image, settings) as (site, _):
        opened = _open(site, options, keyring, now)
        upload = rotations.renew(opened.current, keyring, now, within=within)
        done = own_trees.publish(site, opened, upload, keyring, now)
    names = ", ".join(upload.files) or "nothing was due"
    return _tell(options, site, f"renewed: {names}", upload, done)


def approve(options: argparse.Namespace, settings: Settings, now: dt.datetime) -> int:
    """Show what waits; sign it when told to, and publish it when that was the last signature."""
    keyring = _keyring(options, settings)
    with _trust_options.opened(options, options.image, settings) as (site, _):
        opened = _open(site, options, keyring, now)
        waiting = own_trees.waiting(site, opened.current)
        upload = approvals.approve(opened.current, keyring, waiting)
        lines = approvals.changes(opened.current, waiting)
        if not options.json:
            print("\n".join(lines) if lines else "nothing waits")
        if not lines:
            return 0
        if not options.yes:
            print("look at it, then sign it with --yes")
            return EXIT_WAITS
        done = own_trees.publish(site, opened, upload, keyring, now)
        if done:
            own_trees.settle(site, waiting)
    return _tell(options, site, "signed", upload, done)


def print_fingerprint(site: Site, ids: list[str]) -> None:
    """Say what others have to pin."""
    for one in ids:
        print(f"ROOT FINGERPRINT {one}")
    words = " ".join(f"--root {one}" for one in ids)
    print(f"give it to everybody who verifies: seawall trust pin {site.gun} {words}")


def _keyring(options: argparse.Namespace, settings: Settings) -> Keyring:
    return Keyring.of(signers.open_signers(options.keys, options, settings))


def _open(site: Site, options: argparse.Namespace, keyring: Keyring, now: dt.datetime) -> Opened:
    return own_trees.open_tree(site, now, keyring, unsafe_first_use=options.unsafe_first_use)


def _show_removal(options: argparse.Namespace, site: Site, removal: Removal) -> None:
    if options.json:
        print(json.dumps({"repository": str(site.gun), "affected": _affected(removal)}))
        return
    _show_affected(removal)
    if removal.upload.unsigned:
        print(
            "targets/releases cannot be written anew, since no key of it was given: tags that only"
            "\nthe removed key signed stop verifying, the others when a present signer signs again"
        )
    print("do it with --yes")


def _show_affected(removal: Removal) -> None:
    if not removal.affected:
        print("no tag loses its only signer")
    for one in removal.affected:
        print(f"no longer vouched for: {one.tag}  {one.target.digest}")


def _affected(removal: Removal) -> list[dict[str, str]]:
    return [{"tag": one.tag, "digest": one.target.digest} for one in removal.affected]


def _tell(options: argparse.Namespace, site: Site, what: str, upload: Upload, is_done: bool) -> int:
    if options.json:
        print(json.dumps(_document(site, upload, is_done)))
        return 0 if is_done else EXIT_WAITS
    if is_done:
        print(f"{what}: {site.gun}")
    for draft in upload.pending:
        for need in draft.requirements:
            if need.missing:
                who = ", ".join(sorted(one[:12] for one in need.may_sign - need.have_signed))
                print(f"WAITS: {draft.file.role} needs {need.missing} more of: {who}")
    if upload.pending:
        print(f"they sign with: seawall trust approve {site.gun} --key KEY")
    for role in upload.unsigned:
        print(f"not written anew, for want of its key: {role}")
    return 0 if is_done else EXIT_WAITS


def _document(site: Site, upload: Upload, is_done: bool) -> dict[str, object]:
    return {
        "repository": str(site.gun),
        "is_done": is_done,
        "published": sorted(upload.files),
        "unsigned": sorted(upload.unsigned),
        "waiting": [
            {
                "role": draft.file.role,
                "missing": need.missing,
                "may_sign": sorted(need.may_sign - need.have_signed),
            }
            for draft in upload.pending
            for need in draft.requirements
            if need.missing
        ],
    }
