"""Takes over a tree under the same name, with its history, when a host's name moves to this server.

Clients remember how far they have seen a tree: the roots up to theirs must stay to be had, and no
version may fall back. So the chain of roots and the last state of the old server are stored as they
are, and the next root, which names our keys, is published over them, all in one transaction.

An operator does it at the machine of the installation; no door leads here. Refused: a name that has
a tree already, a history that is not one chain, whatever `tuf.rules` refuses of the new root.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from seawall import audit
from seawall.core.actor import Actor
from seawall.core.clock import Clock
from seawall.core.errors import ConflictError, NotFoundError
from seawall.store import Database
from seawall.trust import _tree_rows as rows
from seawall.trust import _tree_writing as writing
from seawall.trust.server_keys import ServerKeys
from seawall.trust.trees import Trees
from seawall.trust.tuf import metadata, roots, rules
from seawall.trust.tuf.chain import Tree
from seawall.trust.tuf.model import File
from seawall.trust.tuf.names import ROOT, SNAPSHOT, TIMESTAMP, Gun, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """Adopts trees of other servers. `trees` decides whose names are ours."""

    database: Database
    clock: Clock
    keys: ServerKeys
    trees: Trees

    def adopt(self, gun: Gun, history: Tree, files: Mapping[Role, bytes], *, actor: Actor) -> bool:
        """Store `history`, proven before, and publish `files` over it; False: it was done before.

        Raises ConflictError when another tree stands there, UpdateRefusedError, ForeignNameError.
        """
        self.trees.require_ours(gun)
        if self._is_done(gun, history):
            return False
        uploads = rules.parse({ROOT: files[ROOT]})
        with self.database.write() as connection:
            now = self.clock.now()
            if rows.tree(connection, gun):
                raise ConflictError(f"{gun} has a tree already", remedy="see: seawall trust show")
            stored = self._store_history(connection, gun, history, now)
            floors = rows.floors(connection, gun)
            held = self.keys.held(connection, gun)
            accepted = rules.judge(
                gun, uploads, stored, floors=floors, held=writing.ids_of(held), now=now
            )
            made = writing.completed(accepted.tree, floors, held, now)
            writing.store(connection, gun, (*accepted.files, *made), now)
            for event in writing.events_of(gun, _new(stored, accepted.files), {}, made[-1]):
                audit.record(connection, event, actor=actor, at=now)
        return True

    def _is_done(self, gun: Gun, history: Tree) -> bool:
        """Tell whether our tree is what follows `history`."""
        try:
            ours = self.trees.tree(gun)
        except NotFoundError:
            return False
        if ours.roots[: len(history.roots)] != history.roots or len(ours.roots) == len(
            history.roots
        ):
            raise ConflictError(
                f"{gun} has another tree already",
                remedy="look at it: seawall trust show REPO",
            )
        return True

    def _store_history(
        self, connection: sa.Connection, gun: Gun, history: Tree, now: dt.datetime
    ) -> dict[Role, File]:
        """Store all files; return the last state. What nothing declares any longer is left out."""
        chain = roots.parse_all(history.roots)
        for before, after in itertools.pairwise(chain):
            roots.check_next(before, after)
        contents = {
            **history.targets,
            SNAPSHOT: history.snapshot,
            TIMESTAMP: history.timestamp,
        }
        last = {role: metadata.parse(role, content) for role, content in contents.items()}
        for file in (*chain, *last.values()):
            rows.add(connection, gun, file, now)
        return {ROOT: chain[-1], **last}


def _new(stored: Mapping[Role, File], accepted: Sequence[File]) -> tuple[File, ...]:
    """Return what stands here now that people signed: all of it is new to this server."""
    files = {**stored, **{file.role: file for file in accepted}}
    return tuple(file for role, file in files.items() if role not in (SNAPSHOT, TIMESTAMP))
