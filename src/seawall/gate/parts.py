"""What the gate is made of, as one value; and the way to ask those above, under a deadline.

Whoever decides and fails — an error, a time-out, a closed database — has said no.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, ParamSpec, TypeVar

from seawall.core import blocking
from seawall.core.actor import Actor
from seawall.core.errors import SeawallError, UnavailableError
from seawall.core.reason import Reason, Refusal
from seawall.gate.ports import Admission, PullToken, Receipts
from seawall.gate.settings import GateSettings
from seawall.gate.upstream import Engine
from seawall.isolation.seccomp import Profile

P = ParamSpec("P")
R = TypeVar("R")

_log: Final = logging.getLogger("seawall.gate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The parts, joined by the composition root."""

    settings: GateSettings
    engine: Engine
    admission: Admission
    receipts: Receipts
    pull_token: PullToken
    profile: Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, in which version 1.y of the API, and up to which y it could be."""

    actor: Actor
    minor: int
    ceiling: int


async def ask(gate: Gate, what: str, function: Callable[P, R], *args: P.args, **kw: P.kwargs) -> R:
    """Call one of those above in a thread.

    Raises UnavailableError naming `what` when it fails or takes longer than `decision_s`.
    """
    try:
        async with asyncio.timeout(gate.settings.decision_s):
            return await blocking.run(function, *args, **kw)
    except TimeoutError as error:
        raise UnavailableError(
            f"{what} did not answer in {gate.settings.decision_s:g} s",
            remedy="try again; see `seawall doctor`",
        ) from error
    except SeawallError:
        raise
    except Exception as error:
        # A boundary: whatever went wrong up there, here it is a no.
        _log.exception("%s failed", what)
        raise UnavailableError(
            f"{what} failed", remedy="see the gate's log and `seawall doctor`"
        ) from error


async def note_refusal(gate: Gate, actor: Actor, action: str, refusal: Refusal) -> None:
    """Have the refusal audited; when that fails, the refusal stands and the failure is logged."""
    try:
        await ask(
            gate,
            "the audit log",
            gate.receipts.refused,
            actor=actor,
            action=action,
            refusal=refusal,
        )
    except SeawallError as error:
        _log.error("a refusal was not audited: %s: %s", action, error)


def failed(error: SeawallError) -> Refusal:
    """Return the refusal that a failed decision is."""
    return Refusal(
        reasons=(
            Reason(
                rule="gate/no-decision",
                evidence=error.message,
                remedy=error.remedy or "see `seawall doctor`",
            ),
        )
    )
