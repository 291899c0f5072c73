"""From the client's body to the body that the engine gets.

`parse_create` understands, `harden` decides and writes anew: the image is the digest that was
admitted, the host settings are those that `isolation` allows, the labels of Seawall are ours alone.
Bytes of the client never travel further.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from seawall.core.errors import InvalidInputError
from seawall.core.reason import Reason, Refusal
from seawall.engine.model import Admitted
from seawall.gate import bodies_config, schema
from seawall.isolation import files, problem
from seawall.isolation.check import check as check_spec
from seawall.isolation.harden import harden as harden_spec
from seawall.isolation.seccomp import Profile
from seawall.isolation.workload import WorkloadSpec

LABEL_PREFIX: Final = "com.seawall."
LABEL_IMAGE: Final = "com.seawall.image"
"""The image as the caller named it."""
LABEL_DIGEST: Final = "com.seawall.digest"
LABEL_VERDICT: Final = "com.seawall.verdict"
"""The number of the verdict in the audit log."""

IMAGE_MAX_CHARACTERS: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRequest:
    """A containers/create that was understood, and not yet judged."""

    model: schema.CreateBody

    @property
    def image(self) -> str:
        """The image as the client named it."""
        return self.model.image

    @property
    def spec(self) -> WorkloadSpec:
        """What it asks of the machine."""
        return self.model.host_config or WorkloadSpec()

    @property
    def volumes(self) -> tuple[str, ...]:
        """Named volumes; each that exists must pass `isolation.files.volume_problems`."""
        return files.volume_names(self.spec)

    @property
    def networks(self) -> tuple[str, ...]:
        """Names or ids of networks that it joins, the engine's own `bridge` and `none` left out."""
        return bodies_config.networks(self.model)


@dataclass(frozen=True, slots=True, kw_only=True)
class HardenedCreate:
    """What to send to the engine, and what to tell people about it.

    `warnings` go in front of the engine's own `Warnings`; `summary` is plain JSON for the log.
    """

    body: bytes
    warnings: tuple[str, ...]
    summary: dict[str, object] = field(default_factory=dict)


def parse_create(body: bytes) -> CreateRequest:
    """Understand the body of POST /containers/create.

    Raises InvalidInputError (or LimitError), whose message is for the docker client.
    """
    model = schema.parse(body, schema.CreateBody)
    if not 0 < len(model.image) <= IMAGE_MAX_CHARACTERS:
        raise InvalidInputError("request body: 'Image' must name an image")
    return CreateRequest(model=model)


def check(request: CreateRequest) -> tuple[Reason, ...]:
    """Return why the settings of `request` are refused, whatever its image is.

    All reasons at once, up to a number that people read (`isolation.problem.REASONS_MAX_COUNT`).
    """
    return problem.first(
        (
            *check_spec(request.spec),
            *bodies_config.check(request.model),
            *_label_reasons(request.model.labels or {}),
        )
    )


def harden(
    request: CreateRequest, admitted: Admitted, profile: Profile
) -> HardenedCreate | Refusal:
    """Return the engine's body for `request` with the admitted image, or why not."""
    if reasons := check(request):
        return Refusal(reasons=reasons)
    hardened = harden_spec(request.spec, profile=profile)
    labels = {
        **(request.model.labels or {}),
        LABEL_IMAGE: request.image,
        LABEL_DIGEST: str(admitted.digest),
        LABEL_VERDICT: str(admitted.verdict),
    }
    model = bodies_config.rebuild(
        request.model, image=admitted.pinned, labels=labels, spec=hardened.spec
    )
    return HardenedCreate(
        body=schema.emit(model),
        warnings=hardened.warnings,
        summary={
            "no_new_privileges": True,
            "capabilities": list(hardened.capabilities),
            "seccomp": profile.name,
            "pids_limit": hardened.spec.pids_limit,
            "read_only_root": bool(hardened.spec.readonly_rootfs),
        },
    )


def parse_exec_create(body: bytes) -> bytes | Refusal:
    """Return the engine's body for POST /containers/{id}/exec, or why not.

    An exec inherits the container's seccomp profile, capabilities and no-new-privileges.
    Raises InvalidInputError.
    """
    model = schema.parse(body, schema.ExecBody)
    if not model.cmd:
        raise InvalidInputError("request body: 'Cmd' must hold a command")
    if model.privileged:
        return Refusal(
            reasons=(
                Reason(
                    rule="exec/Privileged",
                    evidence="exec with all powers over the host",
                    remedy="drop --privileged",
                ),
            )
        )
    return schema.emit(msgspec.structs.replace(model, container=None, privileged=None))


def parse_exec_start(body: bytes) -> bytes:
    """Return the engine's body for POST /exec/{id}/start. Raises InvalidInputError."""
    return schema.emit(schema.parse(body, schema.ExecStartBody))


def _label_reasons(labels: Mapping[str, str]) -> tuple[Reason, ...]:
    return problem.first(
        Reason(
            rule="labels/reserved",
            evidence=f"label {name[:100]!r}",
            remedy=f"drop it: labels under {LABEL_PREFIX} are set by Seawall only",
        )
        for name in labels
        if name.casefold().startswith(LABEL_PREFIX)
    )
