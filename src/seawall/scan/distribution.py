"""The Linux distribution of an image: from os-release(5), else from the files that came before."""

from __future__ import annotations

import re
import shlex
from typing import Final

from seawall.scan.model import Distribution

PATHS: Final = (
    "etc/os-release",
    "usr/lib/os-release",
    "etc/lsb-release",
    "etc/alpine-release",
    "etc/system-release",
    "etc/redhat-release",
    "etc/centos-release",
    "etc/fedora-release",
    "etc/SuSE-release",
    "etc/debian_version",
    "etc/arch-release",
)
"""Where to look, in this order: the first that names a distribution counts."""

MAX_LINES: Final = 200

_ID: Final = re.compile(r"[a-z0-9._-]{1,64}")
_NAMED: Final = re.compile(r"([a-z][a-z0-9._-]*?)(?:-([0-9][A-Za-z0-9._]*))?")
_VERSION_ID: Final = re.compile(r"[A-Za-z0-9._-]{0,64}")
_RELEASE: Final = re.compile(r"(.{1,100}?)(?: \w+)? release ([0-9][0-9.]{0,20})\b.*")
_SUSE: Final = re.compile(r"^(VERSION|PATCHLEVEL) *= *([0-9.]{1,20})$", re.MULTILINE)
_VARIABLES: Final = {
    "os-release": ("ID", "VERSION_ID", "VERSION_CODENAME", "PRETTY_NAME"),
    "lsb-release": (
        "DISTRIB_ID",
        "DISTRIB_RELEASE",
        "DISTRIB_CODENAME",
        "DISTRIB_DESCRIPTION",
    ),
}
_NAMES: Final = {
    "CentOS": "centos",
    "Red Hat Enterprise": "rhel",
    "Red Hat Enterprise Linux": "rhel",
    "Fedora": "fedora",
    "Rocky": "rocky",
    "AlmaLinux": "almalinux",
    "Oracle Linux": "ol",
    "Scientific": "scientific",
    "Amazon": "amzn",
    "Amazon Linux": "amzn",
}
"""How the first line of redhat-release and its kin begins (without a last word before
"release"), and the ID that os-release would have."""


def of_name(text: str) -> Distribution | None:
    """Read `debian-12`, `opensuse-leap-15.6`: what `str(Distribution)` writes; None otherwise."""
    found = _NAMED.fullmatch(text[:130])
    return _made(found[1], found[2] or "") if found else None


def parse(content: bytes, path: str = PATHS[0]) -> Distribution | None:
    """Read one of the files of `PATHS`; None when it names no distribution."""
    text = content.decode("utf-8", "replace")
    name = path.rpartition("/")[2]
    if name in _VARIABLES:
        return _of_variables(text, *_VARIABLES[name])
    match name:
        case "alpine-release":
            return _made("alpine", text.strip())
        case "arch-release":
            return _made("arch", "")
        case "debian_version":
            return _of_debian(text.strip())
        case "SuSE-release":
            return _of_suse(text)
    return _of_release(text.split("\n", 1)[0].strip())


def _of_variables(text: str, *keys: str) -> Distribution | None:
    values: dict[str, str] = {}
    for line in text.splitlines()[:MAX_LINES]:
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            values[key] = _unquote(value)
    identifier, version_id, codename, pretty_name = (values.get(key, "") for key in keys)
    return _made(identifier.lower(), version_id, codename, pretty_name)


def _of_debian(text: str) -> Distribution | None:
    if text[:1].isdigit():
        return _made("debian", text.partition(".")[0])
    return _made("debian", "", text.partition("/")[0]) if text else None


def _of_suse(text: str) -> Distribution | None:
    first = text.split("\n", 1)[0].strip()
    values = dict(_SUSE.findall(text[:4096]))
    version = values.get("VERSION", "")
    if first.startswith("openSUSE"):
        return _made("opensuse", version, "", first)
    if (level := values.get("PATCHLEVEL", "0")) != "0":
        version = f"{version}.{level}"
    return _made("sles", version, "", first) if first.startswith("SUSE") else None


def _of_release(line: str) -> Distribution | None:
    found = _RELEASE.fullmatch(line[:300])
    identifier = _NAMES.get(found[1], "") if found else ""
    return _made(identifier, found[2], "", line) if found else None


def _made(
    identifier: str, version_id: str, codename: str = "", pretty_name: str = ""
) -> Distribution | None:
    if not _ID.fullmatch(identifier) or not _VERSION_ID.fullmatch(version_id):
        return None
    return Distribution(
        id=identifier,
        version_id=version_id,
        codename=codename if _VERSION_ID.fullmatch(codename) else "",
        pretty_name="".join(c for c in pretty_name[:200] if c.isprintable()),
    )


def _unquote(text: str) -> str:
    try:
        words = shlex.split(text[:1000])
    except ValueError:
        return ""
    return words[0] if len(words) == 1 else ""
