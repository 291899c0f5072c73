"""Version signatures: text in a file that names a product and its version, found by rules.

A rule knows three things apart that look alike: the product's *own* program or library, a *copy* of
it inside another file, and a file that merely mentions or loads it. The file's name plays no part,
so a renamed file is recognised and a misleading name is not believed. Forks are told from what they
were forked from by `beats` and `absent`. How to write one: docs/howto/write-a-fingerprint-rule.md.

Text can be forged: every claim is weaker than any hash or builder's record.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from typing import Final

from seawall.scan.files import rules, version_texts
from seawall.scan.files.literals import Literals
from seawall.scan.files.model import Claim
from seawall.scan.files.rules import Pattern, Rule
from seawall.scan.model import Role
from seawall.scan.readers import Content

OWN: Final = 0.8
"""Confidence that the file is the product's own."""

COPY: Final = 0.6
DOUBTFUL: Final = 0.4
"""Several versions stand in the file."""

MAX_MATCHES: Final = 200


class Signatures:
    """A set of rules, ready to be applied."""

    def __init__(self, known: Sequence[Rule]) -> None:
        self._rules = known
        texts: dict[bytes, int] = {}
        self._by_text: dict[int, set[int]] = {}
        for index, rule in enumerate(known):
            for pattern in (*rule.own, *rule.copy):
                for trigger in pattern.triggers:
                    number = texts.setdefault(trigger, len(texts))
                    self._by_text.setdefault(number, set()).add(index)
            for text in rule.texts():
                texts.setdefault(text, len(texts))
        self._texts = list(texts)
        self._literals = Literals(self._texts)

    def claims(
        self, content: Content, *, soname: str = "", needed: Sequence[str] = ()
    ) -> tuple[Claim, ...]:
        """Return what the file is and holds, in the order of the rules."""
        hits = self._literals.find(content)
        candidates = {index for number in hits for index in self._by_text.get(number, ())}
        texts = {self._texts[number]: places for number, places in hits.items()}
        file = _File(content, texts, soname, needed)
        found = [
            claim
            for index in sorted(candidates)
            if (claim := _apply(self._rules[index], file)) is not None
        ]
        return _without_beaten(found, self._rules)


@functools.cache
def shipped() -> Signatures:
    """Return the rules that come with Seawall."""
    text = resources.files("seawall.scan.files").joinpath("rules.toml").read_text("utf-8")
    return Signatures(rules.parse(text))


class _File:
    """One file under examination."""

    def __init__(
        self,
        content: Content,
        texts: Mapping[bytes, Sequence[int]],
        soname: str,
        needed: Sequence[str],
    ) -> None:
        self.content = content
        self.soname = soname
        self.needed = needed
        self._texts = texts

    @functools.cached_property
    def versions(self) -> version_texts.Strings:
        return version_texts.whole(self.content)

    def places(self, text: bytes) -> Sequence[int]:
        return self._texts.get(text, ())

    def has_all(self, texts: Iterable[bytes]) -> bool:
        return all(self.places(text) for text in texts)

    def has_any(self, texts: Iterable[bytes]) -> bool:
        return any(self.places(text) for text in texts)


def _apply(rule: Rule, file: _File) -> Claim | None:
    if file.has_any(rule.absent):
        return None
    found = _version(rule.own, file)
    if found is None:
        is_library = bool(rule.soname and rule.soname.match(file.soname))
        is_own = is_library or file.has_any(rule.program)
        is_loaded = any(rule.soname.match(name) for name in file.needed) if rule.soname else False
        found = _version(rule.copy, file)
        if found is None or (not is_own and (is_loaded or rule.is_never_bundled)):
            return None
    else:
        is_own = True
    version, offset, is_sure = found
    confidence = (OWN if is_own else COPY) if is_sure else DOUBTFUL
    return Claim(
        product=rule.product,
        version=version,
        role=Role.INSTALLED if is_own else Role.BUNDLED,
        type=rule.type,
        name=rule.name,
        cpe=rule.cpe,
        offset=offset,
        confidence=confidence,
    )


def _version(patterns: Sequence[Pattern], file: _File) -> tuple[str, int, bool] | None:
    """Return version, place and whether it is the only one, by the first pattern that matches."""
    for pattern in patterns:
        if not file.has_all(pattern.needs):
            continue
        seen: dict[str, int] = {}
        counts: Counter[str] = Counter()
        for version, place in itertools.islice(_matches(pattern, file), MAX_MATCHES):
            seen.setdefault(version, place)
            counts[version] += 1
        if counts:
            version = max(counts, key=lambda text: (counts[text], -seen[text]))
            return version, seen[version], len(counts) == 1
    return None


def _matches(pattern: Pattern, file: _File) -> Iterator[tuple[str, int]]:
    """Yield versions with their places, at most MAX_MATCHES."""
    if pattern.is_whole:
        for place, text in file.versions.items():
            if (whole := pattern.regex.fullmatch(text)) is not None:
                yield pattern.version_of(whole), place + whole.start(1)
        return
    content = file.content
    done = -1
    for trigger in pattern.triggers:
        for place in file.places(trigger):
            start = max(0, place - pattern.within, done)
            end = min(len(content), place + len(trigger) + pattern.within)
            for match in pattern.regex.finditer(content[start:end]):
                done = max(done, start + match.end())
                yield pattern.version_of(match), start + match.start(1)


def _without_beaten(found: Sequence[Claim], known: Sequence[Rule]) -> tuple[Claim, ...]:
    beaten = {
        name
        for rule in known
        for claim in found
        if claim.product == rule.product and claim.role is Role.INSTALLED
        for name in rule.beats
    }
    return tuple(claim for claim in found if claim.product not in beaten)
