"""The format of signature rules: TOML in, checked rules out.

How to write one: docs/howto/write-a-fingerprint-rule.md.

A rule that cannot work is refused when it is read: a pattern without version group, without a fixed
text by which it is found, an unknown key. Patterns are Python's, over bytes.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from seawall.core.errors import InvalidInputError
from seawall.scan.files.text import decode
from seawall.scan.model import PackageType

MIN_TRIGGER: Final = 4
"""Bytes of the fixed text by which a pattern is found; shorter ones stand in every file."""

DEFAULT_WITHIN: Final = 256
MAX_WITHIN: Final = 65_536


class Pattern(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which a version is written. Built by `parse`, never by hand."""

    regex: re.Pattern[bytes]
    triggers: tuple[bytes, ...]
    """Fixed texts near which the pattern is tried."""
    needs: tuple[bytes, ...] = ()
    """Fixed texts that must all stand in the file."""
    within: int = DEFAULT_WITHIN
    """Bytes around a trigger."""
    is_whole: bool = False
    """The pattern is a whole version string of the file, wherever it stands."""

    def version_of(self, match: re.Match[bytes]) -> str:
        """Return the version: one group as written, several as numbers joined by dots."""
        groups = [decode(group) for group in match.groups() if group is not None]
        if len(groups) == 1:
            return groups[0]
        return ".".join(text.lstrip("0") or "0" for text in groups)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """How one product is known."""

    product: str
    type: PackageType
    name: str
    cpe: str
    own: tuple[Pattern, ...]
    copy: tuple[Pattern, ...]
    program: tuple[bytes, ...]
    soname: re.Pattern[str] | None
    absent: tuple[bytes, ...]
    beats: tuple[str, ...]
    is_never_bundled: bool

    def texts(self) -> Sequence[bytes]:
        """Return all fixed texts that the rule asks for."""
        needs = [text for pattern in (*self.own, *self.copy) for text in pattern.needs]
        return [*self.program, *self.absent, *needs]


class _Pattern(msgspec.Struct, forbid_unknown_fields=True):
    """`text` is the pattern; `whole` demands that it is a whole string of the file, anywhere."""

    text: str
    near: str = ""
    within: Annotated[int, msgspec.Meta(ge=1, le=MAX_WITHIN)] = DEFAULT_WITHIN
    needs: list[str] = []
    whole: bool = False


class _Rule(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    type: PackageType = PackageType.GENERIC
    name: str = ""
    cpe: str = ""
    own: list[_Pattern | str] = []
    copy: list[_Pattern | str] = []
    program: list[str] = []
    soname: str = ""
    absent: list[str] = []
    beats: list[str] = []
    bundled: bool = True


def parse(text: str) -> tuple[Rule, ...]:
    """Read a file of rules. Raises InvalidInputError with the rule's name and what is wrong."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInputError(f"the rules are not TOML: {error}") from error
    return tuple(_rule(product, value) for product, value in table.items())


def _rule(product: str, value: object) -> Rule:
    try:
        told = msgspec.convert(value, _Rule)
        rule = Rule(
            product=product,
            type=told.type,
            name=told.name or product,
            cpe=told.cpe,
            own=tuple(_pattern(item) for item in told.own),
            copy=tuple(_pattern(item) for item in told.copy),
            program=tuple(_bytes(text) for text in told.program),
            soname=re.compile(told.soname) if told.soname else None,
            absent=tuple(_bytes(text) for text in told.absent),
            beats=tuple(told.beats),
            is_never_bundled=not told.bundled,
        )
    except (msgspec.ValidationError, re.error, ValueError) as error:
        raise InvalidInputError(f"rule {product!r}: {error}") from error
    if not rule.own and not rule.copy:
        raise InvalidInputError(f"rule {product!r} has no pattern")
    return rule


def _pattern(told: _Pattern | str) -> Pattern:
    if isinstance(told, str):
        told = _Pattern(told)
    regex = re.compile(_bytes(told.text), re.DOTALL)
    if not regex.groups:
        raise ValueError(f"{told.text!r} has no group for the version")
    needs = tuple(_bytes(item) for item in told.needs)
    if told.whole:
        if not needs:
            raise ValueError(f"{told.text!r} is a whole string and needs no other text")
        return Pattern(regex=regex, triggers=needs[:1], needs=needs, is_whole=True)
    trigger = _bytes(told.near) or fixed_text(told.text)
    if len(trigger) < MIN_TRIGGER:
        raise ValueError(f"{told.text!r} has no fixed text of {MIN_TRIGGER} characters")
    return Pattern(regex=regex, triggers=(trigger,), needs=needs, within=told.within)


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")


def fixed_text(pattern: str) -> bytes:
    """Return the longest text that every match must hold, by reading the pattern's outermost level.

    Groups, classes and repeated characters end a run; an alternation at the outermost level means
    that there is none.
    """
    best = run = ""
    depth = index = 0
    while index < len(pattern):
        mark = pattern[index]
        step, text = 1, mark
        if mark == "\\":
            step = 2
            escaped = pattern[index + 1 : index + 2]
            text = "" if escaped.isalnum() or not escaped else escaped
            step = 4 if escaped == "x" else 2
        elif mark == "[":
            step = pattern.index("]", index + 2) - index + 1
            text = ""
        elif mark in "()|.^$*+?{":
            depth += (mark == "(") - (mark == ")")
            if mark == "|" and depth == 0:
                return b""
            text = ""
        index += step
        follows = pattern[index : index + 1]
        if depth or not text or follows in ("*", "?", "{"):
            best, run = max(best, run, key=len), ""
            if follows == "{" and not depth:
                index = pattern.index("}", index) + 1
        elif follows == "+":
            best, run = max(best, run + text, key=len), ""
        else:
            run += text
    return max(best, run, key=len).encode("latin-1")
