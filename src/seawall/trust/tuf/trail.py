"""Collects the numbered steps of a proof; the first that fails ends it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from seawall.core.errors import SeawallError
from seawall.trust.proof import Step


class StepFailedError(Exception):
    """Ends a proof. What was wrong stands in the trail."""


class Trail:
    """The steps so far, in order."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = names
        self.steps: list[Step] = []
        self.remedy = ""

    @contextlib.contextmanager
    def step(self, number: int) -> Iterator[list[str]]:
        """Do one step; what is appended becomes its detail. A SeawallError inside fails it."""
        detail: list[str] = []
        try:
            yield detail
        except SeawallError as error:
            self._add(number, False, error.message)
            self.remedy = error.remedy
            raise StepFailedError from error
        self._add(number, True, "; ".join(detail))

    @property
    def is_passed(self) -> bool:
        """Whether the last step was done, and passed."""
        return bool(self.steps) and self.steps[-1].number == max(self._names) and self._all_passed

    @property
    def _all_passed(self) -> bool:
        return all(step.is_passed for step in self.steps)

    def _add(self, number: int, is_passed: bool, detail: str) -> None:
        name = self._names[number]
        self.steps.append(Step(number=number, name=name, is_passed=is_passed, detail=detail))
