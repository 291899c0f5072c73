"""Which packs of fingerprints an installation uses: every change is in the log.

The pack is a file, the entry a row: the file is in its place before the entry is, so that workers
who read the entry find it.
"""

from __future__ import annotations

from collections.abc import Sequence

from seawall import audit
from seawall.core.actor import Actor
from seawall.core.clock import Clock
from seawall.oci.digest import Digest
from seawall.scan.events import FingerprintsAdded, FingerprintsRemoved
from seawall.scan.fingerprints.pack import Pack
from seawall.scan.fingerprints.shelf import Shelf
from seawall.store import Database


class KeptPacks:
    """The packs on a shelf, changed by people."""

    def __init__(self, database: Database, clock: Clock, shelf: Shelf) -> None:
        self.shelf = shelf
        self._database = database
        self._clock = clock

    def put(self, name: str, pack: Pack, *, actor: Actor, signed_by: Sequence[str] = ()) -> Digest:
        """Use a pack from now on, in place of an older one of this name; return its digest.

        `signed_by` are the ids of the keys that were proven to have signed it. Raises LimitError,
        InvalidInputError.
        """
        content = pack.to_bytes()
        digest = Digest.of(content)
        event = FingerprintsAdded(
            digest=digest,
            name=name,
            packages=len(pack.packages),
            files=pack.file_count,
            signed_by=list(signed_by),
        )
        with self._database.write() as connection:
            self.shelf.put(name, content)
            audit.record(connection, event, actor=actor, at=self._clock.now())
        return digest

    def remove(self, name: str, *, actor: Actor) -> None:
        """Use a pack no longer. Raises NotFoundError."""
        with self._database.write() as connection:
            self.shelf.remove(name)
            event = FingerprintsRemoved(name=name)
            audit.record(connection, event, actor=actor, at=self._clock.now())
