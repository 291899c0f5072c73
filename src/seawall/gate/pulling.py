"""POST /images/create (`docker pull`): the judged digest, with a token of ours, under its old name.

The client's X-Registry-Auth is dropped with all its other headers: the engine is given a token that
opens this one repository. When the digest is there, the gate tags it with the name that was asked
for, so that `docker images` shows what the person typed; nothing is decided by that tag.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from http import HTTPStatus

from seawall.core import strictjson
from seawall.core.errors import InvalidInputError, UnavailableError
from seawall.core.reason import Refusal
from seawall.engine.model import Admitted
from seawall.gate import answers, parts, queries, upstream
from seawall.gate.parts import Caller, Gate


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """A pull that may go on: the request to the engine, and what is tagged afterwards."""

    request: bytes
    admitted: Admitted


async def judge(gate: Gate, caller: Caller, query: dict[str, str]) -> Pull | bytes:
    """Return the pull, or the whole answer that refuses it. Raises SeawallError."""
    queries.check_platform(query)
    image = asked_image(query)
    verdict: Admitted | Refusal
    try:
        verdict = await parts.ask(
            gate, "admission", gate.admission.may_pull, image, actor=caller.actor
        )
    except UnavailableError as error:
        verdict = parts.failed(error)
    if isinstance(verdict, Refusal):
        await parts.note_refusal(gate, caller.actor, f"pull {image}", verdict)
        return answers.of_refusal(f"pull {image}", verdict)
    token = await parts.ask(
        gate, "the token service", gate.pull_token, verdict.reference.repository
    )
    return Pull(
        request=_request(caller, verdict, query.get("platform", ""), token), admitted=verdict
    )


async def tag(gate: Gate, caller: Caller, admitted: Admitted) -> bytes:
    """Tag what was pulled as it was asked for; return a line of progress if that failed.

    When the pull itself failed, there is nothing to tag, and the client has read why.
    """
    asked = admitted.reference
    if asked.tag is None:
        return b""
    reply = await gate.engine.ask(
        "POST",
        f"/images/{admitted.pinned}/tag",
        {"repo": f"{asked.host}/{asked.repository}", "tag": asked.tag},
        minor=caller.minor,
    )
    if reply.head.status in {HTTPStatus.CREATED, HTTPStatus.NOT_FOUND}:
        return b""
    message = f"the image was pulled, but not tagged: {reply.message}"
    return strictjson.encode({"error": message, "errorDetail": {"message": message}}) + b"\r\n"


def asked_image(query: dict[str, str]) -> str:
    """Return the one image that a pull names. Raises InvalidInputError when it names none."""
    image, which = query.get("fromImage", ""), query.get("tag", "")
    if not image:
        raise InvalidInputError("the parameter fromImage is missing", remedy="name an image")
    named_already = "@" in image or ":" in image.rpartition("/")[2]
    if not which:
        if not named_already:
            raise InvalidInputError(
                f"a pull of all tags of {image[:100]}", remedy="name one tag, or a digest"
            )
        return image
    if named_already:
        raise InvalidInputError("the image is named with a tag, and another in the parameter tag")
    return f"{image}{'@' if ':' in which else ':'}{which}"


def _request(caller: Caller, admitted: Admitted, platform: str, token: str) -> bytes:
    query = {
        "fromImage": f"{admitted.reference.host}/{admitted.reference.repository}",
        "tag": str(admitted.digest),
    }
    if platform:
        query["platform"] = platform
    auth = base64.urlsafe_b64encode(strictjson.encode({"registrytoken": token})).decode()
    return upstream.request(
        "POST", "/images/create", query, minor=caller.minor, headers={"X-Registry-Auth": auth}
    )
