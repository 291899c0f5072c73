"""How a proof is shown: the steps on signatures, then those of the tree, numbered through."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from seawall.cli import image_log
from seawall.cli.image_content import ContentProof
from seawall.cli.image_judging import Judged
from seawall.cli.image_log import ImageLogProof
from seawall.oci.digest import Digest
from seawall.oci.names import Reference
from seawall.trust import proof
from seawall.trust.trail import Step
from seawall.trust.tuf import chain
from seawall.trust.tuf.chain import ChainProof

FIRST_OF_TREE: Final = max(proof.STEPS)
FIRST_OF_LOG: Final = FIRST_OF_TREE + max(chain.STEPS)
FIRST_OF_CONTENT: Final = FIRST_OF_LOG + max(image_log.STEPS)
"""The steps of each part are numbered from here on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """Everything that was proven of an image; a part that was not asked for is None."""

    image: Reference
    digest: Digest
    judged: Judged | None
    tree: ChainProof | None
    log: ImageLogProof | None
    content: ContentProof | None

    @property
    def is_valid(self) -> bool:
        """Whether all parts hold, and one of them says who vouches."""
        return (self.judged is not None or self.tree is not None) and not self.failed

    @property
    def failed(self) -> list[Outcome]:
        """The parts that do not hold, in order."""
        parts = (self.judged.proof if self.judged else None, self.tree, self.log, self.content)
        return [one for one in parts if one is not None and not one.is_valid]


def show(whole: Whole) -> None:
    """Print every step and the verdict."""
    image, digest, judged, tree = whole.image, whole.digest, whole.judged, whole.tree
    print(f"{image.host}/{image.repository}@{digest}")
    if judged is not None:
        _show_steps(judged.proof.steps, 0)
    else:
        print("  signatures beside the tree were not looked at: no key is trusted for them")
    if tree is not None:
        print("  tree")
        _show_steps(tree.steps, FIRST_OF_TREE)
    if whole.log is not None:
        print("  log")
        _show_steps(whole.log.steps, FIRST_OF_LOG)
    if whole.content is not None:
        print("  content")
        _show_steps(whole.content.steps, FIRST_OF_CONTENT)
    _show_verdict(whole)


def document(whole: Whole) -> dict[str, object]:
    """Return the whole proof as JSON has it."""
    judged, tree = whole.judged, whole.tree
    steps = [*_documents(judged.proof.steps, 0)] if judged is not None else []
    for part, offset in (
        (tree, FIRST_OF_TREE),
        (whole.log, FIRST_OF_LOG),
        (whole.content, FIRST_OF_CONTENT),
    ):
        steps += _documents(part.steps, offset) if part is not None else []
    failed = whole.failed
    return {
        "image": str(whole.image),
        "digest": whole.digest,
        "is_valid": whole.is_valid,
        "remedy": failed[0].remedy if failed else "",
        "signers": _signers(judged) if judged is not None else [],
        "steps": steps,
        "tree": None if tree is None else _tree(tree),
    }


class Outcome(Protocol):
    """One part of the proof."""

    @property
    def is_valid(self) -> bool: ...
    @property
    def remedy(self) -> str: ...


def printable(text: str) -> str:
    """Return a text from outside as it may be shown at a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _show_steps(steps: Iterable[Step], offset: int) -> None:
    about = ""
    for step in steps:
        if step.signature != about and step.signature:
            print(f"  signature {step.signature}")
        about = step.signature
        mark = "ok" if step.is_passed else "NO"
        line = f"  {step.number + offset:>2}  {step.name:<11} {mark}  {printable(step.detail)}"
        print(line.rstrip())


def _show_verdict(whole: Whole) -> None:
    judged, tree = whole.judged, whole.tree
    if failed := whole.failed:
        print(f"NOT VERIFIED: {failed[0].remedy}")
        return
    if judged is not None:
        names = ", ".join(f"{one.key_name} ({one.key_id[:12]})" for one in judged.proof.signatures)
        print(f"VERIFIED: signed by {names}")
    if tree is not None:
        print(f"VERIFIED: tag {tree.tag} in {tree.found_in}, {_vouched(tree)}")


def _vouched(tree: ChainProof) -> str:
    relied = {tree.found_in, *tree.vouchers}
    keys = dict.fromkeys(one.key_id[:12] for one in tree.signers if one.role in relied)
    until = f", until {tree.expires:%FT%TZ}" if tree.expires else ""
    return f"by {', '.join(keys)}{until}"


def _signers(judged: Judged) -> list[dict[str, object]]:
    return [
        {
            "key_id": one.key_id,
            "name": one.key_name,
            "authority": one.authority,
            "format": one.format.value,
            "is_bound_to_repository": one.is_bound_to_repository,
            "tag": one.tag,
            "signed_at": one.signed_at.isoformat() if one.signed_at else None,
        }
        for one in judged.proof.signatures
    ]


def _documents(steps: Iterable[Step], offset: int) -> list[dict[str, object]]:
    return [
        {
            "number": step.number + offset,
            "name": step.name,
            "is_passed": step.is_passed,
            "detail": step.detail,
            "signature": step.signature,
        }
        for step in steps
    ]


def _tree(tree: ChainProof) -> dict[str, object]:
    return {
        "is_valid": tree.is_valid,
        "remedy": tree.remedy,
        "tag": tree.tag,
        "found_in": tree.found_in,
        "vouchers": list(tree.vouchers),
        "signers": [{"role": one.role, "key_id": one.key_id} for one in tree.signers],
        "expires": tree.expires.isoformat() if tree.expires else None,
    }
