"""The rules about trust, as the policy file writes them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Final, TypedDict

from seawall.policy import _fields
from seawall.policy._yaml import Tree
from seawall.policy.model import Format
from seawall.policy.rule import Rule
from seawall.policy.trust_rules import AUTHORITY, Attested, InTree, Signed, TreeIntact

MAX_SIGNERS: Final = 16
MAX_WITNESSES: Final = 16
MAX_TYPES: Final = 16

PREDICATES: Final = {
    "slsa": "https://slsa.dev/provenance/v1",
    "spdx": "https://spdx.dev/Document",
    "cyclonedx": "https://cyclonedx.org/bom",
    "vuln": "https://cosign.sigstore.dev/attestation/vuln/v1",
    "openvex": "https://openvex.dev/ns",
}
"""Short names of predicate types; any other is written as its URI."""

_FORMATS: Final = {one.value: one for one in Format}
_UNPINNED: Final = {"refuse": False, "allow": True}
_DEMANDS: Final = {
    "signers", "by", "formats", "must-name-repository", "hardware", "logged", "witnesses",
    "max-age",
}  # fmt: skip


class _Demands(TypedDict):
    signers: int
    by: tuple[str, ...]
    formats: tuple[Format, ...]
    must_name_repository: bool
    hardware: bool
    logged: bool
    witnesses: int
    max_age: dt.timedelta | None


def signed(fields: Mapping[str, Tree], where: str) -> Signed:
    """Read `signed`."""
    _fields.only(fields, where, optional=_DEMANDS)
    return Signed(**_demands(fields, where))


def attested(fields: Mapping[str, Tree], where: str) -> Attested:
    """Read `attested`."""
    _fields.only(fields, where, required={"types"}, optional=_DEMANDS)
    written = _fields.texts(fields["types"], f"{where}.types")
    if not 1 <= len(written) <= MAX_TYPES:
        raise _fields.wrong(f"{where}.types", f"1 to {MAX_TYPES} types are expected")
    types = tuple(_predicate(one, f"{where}.types") for one in written)
    return Attested(types=types, **_demands(fields, where))


def tree(fields: Mapping[str, Tree], where: str) -> InTree:
    """Read `tree`."""
    _fields.only(fields, where, optional={"unpinned", "max-age"})
    unpinned = fields.get("unpinned", "refuse")
    return InTree(
        allow_unpinned=_fields.choice(unpinned, f"{where}.unpinned", _UNPINNED),
        max_age=_max_age(fields, where),
    )


def tree_intact(fields: Mapping[str, Tree], where: str) -> TreeIntact:
    """Read `tree-intact`, which holds whether it is written or not."""
    _fields.only(fields, where)
    return TreeIntact()


def _demands(fields: Mapping[str, Tree], where: str) -> _Demands:
    by = _some(fields, "by", where, "anybody")
    signers = _fields.number(fields.get("signers", "1"), f"{where}.signers", 1, MAX_SIGNERS)
    if by and signers > len(by) and not any(_is_authority(name) for name in by):
        raise _fields.wrong(f"{where}.signers", "more signers are required than are named in 'by'")
    formats = _some(fields, "formats", where, "any")
    witnesses = fields.get("witnesses", "0")

    def is_set(name: str) -> bool:
        return _fields.choice(fields.get(name, "false"), f"{where}.{name}", _fields.BOOLEANS)

    return _Demands(
        signers=signers,
        by=by,
        formats=tuple(_fields.choice(one, f"{where}.formats", _FORMATS) for one in formats),
        must_name_repository=is_set("must-name-repository"),
        hardware=is_set("hardware"),
        logged=is_set("logged"),
        witnesses=_fields.number(witnesses, f"{where}.witnesses", 0, MAX_WITNESSES),
        max_age=_max_age(fields, where),
    )


def _some(fields: Mapping[str, Tree], name: str, where: str, otherwise: str) -> tuple[str, ...]:
    found = _fields.texts(fields.get(name) or [], f"{where}.{name}")
    if name in fields and not found:
        raise _fields.wrong(
            f"{where}.{name}", f"an empty list would mean nobody; leave it out for {otherwise}"
        )
    return found


def _is_authority(name: str) -> bool:
    """Whether the name stands for an authority, which may certify any number of signers."""
    return name.startswith(AUTHORITY) and "/" not in name


def _max_age(fields: Mapping[str, Tree], where: str) -> dt.timedelta | None:
    if "max-age" not in fields:
        return None
    return _fields.duration(fields["max-age"], f"{where}.max-age")


def _predicate(written: str, where: str) -> str:
    if written in PREDICATES:
        return PREDICATES[written]
    if "://" not in written:
        known = ", ".join(PREDICATES)
        raise _fields.wrong(where, f"{written[:80]!r} is not one of {known}, nor a URI")
    return written


RULES: Final[Mapping[str, Callable[[Mapping[str, Tree], str], Rule]]] = {
    Signed.name: signed,
    Attested.name: attested,
    InTree.name: tree,
    TreeIntact.name: tree_intact,
}
