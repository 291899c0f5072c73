"""The policy file: YAML, read strictly. What is not understood is refused, never ignored.

    version: 1
    policies:
      - name: production
        repositories: ["prod/**"]
        rules:
          signed: {signers: 2, by: [release, security], logged: true}
          tree: {max-age: 24h}
          nothing-fixable: {severity: medium}
          scan-fresh: {max-age: 2d}
          scan-complete: {mode: warn}
        waivers:
          - finding: CVE-2026-1234
            reason: the code is not reachable, see ticket 17
            owner: alice
            expires: 2026-12-31
            package: openssl

A repository takes the policy of its most specific pattern, and the built-in policy when none fits.
`mode` is enforce (default), warn or audit. Integrity (`content-whole`, `tree-intact`) is always on
and always enforced, and a file that does not speak of `tree` has it as the built-in policy does.
`signed` and `attested` may be lists of several demands, each with its mode. A waiver with a date
ends when that day begins, in UTC.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from seawall.core.errors import SeawallError, UnavailableError
from seawall.oci import patterns
from seawall.policy import _fields, _trust_fields, _yaml
from seawall.policy._yaml import Tree
from seawall.policy.decide import INTEGRITY
from seawall.policy.model import Mode, Severity, Waiver
from seawall.policy.policies import IN_PINNED_TREE, Moded, Policies, Policy
from seawall.policy.rule import Rule
from seawall.policy.rules import ContentWhole, NothingFixable, ScanComplete, ScanFresh
from seawall.policy.scan_rules import NothingExploited, NothingUnexplained, NothingWeak
from seawall.policy.trust_rules import Attested, InTree, Signed

MAX_POLICIES: Final = 256
MAX_VARIANTS: Final = 8
"""Of one rule that may be asked several times, each time with other demands and a mode."""

PARSED_MAX: Final = 8
"""Contents of files whose parsed form is kept."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_SEVERITIES: Final = {s.label: s for s in Severity if s is not Severity.UNKNOWN}
_REPEATABLE: Final = frozenset({Signed.name, Attested.name})


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


@functools.lru_cache(maxsize=PARSED_MAX)
def load(content: bytes) -> Policies:
    """Parse a policy file. Raises InvalidInputError, saying where, or LimitError.

    The same bytes say the same, so they are parsed once; the file itself is read each time.
    """
    top = _fields.mapping(_yaml.parse(content), "the file")
    _fields.only(top, "the file", required={"version", "policies"})
    if _fields.text(top["version"], "version") != "1":
        raise _fields.wrong("version", "only version 1 is known")
    found = [
        _policy(item, f"policies[{number}]")
        for number, item in enumerate(_fields.sequence(top["policies"], "policies", MAX_POLICIES))
    ]
    _fields.refuse_doubles([policy.name for policy in found], "policies: the name")
    _fields.refuse_doubles(
        [p for policy in found for p in policy.patterns], "policies: the pattern"
    )
    return Policies(policies=tuple(found))


def _policy(tree: Tree, where: str) -> Policy:
    fields = _fields.mapping(tree, where)
    _fields.only(fields, where, required={"name", "repositories", "rules"}, optional={"waivers"})
    name = _fields.text(fields["name"], f"{where}.name")
    if _NAME.fullmatch(name) is None:
        raise _fields.wrong(f"{where}.name", f"{name[:80]!r} is not a name")
    wanted = _fields.texts(fields["repositories"], f"{where}.repositories")
    if not wanted:
        raise _fields.wrong(f"{where}.repositories", "at least one pattern is needed")
    for pattern in wanted:
        _check_pattern(pattern, f"{where}.repositories")
    rules = _fields.mapping(fields["rules"], f"{where}.rules")
    waivers = _fields.sequence(fields.get("waivers") or [], f"{where}.waivers", _fields.MAX_ENTRIES)
    return Policy(
        name=name,
        patterns=wanted,
        rules=tuple(_rules(rules, f"{where}.rules")),
        waivers=tuple(_waiver(w, f"{where}.waivers[{n}]") for n, w in enumerate(waivers)),
    )


def _rules(kinds: Mapping[str, Tree], where: str) -> Iterator[Moded]:
    if not kinds:
        raise _fields.wrong(where, "at least one rule is needed: none would refuse everything")
    for kind, tree in kinds.items():
        if kind in _REPEATABLE and isinstance(tree, list):
            variants = _fields.sequence(tree, f"{where}.{kind}", MAX_VARIANTS)
            if not variants:
                raise _fields.wrong(f"{where}.{kind}", "an empty list would ask nothing")
            for number, variant in enumerate(variants):
                yield _rule(kind, variant, f"{where}.{kind}[{number}]")
        else:
            yield _rule(kind, tree, f"{where}.{kind}")
    if InTree.name not in kinds:
        yield IN_PINNED_TREE


def _rule(kind: str, tree: Tree, where: str) -> Moded:
    make = _RULES.get(kind)
    if make is None:
        raise _fields.wrong(where, f"no such rule; there are {', '.join(sorted(_RULES))}")
    fields = dict(_fields.mapping({} if tree is None else tree, where))
    modes = {mode.value: mode for mode in Mode}
    mode = _fields.choice(fields.pop("mode", "enforce"), f"{where}.mode", modes)
    rule = make(fields, where)
    if isinstance(rule, INTEGRITY) and mode is not Mode.ENFORCE:
        raise _fields.wrong(f"{where}.mode", "integrity is always enforced")
    return Moded(rule=rule, mode=mode)


def _content_whole(fields: Mapping[str, Tree], where: str) -> Rule:
    _fields.only(fields, where)
    return ContentWhole()


def _nothing_fixable(fields: Mapping[str, Tree], where: str) -> Rule:
    _fields.only(fields, where, optional={"severity", "unknown-counts-as"})
    return NothingFixable(
        severity=_fields.choice(fields.get("severity", "high"), f"{where}.severity", _SEVERITIES),
        unknown_counts_as=_fields.choice(
            fields.get("unknown-counts-as", "high"), f"{where}.unknown-counts-as", _SEVERITIES
        ),
    )


def _nothing_exploited(fields: Mapping[str, Tree], where: str) -> Rule:
    _fields.only(fields, where, optional={"likely"})
    likely = fields.get("likely")
    if likely is None:
        return NothingExploited()
    return NothingExploited(likely=_fields.number(likely, f"{where}.likely", 1, 100))


def _nothing_unexplained(fields: Mapping[str, Tree], where: str) -> Rule:
    _fields.only(fields, where, optional={"exceptions"})
    return NothingUnexplained(exceptions=_exceptions(fields, where))


def _nothing_weak(fields: Mapping[str, Tree], where: str) -> Rule:
    _fields.only(fields, where, optional={"severity", "exceptions"})
    return NothingWeak(
        severity=_fields.choice(fields.get("severity", "high"), f"{where}.severity", _SEVERITIES),
        exceptions=_exceptions(fields, where),
    )


def _exceptions(fields: Mapping[str, Tree], where: str) -> tuple[str, ...]:
    patterns_of_paths = _fields.texts(fields.get("exceptions", []), f"{where}.exceptions")
    for pattern in patterns_of_paths:
        if not pattern.startswith("/"):
            raise _fields.wrong(f"{where}.exceptions", f"{pattern[:80]!r} does not begin with /")
    return patterns_of_paths


def _scan_fresh(fields: Mapping[str, Tree], where: str) -> Rule:
    _fields.only(fields, where, optional={"max-age"})
    written = fields.get("max-age", "7d")
    return ScanFresh(max_age=_fields.duration(written, f"{where}.max-age"))


def _scan_complete(fields: Mapping[str, Tree], where: str) -> Rule:
    _fields.only(fields, where)
    return ScanComplete()


_RULES: Final[Mapping[str, Callable[[Mapping[str, Tree], str], Rule]]] = {
    ContentWhole.name: _content_whole,
    NothingFixable.name: _nothing_fixable,
    NothingExploited.name: _nothing_exploited,
    NothingUnexplained.name: _nothing_unexplained,
    NothingWeak.name: _nothing_weak,
    ScanFresh.name: _scan_fresh,
    ScanComplete.name: _scan_complete,
    **_trust_fields.RULES,
}


def _waiver(tree: Tree, where: str) -> Waiver:
    fields = _fields.mapping(tree, where)
    _fields.only(
        fields, where, required={"finding", "reason", "owner", "expires"}, optional={"package"}
    )
    text = {name: _fields.text(fields[name], f"{where}.{name}") for name in fields}
    return Waiver(
        finding=text["finding"],
        reason=text["reason"],
        owner=text["owner"],
        expires=_fields.moment(text["expires"], f"{where}.expires"),
        package=text.get("package", ""),
    )


def _check_pattern(pattern: str, where: str) -> None:
    try:
        patterns.check(pattern)
    except SeawallError as error:
        raise _fields.wrong(where, error.message) from error
