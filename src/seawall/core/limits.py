"""Bounds that more than one room uses, each with its unit. A room keeps its own bounds itself."""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

MANIFEST_MAX_BYTES = 4 * MIB
"""A manifest larger than this is refused with 413 (OCI distribution-spec, "Pushing Manifests")."""

GATE_BODY_MAX_BYTES = 4 * MIB
"""A JSON body of the Docker Engine API larger than this is refused."""

JSON_MAX_DEPTH = 32
"""Nesting of any JSON that comes from outside."""
