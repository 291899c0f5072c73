"""The rules about trust: who signed, and what the repository's tree says of the tag.

What a rule asks of a signature must be true of one and the same signature, and signers are counted
as people: two signatures that share a key or a certified identity are one signer's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from seawall.policy.model import Evidence, Format, Signer, Tree, TreeState, Waiver
from seawall.policy.rule import MAX_CLOCK_SKEW, Opinion, duration_text, listed, no

AUTHORITY: Final = "authority:"
"""Begins a name in `by` that means `authority:NAME` or `authority:NAME/IDENTITY`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What is asked of signatures before they count, and how many signers are needed."""

    signers: int = 1
    by: tuple[str, ...] = ()
    """Names or ids of keys, or certified identities; empty: anybody who is trusted."""
    formats: tuple[Format, ...] = ()  # empty: any
    must_name_repository: bool = False
    hardware: bool = False
    logged: bool = False
    witnesses: int = 0
    max_age: dt.timedelta | None = None

    @property
    def required(self) -> int:
        return max(self.signers, 1)

    def whom(self) -> str:
        return f"one of {', '.join(self.by)}" if self.by else "a trusted key"

    def objection(self, signer: Signer, now: dt.datetime) -> str:
        """Say why this signature does not count; empty when it does."""
        return next((why for is_wrong, why in self._objections(signer, now) if is_wrong), "")

    def counted(self, found: Iterable[Signer], now: dt.datetime) -> list[frozenset[Signer]]:
        """Return the signatures that count, apart for each person.

        Who is one person is seen from *all* signatures, those that do not count too.
        """
        counted = (
            frozenset(one for one in group if not self.objection(one, now))
            for group in people(found)
        )
        return [group for group in counted if group]

    def _objections(self, signer: Signer, now: dt.datetime) -> Iterator[tuple[bool, str]]:
        is_named = not self.by or any(_is_named(name, signer) for name in self.by)
        yield not is_named, f"it is not by {self.whom()}"
        is_in_form = not self.formats or signer.format in self.formats
        yield not is_in_form, f"it is in the form {signer.format.value}"
        is_bound = signer.is_bound_to_repository or not self.must_name_repository
        yield not is_bound, "it names no repository"
        is_confined = signer.is_on_hardware or not self.hardware
        yield not is_confined, "it was not attested that the key is on hardware"
        must_log = self.logged or self.witnesses > 0
        yield must_log and not signer.is_logged, "no log entry was proven for it"
        seen = f"{signer.witnesses} of {self.witnesses} witnesses saw its log entry"
        yield signer.witnesses < self.witnesses, seen
        if self.max_age is not None:
            yield from _objections_to_time(signer.signed_at, self.max_age, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed(Demands):
    """Enough different signers signed it, each in a way that fulfils what is demanded."""

    name: ClassVar[str] = "signed"

    def check(self, evidence: Evidence, now: dt.datetime, waivers: Sequence[Waiver]) -> Opinion:
        if evidence.signatures is None:
            return no("nobody looked for signatures", "let Seawall verify the image")
        found = evidence.signatures.signers
        counted = self.counted(found, now)
        if len(counted) >= self.required:
            return Opinion(is_passed=True, evidence=f"signed by {_names(counted)}")
        return no(
            _too_few(self, found, now, evidence.signatures.explanation),
            f"let the holder of {self.whom()} run: seawall sign IMAGE{_how(self)}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested(Demands):
    """For each of the predicate types, enough signers made such a statement about the image."""

    name: ClassVar[str] = "attested"
    types: tuple[str, ...]

    def check(self, evidence: Evidence, now: dt.datetime, waivers: Sequence[Waiver]) -> Opinion:
        if evidence.attestations is None:
            return no("nobody looked for attestations", "let Seawall verify the image")
        if not self.types:
            return no("the rule names no type of attestation", "name at least one in the policy")
        for wanted in self.types:
            found = [a.signer for a in evidence.attestations if a.predicate_type == wanted]
            if len(self.counted(found, now)) < self.required:
                why = _too_few(self, found, now, "there is none")
                return no(
                    f"attestation {wanted}: {why}",
                    f"let the holder of {self.whom()} run: seawall attest IMAGE{_how(self)}",
                )
        return Opinion(is_passed=True, evidence=f"attested: {listed(self.types)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeIntact:
    """A pinned tree is whole, not rolled back, and names no other digest for the tag.

    It cannot be switched off: what this rule sees is an attack or an accident, never a choice.
    """

    name: ClassVar[str] = "tree-intact"

    def check(self, evidence: Evidence, now: dt.datetime, waivers: Sequence[Waiver]) -> Opinion:
        tree = evidence.tree
        if tree is None:
            return no("nobody looked at the repository's tree", "let Seawall verify the image")
        match tree.state:
            case TreeState.BROKEN:
                return no(tree.explanation or "the tree does not verify", _BROKEN_REMEDY)
            case TreeState.MOVED:
                found = tree.explanation or "the tree names another digest for the tag"
                return no(found, _MOVED_REMEDY)
            case TreeState.UNPINNED:
                return Opinion(
                    is_passed=True, evidence="no root is pinned: there is no tree to ask"
                )
            case _:
                return Opinion(is_passed=True, evidence="nothing contradicts the pinned root")


@dataclass(frozen=True, slots=True, kw_only=True)
class InTree:
    """The repository's tree names exactly this image, and is fresh."""

    name: ClassVar[str] = "tree"
    allow_unpinned: bool = False
    max_age: dt.timedelta | None = None

    def check(self, evidence: Evidence, now: dt.datetime, waivers: Sequence[Waiver]) -> Opinion:
        tree = evidence.tree
        if tree is None:
            return no("nobody looked at the repository's tree", "let Seawall verify the image")
        if tree.state is TreeState.PROVEN:
            return self._fresh(tree, now)
        if tree.state is TreeState.UNPINNED and self.allow_unpinned:
            return Opinion(is_passed=True, evidence="no root is pinned, so signatures alone count")
        shown = tree.explanation or _TREE_WORDS[tree.state]
        return no(shown, _TREE_REMEDIES[tree.state])

    def _fresh(self, tree: Tree, now: dt.datetime) -> Opinion:
        named = tree.explanation or "the tree names this image"
        if self.max_age is None:
            return Opinion(is_passed=True, evidence=named)
        if tree.refreshed_at is None:
            return no("it is not known when the tree's timestamp was signed", _EXPIRED_REMEDY)
        age = now - tree.refreshed_at
        when = f"the tree's timestamp is of {tree.refreshed_at:%Y-%m-%d %H:%M} UTC"
        if age > self.max_age:
            return no(f"{when}, longer ago than {duration_text(self.max_age)}", _EXPIRED_REMEDY)
        if age < -MAX_CLOCK_SKEW:
            return no(f"{when}, which is in the future", "set the clock right")
        return Opinion(is_passed=True, evidence=f"{named}; {when}")


def people(signers: Iterable[Signer]) -> list[frozenset[Signer]]:
    """Return the signatures of each person: those that a key or an identity ties together."""
    groups: list[tuple[set[tuple[str, ...]], set[Signer]]] = []
    for signer in signers:
        marks, members = set(_marks(signer)), {signer}
        apart = []
        for known_marks, known in groups:
            if known_marks & marks:
                marks |= known_marks
                members |= known
            else:
                apart.append((known_marks, known))
        groups = [*apart, (marks, members)]
    return [frozenset(members) for _, members in groups]


def _marks(signer: Signer) -> Iterable[tuple[str, ...]]:
    yield ("key", signer.key_id)
    if signer.authority:
        yield ("identity", signer.authority, signer.identity)


def _is_named(name: str, signer: Signer) -> bool:
    if name.startswith(AUTHORITY):
        own = f"{AUTHORITY}{signer.authority}"
        return bool(signer.authority) and name in (own, f"{own}/{signer.identity}")
    # An authority chooses what its certificates say: that is never taken for the name of a key.
    return name == signer.key_id or (not signer.authority and name == signer.name)


def _objections_to_time(
    signed_at: dt.datetime | None, max_age: dt.timedelta, now: dt.datetime
) -> Iterator[tuple[bool, str]]:
    if signed_at is None:
        yield True, "it does not say when it was made"
        return
    yield now - signed_at > max_age, f"it was made longer ago than {duration_text(max_age)}"
    yield signed_at - now > MAX_CLOCK_SKEW, "it says it was made in the future"


def _too_few(demands: Demands, found: Sequence[Signer], now: dt.datetime, otherwise: str) -> str:
    counted = demands.counted(found, now)
    if counted:
        start = f"signed by {len(counted)} of {demands.required} required signers"
    else:
        start = f"not signed by {demands.whom()}"
    against = [f"{one.name}: {why}" for one in found if (why := demands.objection(one, now))]
    shown = list(dict.fromkeys(sorted(against))) or ([otherwise] if otherwise else [])
    return f"{start}: {listed(shown)}" if shown and not (counted and not against) else start


def _names(groups: Iterable[frozenset[Signer]]) -> str:
    return ", ".join(sorted({one.name for group in groups for one in group}))


def _how(demands: Demands) -> str:
    """Say in what way to sign, where a plain signature would not do."""
    ways = []
    if demands.hardware:
        ways.append("a key that was attested on hardware")
    if demands.logged or demands.witnesses:
        ways.append("an entry in the transparency log")
    if demands.witnesses:
        ways.append(f"{demands.witnesses} witnesses of the log")
    return f" (with {' and '.join(ways)})" if ways else ""


_EXPIRED_REMEDY: Final = (
    "let the server of the tree renew its timestamp, and the signers what else ran out: "
    "seawall trust status IMAGE"
)
_BROKEN_REMEDY: Final = (
    "see which step fails: seawall verify IMAGE. If the tree was replaced on purpose, let an "
    "administrator pin its root anew: seawall trust pin --installation"
)
_MOVED_REMEDY: Final = (
    "put the signed image back under its tag, or let a signer of the repository vouch for this "
    "one: seawall sign IMAGE"
)
_TREE_WORDS: Final = {
    TreeState.UNPINNED: "no root is pinned for the repository",
    TreeState.MISSING: "a root is pinned for the repository, but it has no tree",
    TreeState.BROKEN: "the tree does not verify",
    TreeState.MOVED: "the tree names another digest for the tag",
    TreeState.EXPIRED: "the tree's time is over",
    TreeState.UNNAMED: "the tree does not name the image",
    TreeState.PROVEN: "the tree names this image",
}
_TREE_REMEDIES: Final = {
    TreeState.UNPINNED: "let an administrator pin its root: seawall trust pin --installation",
    TreeState.MISSING: "let its owner publish the tree again: seawall trust init IMAGE",
    TreeState.BROKEN: _BROKEN_REMEDY,
    TreeState.MOVED: _MOVED_REMEDY,
    TreeState.EXPIRED: _EXPIRED_REMEDY,
    TreeState.UNNAMED: "let a signer of the repository vouch for it: seawall sign IMAGE",
    TreeState.PROVEN: "",
}
