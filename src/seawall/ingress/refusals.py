"""What doors refuse by themselves, each in the form of its own protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from seawall.core.errors import SeawallError


@dataclass(frozen=True, slots=True)
class Shape:
    """How one kind of error is answered."""

    status: int
    code: str
    headers: Mapping[str, str] = field(default_factory=dict)


class RefusedError(SeawallError):
    """A request that the door itself refuses, with its answer."""

    def __init__(self, message: str, shape: Shape, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.shape = shape
