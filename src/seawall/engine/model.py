"""`Admitted`: the only thing that an engine accepts as the image of a container.

Only `seawall.flows.admission` makes one (a test in `tests/house` holds it to that), so running
something that nobody judged is a type error.
"""

from __future__ import annotations

from dataclasses import dataclass

from seawall.core.reason import Reason
from seawall.oci.digest import Digest
from seawall.oci.names import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """An image that was judged and may run.

    `reference` is as the caller asked for it, with the host of our own registry. `digest` is what
    was judged: the tag was resolved once, from here on only the digest travels. `verdict` is the
    number of the verdict's entry in the audit log.
    """

    reference: Reference
    digest: Digest
    verdict: int
    warnings: tuple[Reason, ...] = ()
    """Rules that said no and are set to warn only: whoever asks is told."""

    @property
    def pinned(self) -> str:
        """The image as the engine is told: `host/repository@digest`, without the tag."""
        return f"{self.reference.host}/{self.reference.repository}@{self.digest}"
