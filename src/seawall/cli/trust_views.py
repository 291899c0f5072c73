"""What `seawall trust` shows and remembers: a proven tree, who still has to sign, pins."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Final

from seawall.cli import _trust_options, enrolling, own_trees, pin_files, verification_files
from seawall.cli.trust_changes import print_fingerprint
from seawall.core.errors import IntegrityError, InvalidInputError, NotFoundError
from seawall.trust.tuf import approvals, chain, drafts, metadata, roots
from seawall.trust.tuf.chain import Pin
from seawall.trust.tuf.drafts import Current, Keys
from seawall.trust.tuf.model import File, Timestamp
from seawall.trust.tuf.names import BASE_ROLES, RELEASES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, Role

if TYPE_CHECKING:
    from seawall.cli.own_trees import Opened, Site
    from seawall.config import Settings

SOON: Final = dt.timedelta(days=90)
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


def show(options: argparse.Namespace, settings: Settings, now: dt.datetime) -> int:
    with _trust_options.opened(options, options.image, settings) as (site, _):
        opened = own_trees.open_tree(site, now, unsafe_first_use=options.unsafe_first_use)
    if options.json:
        print(json.dumps(_tree_document(site, opened), ensure_ascii=False))
        return 0
    current = opened.current
    print(f"{site.gun}, proven from the pinned root")
    for role in (*BASE_ROLES, *sorted(_declared(current))):
        keys = current.keys_of(role)
        print(f"  {role:<24} {keys[0].threshold} of {', '.join(_ids(keys))}")
    tags = _tags(current)
    print(f"tags: {len(tags)}")
    for tag, (digest, signers) in tags.items():
        print(f"  {tag:<24} {digest}  {', '.join(signers)}")
    return 0


def status(options: argparse.Namespace, settings: Settings, now: dt.datetime) -> int:
    """Show what expires and what waits. Exit code 1 while something waits for a signature."""
    with _trust_options.opened(options, options.image, settings) as (site, _):
        opened = own_trees.open_tree(site, now, unsafe_first_use=options.unsafe_first_use)
        waiting = own_trees.waiting(site, opened.current)
    current = opened.current
    pending = approvals.judge(current, waiting)
    files = _files(opened)
    if options.json:
        print(json.dumps(_status_document(site, files, pending, now)))
        return 1 if pending else 0
    for file in files:
        soon = "  SOON: seawall trust renew" if _is_soon(file, now) else ""
        print(f"{file.role:<24} version {file.version:<6} until {file.body.expires:%F}{soon}")
    for line in approvals.changes(current, waiting):
        print(f"WAITS: {line}")
    people = {one: role for role, ids in current.signers().items() for one in ids}
    for draft in pending:
        for need in draft.requirements:
            if need.missing:
                who = ", ".join(
                    f"{people.get(one, 'key')} {one[:12]}"
                    for one in sorted(need.may_sign - need.have_signed)
                )
                print(f"{draft.file.role} needs {need.missing} more of: {who}")
    return 1 if pending else 0


def pin(options: argparse.Namespace, settings: Settings, now: dt.datetime) -> int:
    """Pin a root by its fingerprint; without one, show what is pinned."""
    ids = frozenset(options.fingerprints)
    if wrong := [one for one in ids if _FINGERPRINT.fullmatch(one) is None]:
        raise InvalidInputError(f"{wrong[0][:80]!r} is no fingerprint of 64 hex digits")
    if options.installation:
        from seawall.cli import pins

        return pins.run(options, settings, now)
    with _trust_options.opened(options, options.image, settings) as (site, _):
        if options.forget:
            is_there = pin_files.forget(site.pins, site.gun)
            print(f"{site.gun} is pinned no longer" if is_there else f"{site.gun} was not pinned")
            return 0
        if ids:
            found = _pin_by(site, Pin(root_key_ids=ids), now)
        else:
            found = pin_files.read(site.pins, site.gun) or _first_use(site, options, now)
        told = enrolling.enrol(site, found.root_key_ids) if options.registry else ""
    _print_pin(site, found, options.json)
    if told and not options.json:
        print(told)
    return 0


def export(options: argparse.Namespace, settings: Settings, now: dt.datetime) -> int:
    """Write image manifest, signatures and tree into one file, for `verify --offline`."""
    with _trust_options.opened(options, options.image, settings) as (site, image):
        found = verification_files.collect(site, image, now)
    verification_files.write(options.output, found)
    if options.json:
        print(json.dumps({"file": str(options.output), "digest": found.digest}))
    else:
        print(f"wrote {options.output}: {found.image}@{found.digest}")
        print(f"verify it: seawall verify {found.image} --offline {options.output}")
    return 0


def _pin_by(site: Site, wanted: Pin, now: dt.datetime) -> Pin:
    tree = site.trees.fetch(wanted)
    proof = chain.prove(
        None, None, gun=site.gun, tree=tree, pin=wanted, now=now,
        timestamp_lifetime=site.timestamp_lifetime,
    )  # fmt: skip
    if not proof.is_valid or proof.pin_after is None:
        failed = proof.failures[-1]
        raise IntegrityError(
            f"not pinned, step {failed.number} ({failed.name}): {failed.detail}",
            remedy=proof.remedy,
        )
    pin_files.replace(site.pins, site.gun, proof.pin_after)
    return proof.pin_after


def _first_use(site: Site, options: argparse.Namespace, now: dt.datetime) -> Pin:
    if options.unsafe_first_use:
        return own_trees.open_tree(site, now, unsafe_first_use=True).pin
    tree = site.trees.fetch(None)
    if tree is None or not tree.roots:
        raise NotFoundError(
            f"the registry has no trust data for {site.gun}", remedy=own_trees.NO_TREE
        )
    ids = sorted(roots.key_ids(metadata.parse(ROOT, tree.roots[-1])))
    raise InvalidInputError(
        f"{site.gun} is not pinned; the server shows a root of {', '.join(ids)}",
        remedy="compare that with what its owner gives you, then name it with --root",
    )


def _print_pin(site: Site, found: Pin, as_json: bool) -> None:
    ids = sorted(found.root_key_ids)
    if as_json:
        seen = {str(role): version for role, version in found.seen.items()}
        print(json.dumps({"repository": str(site.gun), "root_key_ids": ids, "seen": seen}))
        return
    print(f"{site.gun} is pinned")
    print_fingerprint(site, ids)
    for role, version in sorted(found.seen.items()):
        print(f"  seen: {role} version {version}")


def _declared(current: Current) -> list[Role]:
    return [
        one.role
        for file in current.files.values()
        if (body := current.body(file.role))
        for one in body.delegations
    ]


def _ids(keys: Keys) -> list[str]:
    entry, known = keys
    return sorted({known[one].canonical_id[:12] for one in entry.key_ids})


def _tags(current: Current) -> dict[str, tuple[str, list[str]]]:
    """Return each tag as clients find it, with the roles of those who name the same digest."""
    found: dict[str, tuple[str, list[str]]] = {}
    bodies = {role: file for role in current.files if (file := current.body(role))}
    for role in (RELEASES, TARGETS):
        body = bodies.get(role)
        if body is None or (role == RELEASES and current.targets.delegation(RELEASES) is None):
            continue
        for tag, target in sorted(body.targets.items()):
            also = [
                str(one)
                for one, said in bodies.items()
                if one != RELEASES and tag in said.targets
                and said.targets[tag].digest == target.digest
            ]  # fmt: skip
            found.setdefault(tag, (str(target.digest), also))
    return found


def _tree_document(site: Site, opened: Opened) -> dict[str, object]:
    current = opened.current
    return {
        "repository": str(site.gun),
        "root_key_ids": sorted(opened.pin.root_key_ids),
        "roles": [_role_document(role, current) for role in (*BASE_ROLES, *_declared(current))],
        "tags": [
            {"tag": tag, "digest": digest, "signers": signers}
            for tag, (digest, signers) in _tags(current).items()
        ],
    }


def _role_document(role: Role, current: Current) -> dict[str, object]:
    entry, known = current.keys_of(role)
    return {
        "role": role,
        "threshold": entry.threshold,
        "key_ids": sorted({known[one].canonical_id for one in entry.key_ids}),
    }


def _files(opened: Opened) -> list[File]:
    current = opened.current
    timestamp = metadata.parse(TIMESTAMP, opened.tree.timestamp)
    assert timestamp.said(Timestamp).snapshot.fits(opened.tree.snapshot)
    named = {TARGETS, *_declared(current)}
    kept = [file for role, file in sorted(current.files.items()) if role in named]
    return [current.root, *kept, current.snapshot, timestamp]


def _is_soon(file: File, now: dt.datetime) -> bool:
    return file.role not in (SNAPSHOT, TIMESTAMP) and file.body.expires < now + SOON


def _status_document(
    site: Site, files: list[File], pending: tuple[drafts.Draft, ...], now: dt.datetime
) -> dict[str, object]:
    return {
        "repository": str(site.gun),
        "files": [
            {
                "role": file.role,
                "version": file.version,
                "expires": file.body.expires.isoformat(),
                "is_due": _is_soon(file, now),
            }
            for file in files
        ],
        "waiting": [
            {
                "role": draft.file.role,
                "version": draft.file.version,
                "missing": need.missing,
                "have_signed": sorted(need.have_signed),
                "may_sign": sorted(need.may_sign - need.have_signed),
            }
            for draft in pending
            for need in draft.requirements
        ],
    }
