"""A policy is rules with modes, and waivers; `Policies` picks the one for a repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seawall.oci import patterns
from seawall.policy.model import Mode, Waiver
from seawall.policy.rule import Rule
from seawall.policy.rules import ContentWhole, NothingFixable, ScanComplete, ScanFresh
from seawall.policy.trust_rules import Attested, InTree, Signed, TreeIntact


@dataclass(frozen=True, slots=True, kw_only=True)
class Moded:
    """A rule, and what its no means."""

    rule: Rule
    mode: Mode = Mode.ENFORCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Rules for the repositories that `patterns` match. Without a rule it refuses everything."""

    name: str
    patterns: tuple[str, ...]
    rules: tuple[Moded, ...]
    waivers: tuple[Waiver, ...] = ()

    @property
    def attested_types(self) -> frozenset[str]:
        """Return the predicate types that a rule asks for."""
        rules = [moded.rule for moded in self.rules]
        asked = [rule for rule in rules if isinstance(rule, Attested)]
        return frozenset(kind for rule in asked for kind in rule.types)


IN_PINNED_TREE: Final = Moded(rule=InTree(allow_unpinned=True))
"""Where somebody pinned a root, the tree is asked: pinning is enough, no policy must say so too."""

DEFAULT: Final = Policy(
    name="built-in",
    patterns=("**",),
    rules=(
        Moded(rule=ContentWhole()),
        Moded(rule=TreeIntact()),
        Moded(rule=Signed()),
        IN_PINNED_TREE,
        Moded(rule=ScanFresh()),
        Moded(rule=ScanComplete()),
        Moded(rule=NothingFixable()),
    ),
)
"""Signed by a trusted key, named by the tree where a root is pinned, scanned whole within 7 days,
nothing fixable of high or above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """All policies of an installation."""

    policies: tuple[Policy, ...] = ()

    def for_repository(self, repository: str) -> Policy:
        """Return the policy whose pattern fits `repository` best; the built-in one if none fits."""
        fitting = [
            (patterns.specificity(pattern), policy)
            for policy in self.policies
            for pattern in policy.patterns
            if patterns.is_match(pattern, repository)
        ]
        return max(fitting, key=lambda pair: pair[0])[1] if fitting else DEFAULT
