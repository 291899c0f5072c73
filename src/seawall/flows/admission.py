"""May this image be pulled or run, by this person, now?

The order: 1. the name is one of ours; 2. the person may pull from the repository; 3. the tag is
resolved, once; 4. the digest is judged; 5. the verdict is written down. Only then is there an
`Admitted`. Whoever lacks the right learns as little as about an image that does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seawall.core.actor import Actor
from seawall.core.errors import InvalidInputError, NotFoundError
from seawall.core.reason import Reason, Refusal
from seawall.engine.model import Admitted
from seawall.flows.judging import Judge
from seawall.identity.grants import Grants
from seawall.identity.model import Action
from seawall.oci.digest import Digest
from seawall.oci.names import Reference, RepositoryName
from seawall.registry.service import Registry
from seawall.store.watching import WhileUnchanged

TAG_BYTES: Final = 512
"""Of a tag whose digest is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Answers the gate. Both questions block, and raise only what makes the gate refuse."""

    registry: Registry
    grants: Grants
    judge: Judge
    kept: WhileUnchanged[tuple[RepositoryName, str], Digest]
    """What tags name; each is read again after every event that may change it."""
    hosts: tuple[str, ...]
    """`host:port` under every name by which this registry is reached; the first is shown."""

    def may_run(self, image: str, *, actor: Actor) -> Admitted | Refusal:
        """Judge `image` (`host/repository:tag` or `…@digest`) for a container."""
        reference = self._parse(image)
        if isinstance(reference, Refusal):
            return reference
        digest = self._find(reference, actor)
        if isinstance(digest, Refusal):
            return digest
        tag = None if reference.digest else reference.tag
        judgement = self.judge.judge(reference.repository, digest, tag=tag)
        number = self.judge.record(judgement, actor=actor)
        verdict = judgement.verdict
        if not verdict.is_allowed:
            return Refusal(reasons=tuple(_about(reference, each) for each in verdict.reasons))
        warnings = tuple(_about(reference, each) for each in verdict.warnings)
        return Admitted(reference=reference, digest=digest, verdict=number, warnings=warnings)

    def may_pull(self, image: str, *, actor: Actor) -> Admitted | Refusal:
        """Judge `image` for an engine's pull: what may not run has no business on the engine."""
        return self.may_run(image, actor=actor)

    def _parse(self, image: str) -> Reference | Refusal:
        try:
            reference = Reference.parse(image)
        except InvalidInputError as error:
            return _refusal("image-name", error.message, "write HOST/REPOSITORY:TAG")
        if reference.host not in self.hosts:
            where = reference.host or "the engine's default registry"
            return _refusal(
                "own-registry",
                f"{image} is an image of {where}, not of this Seawall",
                f"push it to {self.hosts[0]}/… first: there it is scanned and can be signed",
            )
        return reference

    def _find(self, reference: Reference, actor: Actor) -> Digest | Refusal:
        unknown = _refusal(
            "image-known",
            f"there is no image {reference} that {actor} may pull",
            "push it, or ask an administrator for the right to pull it",
        )
        if not self.grants.may(actor, Action.PULL, reference.repository):
            return unknown
        place = reference.repository, reference.target
        try:
            return self.kept.get(
                place, lambda: self.registry.resolve(*place), weigh=lambda _: TAG_BYTES
            )
        except NotFoundError:
            return unknown


def _about(reference: Reference, reason: Reason) -> Reason:
    """Put the image's name into the remedy, so that the line can be copied and run."""
    remedy = reason.remedy.replace("IMAGE", str(reference))
    return Reason(rule=reason.rule, evidence=reason.evidence, remedy=remedy)


def _refusal(rule: str, evidence: str, remedy: str) -> Refusal:
    return Refusal(reasons=(Reason(rule=rule, evidence=evidence, remedy=remedy),))
