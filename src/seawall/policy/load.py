"""The policy file: YAML, read strictly. What is not understood is refused, never ignored.

    version: 1
    policies:
      - name: production
        repositories: ["prod/**"]
        rules:
          signed: {signers: 2, by: [release, security]}
          nothing-fixable: {severity: medium}
          scan-fresh: {max-age: 2d}
          scan-complete: {mode: warn}
        waivers:
          - finding: CVE-2026-1234
            reason: the code is not reachable, see ticket 17
            owner: alice
            expires: 2026-12-31

A repository takes the policy of its most specific pattern, and the built-in policy when none fits.
`mode` is enforce (default), warn or audit. `content-whole` is always on and always enforced. A
waiver with a date ends when that day begins, in UTC.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from seawall.core.errors import InvalidInputError, SeawallError, UnavailableError
from seawall.oci import patterns
from seawall.policy import _yaml
from seawall.policy._yaml import Tree
from seawall.policy.model import Mode, Severity
from seawall.policy.policies import Moded, Policies, Policy, Waiver
from seawall.policy.rules import ContentWhole, NothingFixable, Rule, ScanComplete, ScanFresh, Signed

T = TypeVar("T")

MAX_POLICIES: Final = 256
MAX_ENTRIES: Final = 1024
"""Patterns, names or waivers in one list."""

MAX_TEXT_CHARACTERS: Final = 500
MAX_SIGNERS: Final = 16
MAX_SCAN_AGE: Final = dt.timedelta(days=365)

_DURATION: Final = re.compile(r"([1-9][0-9]{0,4})([hd])", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_SEVERITIES: Final = {s.label: s for s in Severity if s is not Severity.UNKNOWN}


def load_file(path: Path) -> Policies:
    """Read the policy file; none at all means the built-in policy. Raises like `load`."""
    try:
        with path.open("rb") as file:
            content = file.read(_yaml.MAX_BYTES + 1)
    except FileNotFoundError:
        return Policies()
    except OSError as error:
        raise UnavailableError(f"cannot read the policy file: {error.strerror}") from error
    return load(content)


def load(content: bytes) -> Policies:
    """Parse a policy file. Raises InvalidInputError, saying where, or LimitError."""
    top = _mapping(_yaml.parse(content), "the file")
    _only(top, "the file", required={"version", "policies"})
    if _text(top["version"], "version") != "1":
        raise _wrong("version", "only version 1 is known")
    found = [
        _policy(item, f"policies[{number}]")
        for number, item in enumerate(_list(top["policies"], "policies", MAX_POLICIES))
    ]
    _refuse_doubles([policy.name for policy in found], "policies: the name")
    _refuse_doubles([p for policy in found for p in policy.patterns], "policies: the pattern")
    return Policies(policies=tuple(found))


def _policy(tree: Tree, where: str) -> Policy:
    fields = _mapping(tree, where)
    _only(fields, where, required={"name", "repositories", "rules"}, optional={"waivers"})
    name = _text(fields["name"], f"{where}.name")
    if _NAME.fullmatch(name) is None:
        raise _wrong(f"{where}.name", f"{name[:80]!r} is not a name")
    wanted = _texts(fields["repositories"], f"{where}.repositories")
    if not wanted:
        raise _wrong(f"{where}.repositories", "at least one pattern is needed")
    for pattern in wanted:
        _check_pattern(pattern, f"{where}.repositories")
    rules = _mapping(fields["rules"], f"{where}.rules")
    if not rules:
        raise _wrong(f"{where}.rules", "at least one rule is needed: none would refuse everything")
    waivers = _list(fields.get("waivers") or [], f"{where}.waivers", MAX_ENTRIES)
    return Policy(
        name=name,
        patterns=wanted,
        rules=tuple(_rule(kind, rules[kind], f"{where}.rules.{kind}") for kind in rules),
        waivers=tuple(_waiver(w, f"{where}.waivers[{n}]") for n, w in enumerate(waivers)),
    )


def _rule(kind: str, tree: Tree, where: str) -> Moded:
    make = _RULES.get(kind)
    if make is None:
        raise _wrong(where, f"no such rule; there are {', '.join(sorted(_RULES))}")
    fields = dict(_mapping({} if tree is None else tree, where))
    mode = _choice(fields.pop("mode", "enforce"), f"{where}.mode", {m.value: m for m in Mode})
    if kind == ContentWhole.name and mode is not Mode.ENFORCE:
        raise _wrong(f"{where}.mode", "integrity is always enforced")
    return Moded(rule=make(fields, where), mode=mode)


def _content_whole(fields: Mapping[str, Tree], where: str) -> Rule:
    _only(fields, where)
    return ContentWhole()


def _signed(fields: Mapping[str, Tree], where: str) -> Rule:
    _only(fields, where, optional={"signers", "by", "must-name-repository"})
    by = _texts(fields.get("by") or [], f"{where}.by")
    if "by" in fields and not by:
        raise _wrong(f"{where}.by", "an empty list would mean nobody; leave it out for anybody")
    must = _choice(fields.get("must-name-repository", "false"), where, _BOOLEANS)
    signers = _text(fields.get("signers", "1"), f"{where}.signers")
    if not (signers.isascii() and signers.isdigit() and 1 <= int(signers[:4]) <= MAX_SIGNERS):
        raise _wrong(f"{where}.signers", f"a number from 1 to {MAX_SIGNERS} is expected")
    if by and int(signers) > len(by):
        raise _wrong(f"{where}.signers", "more signers are required than are named in 'by'")
    return Signed(signers=int(signers), by=by, must_name_repository=must)


def _nothing_fixable(fields: Mapping[str, Tree], where: str) -> Rule:
    _only(fields, where, optional={"severity", "unknown-counts-as"})
    return NothingFixable(
        severity=_choice(fields.get("severity", "high"), f"{where}.severity", _SEVERITIES),
        unknown_counts_as=_choice(
            fields.get("unknown-counts-as", "high"), f"{where}.unknown-counts-as", _SEVERITIES
        ),
    )


def _scan_fresh(fields: Mapping[str, Tree], where: str) -> Rule:
    _only(fields, where, optional={"max-age"})
    text = _text(fields.get("max-age", "7d"), f"{where}.max-age")
    match = _DURATION.fullmatch(text)
    if match is None:
        raise _wrong(f"{where}.max-age", f"{text[:40]!r} is not like 12h or 7d")
    hours = int(match[1]) * (24 if match[2] == "d" else 1)
    if (age := dt.timedelta(hours=hours)) > MAX_SCAN_AGE:
        raise _wrong(f"{where}.max-age", f"at most {MAX_SCAN_AGE.days}d")
    return ScanFresh(max_age=age)


def _scan_complete(fields: Mapping[str, Tree], where: str) -> Rule:
    _only(fields, where)
    return ScanComplete()


_RULES: Final[Mapping[str, Callable[[Mapping[str, Tree], str], Rule]]] = {
    ContentWhole.name: _content_whole,
    Signed.name: _signed,
    NothingFixable.name: _nothing_fixable,
    ScanFresh.name: _scan_fresh,
    ScanComplete.name: _scan_complete,
}
_BOOLEANS: Final = {"true": True, "false": False}


def _waiver(tree: Tree, where: str) -> Waiver:
    fields = _mapping(tree, where)
    _only(fields, where, required={"finding", "reason", "owner", "expires"})
    text = {name: _text(fields[name], f"{where}.{name}") for name in fields}
    return Waiver(
        finding=text["finding"],
        reason=text["reason"],
        owner=text["owner"],
        expires=_moment(text["expires"], f"{where}.expires"),
    )


def _moment(text: str, where: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise _wrong(where, f"{text[:40]!r} is not a date like 2026-12-31") from error
    if moment.tzinfo is None:
        if len(text) > len("2026-12-31"):
            raise _wrong(where, "a time needs its zone, as in 2026-12-31T12:00:00Z")
        moment = moment.replace(tzinfo=dt.UTC)
    return moment.astimezone(dt.UTC)


def _mapping(tree: Tree, where: str) -> dict[str, Tree]:
    if not isinstance(tree, dict):
        raise _wrong(where, "a mapping is expected")
    return tree


def _list(tree: Tree, where: str, limit: int) -> list[Tree]:
    if not isinstance(tree, list):
        raise _wrong(where, "a list is expected")
    if len(tree) > limit:
        raise _wrong(where, f"more than {limit} entries")
    return tree


def _text(tree: Tree, where: str) -> str:
    if not isinstance(tree, str) or not tree.strip():
        raise _wrong(where, "a text is expected")
    if len(tree) > MAX_TEXT_CHARACTERS:
        raise _wrong(where, f"longer than {MAX_TEXT_CHARACTERS} characters")
    return tree


def _texts(tree: Tree, where: str) -> tuple[str, ...]:
    return tuple(_text(item, where) for item in _list(tree, where, MAX_ENTRIES))


def _choice(tree: Tree, where: str, choices: Mapping[str, T]) -> T:
    text = _text(tree, where)
    if text not in choices:
        raise _wrong(where, f"{text[:40]!r} is not one of {', '.join(choices)}")
    return choices[text]


def _only(
    fields: Mapping[str, Tree],
    where: str,
    *,
    required: set[str] | None = None,
    optional: set[str] | None = None,
) -> None:
    known = (required or set()) | (optional or set())
    for name in fields:
        if name not in known:
            raise _wrong(where, f"unknown key {name[:80]!r}")
    for name in sorted(required or set()):
        if name not in fields:
            raise _wrong(where, f"{name!r} is missing")


def _refuse_doubles(names: list[str], what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InvalidInputError(f"{what} {name!r} stands there twice")


def _check_pattern(pattern: str, where: str) -> None:
    try:
        patterns.check(pattern)
    except SeawallError as error:
        raise _wrong(where, error.message) from error


def _wrong(where: str, what: str) -> InvalidInputError:
    return InvalidInputError(f"policy: {where}: {what}", remedy="see docs/reference/policy.md")
