"""Erlang and Elixir: application resources (`ebin/NAME.app`), `mix.lock` and `rebar.lock`.

A resource file is an Erlang term written by the build. The applications of Erlang/OTP and Elixir
themselves are not packages of Hex, though they lie beside those: they have a type of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from seawall.core.limits import MIB
from seawall.scan.model import PackageType, Role
from seawall.scan.readers import Content, Found, Reader, Unreadable, _licenses
from seawall.scan.readers._content import (
    LOCK_FILE,
    MANIFEST,
    MAX_LOCK_BYTES,
    is_application,
    lenient_text_of,
    once,
    text_of,
    word,
)

MAX_BYTES: Final = 2 * MIB

_NAME: Final = r"[a-z][a-z0-9_]{0,99}"
_APPLICATION: Final = re.compile(rf"\{{\s*application\s*,\s*'?({_NAME})'?\s*,")
_VSN: Final = re.compile(r'\{\s*vsn\s*,\s*"([^"]{1,100})"')
_LICENSES: Final = re.compile(r"\{\s*licenses\s*,\s*\[([^\]]{0,500})\]")
_QUOTED: Final = re.compile(r'"([^"]{1,100})"')
_LOCKED: Final = re.compile(rf'^  "{_NAME}": \{{:hex, :"?({_NAME})"?, "([^"]{{1,100}})"', re.M)
_REBAR: Final = re.compile(rf'\{{pkg,<<"({_NAME})">>,<<"([^"]{{1,100}})">>')
_VERSION: Final = re.compile(r"[0-9][0-9A-Za-z.+-]*")
_OTP: Final = frozenset((
    "asn1", "common_test", "compiler", "crypto", "debugger", "dialyzer", "diameter", "edoc",
    "eldap", "erl_docgen", "erl_interface", "erts", "et", "eunit", "ftp", "hipe", "inets",
    "jinterface", "kernel", "megaco", "mnesia", "observer", "odbc", "os_mon", "parsetools",
    "public_key", "reltool", "runtime_tools", "sasl", "snmp", "ssh", "ssl", "stdlib",
    "syntax_tools", "tftp", "tools", "wx", "xmerl", "eex", "elixir", "ex_unit", "iex", "logger",
    "mix",
))  # fmt: skip


def read_application(content: Content, path: str) -> tuple[Found, ...]:
    """Read an application resource. Raises Unreadable when it is none."""
    text = lenient_text_of(content)
    named, versioned = _APPLICATION.search(text), _VSN.search(text)
    if named is None:
        raise Unreadable("it is no application resource")
    version = word(versioned[1]) if versioned else ""
    if not _VERSION.fullmatch(version):
        return ()
    licenses = _LICENSES.search(text)
    found = Found(
        type=PackageType.OTP if named[1] in _OTP else PackageType.HEX,
        name=named[1],
        version=version,
        evidence=MANIFEST,
        licenses=_licenses.normalise(_QUOTED.findall(licenses[1]) if licenses else ()),
    )
    return (found,)


def read_mix_lock(content: Content, path: str) -> tuple[Found, ...]:
    """Read the packages of Hex; those of git have no version."""
    return once(_locked(_LOCKED, text_of(content)))


def read_rebar_lock(content: Content, path: str) -> tuple[Found, ...]:
    """Read the packages of Hex; those of git have no version."""
    return once(_locked(_REBAR, text_of(content)))


def _locked(pattern: re.Pattern[str], text: str) -> Iterator[Found]:
    for match in pattern.finditer(text):
        if _VERSION.fullmatch(word(match[2])):
            yield Found(
                type=PackageType.HEX,
                name=match[1],
                version=match[2],
                role=Role.DECLARED,
                evidence=LOCK_FILE,
            )


READERS: Final[tuple[Reader, ...]] = (
    Reader(
        format="Erlang application",
        read=read_application,
        endings=(".app",),
        is_wanted=lambda path: path.split("/")[-2:-1] == ["ebin"],
        max_bytes=MAX_BYTES,
    ),
    Reader(
        format="mix.lock",
        read=read_mix_lock,
        names=frozenset({"mix.lock"}),
        is_wanted=is_application,
        max_bytes=MAX_LOCK_BYTES,
    ),
    Reader(
        format="rebar.lock",
        read=read_rebar_lock,
        names=frozenset({"rebar.lock"}),
        is_wanted=is_application,
        max_bytes=MAX_LOCK_BYTES,
    ),
)
