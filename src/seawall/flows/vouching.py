"""Everything that vouches for an image, proven and put together: the signatures beside it, and the
tree that names it.

One numbered list of steps comes out, for people, and the signers with what is known of each
signature, for the policy. A signer of the tree counts as one of the image only when the same key is
trusted for the repository: the tree restricts, keys admit.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from seawall import policy
from seawall.flows.logged_signatures import Logged, LoggedSignatures
from seawall.flows.pinned_trees import PinnedTrees, TreeProof
from seawall.flows.signatures import Gathered, Signatures
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName, Tag
from seawall.store.watching import WhileUnchanged
from seawall.trust import proof
from seawall.trust.attestations.envelope import AttestationFormat
from seawall.trust.attestations.proof import VerifiedAttestation
from seawall.trust.keys import KeyId
from seawall.trust.model import TrustedKey, VerifiedSignature
from seawall.trust.proof import Proof
from seawall.trust.trail import Step
from seawall.trust.tuf import chain

FIRST_OF_TREE: Final = max(proof.STEPS)
FIRST_OF_LOG: Final = FIRST_OF_TREE + max(chain.STEPS)
"""Numbers of the tree's and of the log's steps are counted from here on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedStep:
    """One line of the whole proof. `part` says what it is about."""

    number: int
    part: str
    name: str
    is_passed: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """What was proven about one image."""

    proof: Proof
    """Of the signatures beside the image."""
    tree: TreeProof
    signers: tuple[policy.Signer, ...]
    """One for each signature that holds, those in the tree too."""
    logged: tuple[tuple[int, Logged], ...] = ()
    """What the transparency log has of them, by the number of the artifact."""

    @property
    def steps(self) -> tuple[NumberedStep, ...]:
        """The whole proof: the signatures, the tree, what the log has of each signature.

        A step has one number for ever, as in `seawall verify`: those of the tree follow those of
        the signatures, those of the log follow both.
        """
        found = [_numbered(_part(step), step, 0) for step in self.proof.steps]
        found += [_numbered("tree", step, FIRST_OF_TREE) for step in self.tree.steps]
        for number, entry in self.logged:
            about = f"log entry of signature {number}"
            found += [_numbered(about, step, FIRST_OF_LOG) for step in entry.proof.steps]
        return tuple(found)

    @property
    def tree_evidence(self) -> policy.Tree:
        """What the policy is told of the tree."""
        return policy.Tree(
            state=self.tree.state,
            explanation=self.tree.explanation,
            refreshed_at=self.tree.refreshed_at,
        )

    @property
    def signature_evidence(self) -> policy.Signatures:
        """What the policy is told of the signatures."""
        explanation = "" if self.signers else _why_not(self.proof)
        return policy.Signatures(signers=self.signers, explanation=explanation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouching:
    """Proves what vouches for images of this registry. Every method blocks."""

    signatures: Signatures
    trees: PinnedTrees
    logged: LoggedSignatures
    kept: WhileUnchanged[tuple[RepositoryName, Digest], Gathered]
    """What was read from the database: it is read again after each commit, by anybody."""

    def prove(
        self, repository: RepositoryName, digest: Digest, *, tag: Tag | None, now: dt.datetime
    ) -> Vouched:
        """Prove all that there is for `digest`, asked for by `tag` or by itself."""
        gathered = self.kept.get(
            (repository, digest),
            lambda: self.signatures.gather(repository, digest),
            weigh=lambda one: one.weight,
        )
        keys = {key.key_id: key for key in gathered.keys}
        found = self.signatures.prove_these(gathered, repository, digest, tag=tag, now=now)
        tree = self.trees.prove(repository, digest, tag=tag, now=now)
        signers, logged = [], []
        for number, signature in found.every:
            key = keys.get(signature.public_key_id)
            entry = self.logged.prove(gathered.artifacts[number - 1], key, now=now) if key else None
            signers.append(_signer(signature, key, entry))
            if entry is not None:
                logged.append((number, entry))
        signers += _of_tree(tree, keys)
        return Vouched(proof=found, tree=tree, signers=tuple(signers), logged=tuple(logged))


def attestation_evidence(
    found: Sequence[VerifiedAttestation], keys: Sequence[TrustedKey]
) -> tuple[policy.Attestation, ...]:
    """Return what the policy is told of attestations."""
    by_id = {key.key_id: key for key in keys}
    return tuple(
        policy.Attestation(
            predicate_type=one.predicate_type,
            signer=policy.Signer(
                key_id=one.key_id,
                name=one.key_name,
                is_bound_to_repository=one.is_bound_to_repository,
                format=_ATTESTED_IN[one.format],
                signed_at=one.signed_at,
                is_on_hardware=one.key_id in by_id and by_id[one.key_id].hardware is not None,
            ),
        )
        for one in found
    )


_ATTESTED_IN: Final = {
    AttestationFormat.COSIGN_TAG: policy.Format.COSIGN_TAG,
    AttestationFormat.SIGSTORE_BUNDLE: policy.Format.SIGSTORE_BUNDLE,
}


def _signer(
    signature: VerifiedSignature, key: TrustedKey | None, entry: Logged | None
) -> policy.Signer:
    return policy.Signer(
        key_id=signature.public_key_id,
        name=signature.key_name,
        is_bound_to_repository=signature.is_bound_to_repository,
        format=policy.Format(signature.format.value),
        authority=signature.authority,
        identity=signature.key_name if signature.authority else "",
        signed_at=signature.signed_at,
        is_on_hardware=key is not None and key.hardware is not None,
        is_logged=entry is not None and entry.proof.is_valid,
        witnesses=0 if entry is None else entry.witnesses,
    )


def _of_tree(tree: TreeProof, trusted: Mapping[KeyId, TrustedKey]) -> Iterator[policy.Signer]:
    if tree.state is not policy.TreeState.PROVEN:
        return
    for key_id in dict.fromkeys(one.key_id for one in tree.signers):
        if key_id in trusted:
            key = trusted[key_id]
            yield policy.Signer(
                key_id=key_id,
                name=key.name,
                format=policy.Format.TUF,
                is_on_hardware=key.hardware is not None,
            )


class _AnyStep(Protocol):
    @property
    def number(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def is_passed(self) -> bool: ...
    @property
    def detail(self) -> str: ...


def _numbered(part: str, step: _AnyStep, offset: int) -> NumberedStep:
    return NumberedStep(
        number=step.number + offset,
        part=part,
        name=step.name,
        is_passed=step.is_passed,
        detail=step.detail,
    )


def _part(step: Step) -> str:
    return f"signature {step.signature}" if step.signature else "signatures"


def _why_not(found: Proof) -> str:
    """Say why nobody vouches: what is missing, or what is wrong with the last signature."""
    failed = [step.detail for step in found.failures if step.name != "signers"]
    return failed[-1] if failed else found.remedy
