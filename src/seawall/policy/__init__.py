"""What we allow: evidence in, verdict with reasons out. Pure; it knows neither `trust` nor `scan`.

verdict = policy.decide(evidence, policies.for_repository(name), now)
"""

from seawall.policy.decide import decide
from seawall.policy.explain import explain
from seawall.policy.load import load, load_file
from seawall.policy.model import (
    Attestation,
    Content,
    Evidence,
    Finding,
    Format,
    Scan,
    Severity,
    Signatures,
    Signer,
    Tree,
    TreeState,
    Verdict,
    Weakness,
)
from seawall.policy.policies import DEFAULT, Policies, Policy

__all__ = [
    "DEFAULT",
    "Attestation",
    "Content",
    "Evidence",
    "Finding",
    "Format",
    "Policies",
    "Policy",
    "Scan",
    "Severity",
    "Signatures",
    "Signer",
    "Tree",
    "TreeState",
    "Verdict",
    "Weakness",
    "decide",
    "explain",
    "load",
    "load_file",
]
