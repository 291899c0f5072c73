"""What we allow: evidence in, verdict with reasons out. Pure; it knows neither `trust` nor `scan`.

verdict = policy.decide(evidence, policies.for_repository(name), now)
"""

from seawall.policy.decide import decide
from seawall.policy.explain import explain
from seawall.policy.load import load, load_file
from seawall.policy.model import (
    Content,
    Evidence,
    Finding,
    Scan,
    Severity,
    Signatures,
    Signer,
    Verdict,
)
from seawall.policy.policies import DEFAULT, Policies, Policy

__all__ = [
    "DEFAULT",
    "Content",
    "Evidence",
    "Finding",
    "Policies",
    "Policy",
    "Scan",
    "Severity",
    "Signatures",
    "Signer",
    "Verdict",
    "decide",
    "explain",
    "load",
    "load_file",
]
