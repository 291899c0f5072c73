"""What every call of the API shares: who asks, bounded bodies, strict parameters, JSON errors.

Errors are answered in the shape of RFC 9457 (`ingress.boundary.as_json`); a call without the right
that it needs is challenged, so that clients fetch a token and come again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from aiohttp import web

from seawall.core import blocking, ids, strictjson
from seawall.core.errors import InvalidInputError, LimitError, NotFoundError, SeawallError
from seawall.ingress import boundary
from seawall.ingress.access import Action, Authenticator, Caller, InvalidCredentialsError
from seawall.ingress.boundary import Problem
from seawall.oci.names import RepositoryName

Answer: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)

_log = logging.getLogger(__name__)


class ChallengedError(SeawallError):
    """The caller must prove more than it did."""

    def __init__(self, message: str, challenge: str) -> None:
        super().__init__(message, remedy="log in: docker login, or --user with --password-file")
        self.challenge = challenge


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """Tells who asks, and what they may."""

    authenticator: Authenticator

    async def reader(self, request: web.Request) -> Caller:
        """Return who asks, with all that they may see now; nobody in particular is fine.

        Raises ChallengedError for a proof that does not hold.
        """
        caller = self._caller(request, "")
        return await blocking.run(self.authenticator.with_current_rights, caller)

    async def puller(self, request: web.Request, repository: RepositoryName) -> Caller:
        """Return who asks, if they may pull from `repository`.

        Raises ChallengedError for who has not said who they are, NotFoundError for others.
        """
        scope = f"repository:{repository}:pull"
        caller = self._caller(request, scope)
        caller = await blocking.run(self.authenticator.with_current_rights, caller)
        if caller.may(Action.PULL, repository):
            return caller
        message = f"there is no repository {repository} that you may pull from"
        if "Authorization" in request.headers:
            raise NotFoundError(message)
        raise ChallengedError(message, self.authenticator.challenge(scope))

    def pusher(self, request: web.Request, repository: RepositoryName) -> Caller:
        """Return who asks, if they may push to `repository`. Raises ChallengedError."""
        scope = f"repository:{repository}:pull,push"
        caller = self._caller(request, scope)
        if not caller.may(Action.PUSH, repository):
            is_known = "Authorization" in request.headers
            error = "insufficient_scope" if is_known else ""
            raise ChallengedError(
                f"{caller.actor} may not push to {repository}",
                self.authenticator.challenge(scope, error=error),
            )
        return caller

    def _caller(self, request: web.Request, scope: str) -> Caller:
        proofs = request.headers.getall("Authorization", [])
        if len(proofs) > 1:
            raise InvalidInputError("more than one Authorization header")
        try:
            return self.authenticator.caller_of(proofs[0] if proofs else None)
        except InvalidCredentialsError as error:
            challenge = self.authenticator.challenge(scope, error="invalid_token")
            raise ChallengedError(error.message, challenge) from error


def answering(answer: Answer) -> Answer:
    """Return `answer` with every error of it turned into an answer."""

    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            return await answer(request)
        except ChallengedError as error:
            headers = (("WWW-Authenticate", error.challenge),)
            return boundary.as_json(request, _problem(401, "denied", error, headers))
        except SeawallError as error:
            return boundary.as_json(request, boundary.problem_of(error))
        except (ConnectionError, web.HTTPException):
            raise
        except Exception:
            number = ids.new_id()
            _log.exception("%s %r failed, %s", request.method, request.raw_path[:300], number)
            told = Problem(
                status=500, code="unexpected", message="something went wrong on our side",
                remedy=f"tell the operator the number {number}",
            )  # fmt: skip
            return boundary.as_json(request, told)

    return answered


async def read_body(request: web.Request, max_bytes: int) -> bytes:
    """Return a small body, as it was sent. Raises LimitError or InvalidInputError."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise InvalidInputError("a compressed request is not accepted")
    parts, total = list[bytes](), 0
    while chunk := await request.content.readany():
        total += len(chunk)
        if total > max_bytes:
            raise LimitError(f"the body has more than {max_bytes} bytes")
        parts.append(chunk)
    return b"".join(parts)


def number(request: web.Request, name: str) -> int | None:
    """Return a parameter of the query that is a number. Raises InvalidInputError."""
    text = parameter(request, name)
    if text is None:
        return None
    if _NUMBER.fullmatch(text) is None or int(text) >= 2**62:
        raise InvalidInputError(f"{name}={text[:40]!r} is not a number")
    return int(text)


def required_number(request: web.Request, name: str) -> int:
    """Like `number`, for one that must be there."""
    value = number(request, name)
    if value is None:
        raise InvalidInputError(f"the parameter {name!r} is missing")
    return value


def parameter(request: web.Request, name: str) -> str | None:
    """Return a parameter of the query. Raises InvalidInputError when it is given twice."""
    values = request.query.getall(name, [])
    if len(values) > 1:
        raise InvalidInputError(f"the parameter {name!r} is given more than once")
    return values[0] if values else None


def as_json(value: object, *, status: int = 200) -> web.Response:
    """Return an answer in JSON that nobody keeps."""
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return web.Response(status=status, body=strictjson.encode(value), headers=headers)


def _problem(
    status: int, code: str, error: SeawallError, headers: tuple[tuple[str, str], ...]
) -> Problem:
    return Problem(
        status=status, code=code, message=error.message, remedy=error.remedy, headers=headers
    )
