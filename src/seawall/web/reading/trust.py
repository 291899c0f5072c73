"""The page of a repository's trust: who may sign, what is signed, what waits, what the log has."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from seawall.core.clock import Clock
from seawall.core.errors import NotFoundError, SeawallError
from seawall.flows.pinned_trees import TreeProof
from seawall.flows.scanning import signed_by_tag
from seawall.flows.vouching import Vouching
from seawall.oci.names import RepositoryName
from seawall.policy.model import TreeState
from seawall.registry.model import TaggedDigest
from seawall.registry.service import Registry
from seawall.trust import keys
from seawall.trust.log.transparency import StoredEntry
from seawall.trust.model import TrustedKey
from seawall.trust.pending import PendingFiles, Waiting
from seawall.trust.tuf import keys as tuf_keys
from seawall.trust.tuf import metadata, names
from seawall.trust.tuf.chain import Tree
from seawall.trust.tuf.drafts import Current
from seawall.trust.tuf.keys import TufKey
from seawall.trust.tuf.model import File
from seawall.trust.tuf.names import BASE_ROLES
from seawall.trust.tuf.names import Role as RoleName
from seawall.web import trust_views, views
from seawall.web.views import Outcome

ABOUT_A_TAG: Final = 12
"""Steps of `trust.tuf.chain` from here on are about one tag."""

TAGS_SHOWN: Final = 50
ENTRIES_SHOWN: Final = 20

_OUTCOMES: Final = {TreeState.UNPINNED: Outcome.PENDING, TreeState.PROVEN: Outcome.ALLOWED}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustReader:
    """Reads one page."""

    registry: Registry
    vouching: Vouching
    pending: PendingFiles
    clock: Clock

    def read(self, repository: RepositoryName, host: str) -> trust_views.TrustPage | None:
        """Return the page; None when there is no such repository."""
        try:
            tagged = self.registry.tag_list_with_digests(repository)
        except NotFoundError:
            return None
        now = self.clock.now()
        trusted = self.vouching.signatures.trusted_keys.for_repository(repository)
        known = _Names(trusted)
        tree = self.vouching.trees.look(repository, now=now)
        images = [one for one in tagged if signed_by_tag(one.tag) is None]
        log = self.vouching.logged.log
        return trust_views.TrustPage(
            registry=host,
            repository=repository,
            keys=tuple(known.of(key.key_id) for key in trusted),
            authorities=tuple(self._authorities(repository)),
            pin=_pin(tree),
            tree=_OUTCOMES.get(tree.state, Outcome.REFUSED),
            tree_note=tree.explanation,
            steps=_steps(tree),
            refreshed_at=tree.refreshed_at,
            expires=tree.expires,
            roles=tuple(self._roles(repository, known, now)),
            tags=tuple(self._tag(repository, one, now) for one in images[:TAGS_SHOWN]),
            tags_total=len(images),
            waiting=tuple(self._waiting(repository, known)),
            log=tuple(
                _entry(one, known) for one in log.of_repository(repository, limit=ENTRIES_SHOWN)
            ),
            log_size=log.size(),
        )

    def _authorities(self, repository: RepositoryName) -> Iterator[trust_views.Authority]:
        for one in self.vouching.signatures.authorities.for_repository(repository):
            yield trust_views.Authority(
                name=one.name, kind=one.kind.value, identities=one.identities
            )

    def _roles(
        self, repository: RepositoryName, known: _Names, now: dt.datetime
    ) -> Iterator[trust_views.Role]:
        """Yield the roles as the tree has them; whether it holds is told beside them."""
        gun = self.vouching.trees.gun(repository)
        try:
            tree = self.vouching.trees.trees.tree(gun)
            current = Current.of(gun, tree)
        except SeawallError:
            return
        declared = [one.role for one in current.targets.delegations]
        for role in (*BASE_ROLES, *declared):
            allowed, by_id = current.keys_of(role)
            file = _file(current, tree, role)
            yield trust_views.Role(
                name=role,
                version=None if file is None else file.version,
                threshold=allowed.threshold,
                keys=tuple(known.of_tree(by_id[key_id]) for key_id in allowed.key_ids),
                expires=None if file is None else file.body.expires,
                is_expired=file is not None and file.body.expires <= now,
            )

    def _tag(
        self, repository: RepositoryName, one: TaggedDigest, now: dt.datetime
    ) -> trust_views.Tag:
        found = self.vouching.prove(repository, one.digest, tag=one.tag, now=now)
        times = [signer.signed_at for signer in found.signers if signer.signed_at is not None]
        return trust_views.Tag(
            name=one.tag,
            digest=one.digest,
            outcome=_OUTCOMES.get(found.tree.state, Outcome.REFUSED),
            note="" if found.tree.state is TreeState.PROVEN else found.tree.explanation,
            signers=tuple(sorted({signer.name for signer in found.signers})),
            forms=tuple(sorted({signer.format.value for signer in found.signers})),
            newest=max(times, default=None),
        )

    def _waiting(self, repository: RepositoryName, known: _Names) -> Iterator[trust_views.Waiting]:
        with contextlib.suppress(SeawallError):
            for one in self.pending.list(self.vouching.trees.gun(repository)):
                yield _waits(one, known)


class _Names:
    """How people know keys, by their id or by the id that trees give them."""

    def __init__(self, trusted: Iterable[TrustedKey]) -> None:
        self._known: dict[str, trust_views.Key] = {}
        for key in trusted:
            shown = trust_views.Key(
                key_id=key.key_id,
                name=key.name,
                hardware=str(key.hardware) if key.hardware else "",
                patterns=key.patterns,
            )
            self._known[key.key_id] = shown
            with contextlib.suppress(SeawallError):
                public = keys.parse_public(key.public_pem)
                self._known[tuf_keys.of_public(public).canonical_id] = shown

    def of(self, key_id: str) -> trust_views.Key:
        """Return the key; one without a name when nobody trusts it."""
        return self._known.get(key_id) or trust_views.Key(key_id=key_id, name="")

    def of_tree(self, key: TufKey) -> trust_views.Key:
        """Return a key that a tree names, by the id under which it would be trusted."""
        return self.of(hashlib.sha256(key.spki).hexdigest())


def _pin(tree: TreeProof) -> trust_views.Pin | None:
    if tree.pinned is None:
        return None
    pin = tree.pinned.pin
    return trust_views.Pin(
        root_keys=tuple(sorted(pin.root_key_ids)),
        pinned_by=tree.pinned.pinned_by,
        pinned_at=tree.pinned.pinned_at,
        seen=tuple(sorted((str(role), version) for role, version in pin.seen.items())),
    )


def _steps(tree: TreeProof) -> tuple[views.ProofStep, ...]:
    """Return the steps about the tree as a whole: those about a tag stand with each tag."""
    return tuple(
        views.ProofStep(
            number=step.number,
            text=f"{step.name}: {step.detail}" if step.detail else step.name,
            outcome=Outcome.ALLOWED if step.is_passed else Outcome.REFUSED,
        )
        for step in tree.steps
        if step.number < ABOUT_A_TAG
    )


def _file(current: Current, tree: Tree, role: RoleName) -> File | None:
    match role:
        case names.ROOT:
            return current.root
        case names.SNAPSHOT:
            return current.snapshot
        case names.TIMESTAMP:
            return metadata.parse(names.TIMESTAMP, tree.timestamp)
        case _:
            return current.files.get(role)


def _waits(one: Waiting, known: _Names) -> trust_views.Waiting:
    signed = {key for each in one.draft.requirements for key in each.have_signed}
    may = {key for each in one.draft.requirements for key in each.may_sign}
    return trust_views.Waiting(
        role=one.role,
        version=one.draft.file.version,
        missing=one.missing,
        have_signed=tuple(known.of(key) for key in sorted(signed)),
        may_sign=tuple(known.of(key) for key in sorted(may - signed)),
        started_by=one.started_by,
        started_at=one.started_at,
    )


def _entry(one: StoredEntry, known: _Names) -> trust_views.LogEntry:
    key = known.of(one.key_id) if one.key_id else None
    return trust_views.LogEntry(
        number=one.number,
        kind=one.kind.value,
        tag=one.tag or "",
        digest=one.digest or "",
        key="" if key is None else key.name or key.key_id[:12],
        at=dt.datetime.fromtimestamp(one.integrated_at, dt.UTC),
    )
