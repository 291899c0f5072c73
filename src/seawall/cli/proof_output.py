"""How a proof is shown: the steps on signatures, then those of the tree, numbered through."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from seawall.cli.image_signatures import Judged
from seawall.oci.digest import Digest
from seawall.oci.names import Reference
from seawall.trust import proof
from seawall.trust.trail import Step
from seawall.trust.tuf.chain import ChainProof

FIRST_OF_TREE: Final = max(proof.STEPS)
"""The tree's steps are numbered from here on."""


def show(image: Reference, digest: Digest, judged: Judged | None, tree: ChainProof | None) -> None:
    """Print every step and the verdict."""
    print(f"{image.host}/{image.repository}@{digest}")
    if judged is not None:
        _show_steps(judged.proof.steps, 0)
    else:
        print("  signatures beside the tree were not looked at: no key is trusted for them")
    if tree is not None:
        print("  tree")
        _show_steps(tree.steps, FIRST_OF_TREE)
    _show_verdict(judged, tree)


def document(
    image: Reference, digest: Digest, judged: Judged | None, tree: ChainProof | None
) -> dict[str, object]:
    """Return the whole proof as JSON has it."""
    steps = [*_documents(judged.proof.steps, 0)] if judged is not None else []
    remedies = [
        one.remedy for one in (judged.proof if judged else None, tree) if one and one.remedy
    ]
    return {
        "image": str(image),
        "digest": digest,
        "remedy": remedies[0] if remedies else "",
        "signers": _signers(judged) if judged is not None else [],
        "steps": steps + (_documents(tree.steps, FIRST_OF_TREE) if tree is not None else []),
        "tree": None if tree is None else _tree(tree),
    }


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


def _show_verdict(judged: Judged | None, tree: ChainProof | None) -> None:
    failed = [
        one
        for one in (judged.proof if judged else None, tree)
        if one is not None and not one.is_valid
    ]
    if failed:
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
