"""What a viewer may see. Read once per page: every row of it is asked about the same rights.

Nothing is shown that could not be pulled; what belongs to no repository is for administrators.
"""

from __future__ import annotations

from dataclasses import dataclass

from seawall.identity import model
from seawall.identity.grants import Grants
from seawall.identity.model import Action, Grant
from seawall.oci.names import RepositoryName
from seawall.web.ports import Viewer


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The rights of one viewer at one moment."""

    viewer: Viewer
    grants: tuple[Grant, ...]

    @classmethod
    def of(cls, viewer: Viewer, grants: Grants) -> Sight:
        """Read the viewer's grants."""
        found = () if viewer.is_administrator else grants.of(viewer.actor)
        return cls(viewer=viewer, grants=found)

    @property
    def is_everything(self) -> bool:
        return self.viewer.is_administrator

    def sees(self, repository: str | None) -> bool:
        """Tell whether the viewer may know about `repository`; None is of no repository."""
        if self.is_everything:
            return True
        if repository is None:
            return False
        name = RepositoryName(repository)
        return model.may(self.grants, self.viewer.actor, Action.PULL, name)
