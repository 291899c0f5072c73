"""What a change of a tree consists of: the server's own files, the rows, the events."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import sqlalchemy as sa

from seawall import audit
from seawall.trust import _tree_rows as rows
from seawall.trust.events import KeyChange, TreePublished, TreeRefreshed, TreeTagsChanged
from seawall.trust.server_keys import ServerKeys
from seawall.trust.tuf import differences, rules, serving
from seawall.trust.tuf.build import TufSigner
from seawall.trust.tuf.model import File, Root
from seawall.trust.tuf.names import ROOT, SNAPSHOT, TIMESTAMP, Gun, Role

TAGS_PER_EVENT: Final = 500
"""The body of an event has a bound, a list of tags has not."""

Held: TypeAlias = Mapping[Role, Sequence[TufSigner]]
Ids: TypeAlias = Mapping[Role, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What an upload is judged against."""

    gun: Gun
    change: int
    stored: Mapping[Role, File]
    floors: Mapping[Role, int]
    held: Held

    def judge(self, uploads: Mapping[Role, File], now: dt.datetime) -> rules.Accepted:
        """Decide about an upload. Raises UpdateRefusedError."""
        held = ids_of(self.held)
        return rules.judge(self.gun, uploads, self.stored, floors=self.floors, held=held, now=now)


def state_of(connection: sa.Connection, gun: Gun, keys: ServerKeys) -> State:
    """Read the state of a tree."""
    return State(
        gun=gun,
        change=rows.newest_change(connection, gun),
        stored=rows.tree(connection, gun),
        floors=rows.floors(connection, gun),
        held=keys.held(connection, gun),
    )


def ids_of(held: Held) -> Ids:
    """Return the ids of the held keys."""
    return {role: frozenset(one.key.key_id for one in signers) for role, signers in held.items()}


def completed(
    tree: Mapping[Role, File], floors: Mapping[Role, int], held: Held, now: dt.datetime
) -> tuple[File, ...]:
    """Return what the server adds to an accepted tree: a snapshot if it has none, a timestamp."""
    made = []
    whole = dict(tree)
    if SNAPSHOT not in whole:
        version = floors.get(SNAPSHOT, 0) + 1
        whole[SNAPSHOT] = serving.make_snapshot(whole, version, held[SNAPSHOT], now)
        made.append(whole[SNAPSHOT])
    version = floors.get(TIMESTAMP, 0) + 1
    made.append(serving.make_timestamp(whole, version, held[TIMESTAMP], now))
    return tuple(made)


def renewed(
    stored: Mapping[Role, File], floors: Mapping[Role, int], held: Held, now: dt.datetime
) -> tuple[File, ...]:
    """Return a new timestamp for a stored tree, after a new snapshot if that is old and ours."""
    root = stored[ROOT].said(Root)
    tree = {role: file for role, file in stored.items() if role != TIMESTAMP}
    is_ours = rules.holds(SNAPSHOT, root, ids_of(held))
    if is_ours and serving.renew_at(tree[SNAPSHOT]) <= now:
        del tree[SNAPSHOT]
    return completed(tree, floors, held, now)


def renewal(stored: Mapping[Role, File], held: Ids) -> dt.datetime | None:
    """Return when a stored tree should be renewed; None when the server cannot."""
    root = stored[ROOT].said(Root)
    if not rules.holds(TIMESTAMP, root, held):
        return None
    moments = [serving.renew_at(stored[TIMESTAMP])]
    if rules.holds(SNAPSHOT, root, held):
        moments.append(serving.renew_at(stored[SNAPSHOT]))
    return min(moments)


def store(connection: sa.Connection, gun: Gun, files: Sequence[File], now: dt.datetime) -> None:
    """Store new versions; the last is the timestamp, which the change feed tells of."""
    for file in files:
        rows.add(connection, gun, file, now)
    rows.add_change(connection, gun, files[-1], now)


def events_of(
    gun: Gun, files: Sequence[File], stored: Mapping[Role, File], timestamp: File
) -> Iterator[audit.Event]:
    """Yield what the log says of an accepted upload."""
    keys: list[KeyChange] = []
    for file in files:
        keys.extend(differences.keys(stored.get(file.role), file))
    yield TreePublished(
        repository=gun.repository,
        gun=gun,
        roles={str(file.role): file.version for file in files},
        timestamp=timestamp.version,
        keys=tuple(keys),
    )
    for file in files:
        if file.role.is_targets:
            yield from _tags(gun, file, stored.get(file.role))


def refreshed(gun: Gun, made: Sequence[File]) -> TreeRefreshed:
    """Return what the log says of a renewal."""
    roles = {str(file.role): file.version for file in made}
    return TreeRefreshed(repository=gun.repository, gun=gun, roles=roles)


def _tags(gun: Gun, file: File, before: File | None) -> Iterator[TreeTagsChanged]:
    changed = differences.tags(before, file)
    for start in range(0, len(changed), TAGS_PER_EVENT):
        yield TreeTagsChanged(
            repository=gun.repository,
            gun=gun,
            role=str(file.role),
            version=file.version,
            changes=changed[start : start + TAGS_PER_EVENT],
        )
