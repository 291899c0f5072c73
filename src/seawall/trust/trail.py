"""The numbered steps of a proof, as they are done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from seawall.core.errors import SeawallError


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of a proof."""

    number: int
    name: str
    is_passed: bool
    detail: str
    signature: str = ""
    """Which signature it is about; empty for the image as a whole."""


class StepFailedError(Exception):
    """Ends a proof, or the look at one signature. What was wrong stands in the trail."""


class Trail:
    """Collects the steps in order."""

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = names
        self.steps: list[Step] = []
        self.signature = ""
        """What the next steps are about, as `Step.signature`."""
        self.remedy = ""
        """That of the step that failed last."""

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
        """Whether the last of all steps was reached, and passed."""
        return (
            bool(self.steps)
            and self.steps[-1].number == max(self._names)
            and self.steps[-1].is_passed
        )

    def _add(self, number: int, is_passed: bool, detail: str) -> None:
        self.steps.append(
            Step(
                number=number,
                name=self._names[number],
                is_passed=is_passed,
                detail=detail,
                signature=self.signature,
            )
        )
