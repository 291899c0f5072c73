"""What a statement is about: predicate types, by the short names that cosign gave them.

Any absolute URI is a type too; of a type that is not listed here, the predicate is any JSON.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from seawall.core.errors import InvalidInputError
from seawall.core.strictjson import Json
from seawall.trust import bundle

URI_MAX_CHARACTERS: Final = 512
_URI: Final = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]+", re.ASCII)

SLSA_PROVENANCE: Final = "https://slsa.dev/provenance/v1"
SLSA_PROVENANCE_02: Final = "https://slsa.dev/provenance/v0.2"
CYCLONEDX: Final = "https://cyclonedx.org/bom"
SPDX: Final = "https://spdx.dev/Document"
VULNERABILITIES: Final = "https://cosign.sigstore.dev/attestation/vuln/v1"
OPENVEX: Final = "https://openvex.dev/ns"

NAMES: Final = {
    "slsaprovenance": SLSA_PROVENANCE,
    "slsaprovenance1": SLSA_PROVENANCE,
    "slsaprovenance02": SLSA_PROVENANCE_02,
    "cyclonedx": CYCLONEDX,
    "spdx": SPDX,
    "spdxjson": SPDX,
    "vuln": VULNERABILITIES,
    "openvex": OPENVEX,
}
"""Short names. `slsaprovenance` means version 1 here; stock cosign means 0.2 by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """Members that a predicate of a type has; those with a text must have just this text."""

    members: dict[str, str | None]
    may_be_text: bool = False


_FORMS: Final = {
    SLSA_PROVENANCE: _Form(members={"buildDefinition": None, "runDetails": None}),
    SLSA_PROVENANCE_02: _Form(members={"builder": None, "buildType": None}),
    CYCLONEDX: _Form(members={"bomFormat": "CycloneDX", "specVersion": None}),
    SPDX: _Form(members={"spdxVersion": None, "SPDXID": "SPDXRef-DOCUMENT"}, may_be_text=True),
    VULNERABILITIES: _Form(members={"scanner": None, "metadata": None}),
    OPENVEX: _Form(members={"@context": None, "statements": None}),
}


def parse(text: str) -> str:
    """Return the URI of a type, given by its short name or as URI. Raises InvalidInputError."""
    if text in NAMES:
        return NAMES[text]
    if len(text) > URI_MAX_CHARACTERS or _URI.fullmatch(text) is None:
        raise InvalidInputError(
            f"{text[:80]!r} is no type of attestation",
            remedy=f"use one of {', '.join(NAMES)}, or a URI",
        )
    if text == bundle.SIGN_PREDICATE:
        raise InvalidInputError(
            "that is the type of a signature, not of an attestation", remedy="use: seawall sign"
        )
    return text


def name_of(predicate_type: str) -> str:
    """Return the short name of a type; its URI when it has none."""
    return next((name for name, uri in NAMES.items() if uri == predicate_type), predicate_type)


def check(predicate_type: str, predicate: Json) -> None:
    """Refuse a predicate that is not of its type's form. Raises InvalidInputError.

    It looks at what tells one kind of document from another, and leaves the schema to its readers.
    """
    form = _FORMS.get(predicate_type)
    if form is None or (form.may_be_text and isinstance(predicate, str)):
        return
    kind = name_of(predicate_type)
    if not isinstance(predicate, dict):
        raise InvalidInputError(f"a predicate of the type {kind} must be an object")
    for member, text in form.members.items():
        value = predicate.get(member)
        if value is None or (text is not None and value != text):
            wanted = member if text is None else f"{member}: {text}"
            raise InvalidInputError(f"this is no document of the type {kind}: it lacks {wanted}")
