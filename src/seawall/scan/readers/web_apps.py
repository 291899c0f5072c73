"""Web applications that are installed by unpacking an archive: known by the file of their version.

WordPress with its plugins and themes, and other applications in PHP. The path and the statement in
the file must both fit; either alone is no proof. Applications have no package universe: their type
is generic, but for Drupal's core, which Composer's universe has under a name of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from seawall.core.limits import MIB
from seawall.scan.model import PackageType
from seawall.scan.readers import Content, Found, Reader, _licenses
from seawall.scan.readers._content import MANIFEST, word

MAX_BYTES: Final = 1 * MIB
MAX_HEAD: Final = 65_536
"""Bytes in which a version file must say its version."""
MAX_HEADER: Final = 8_192
"""Bytes in which WordPress itself looks for the header of a plugin or theme."""

_VERSION: Final = re.compile(r"v?[0-9][0-9A-Za-z._+-]*")
_SLUG: Final = re.compile(r"[a-z0-9][\w.-]*", re.ASCII)
_HEADER: Final = re.compile(
    r"^[ \t/*#@]*(Plugin Name|Theme Name|Version|License)[ \t]*:[ \t]*(.{1,200})$",
    re.MULTILINE | re.IGNORECASE,
)
_PLACE: Final = re.compile(
    r"(?:.*/)?wp-content/(?:(plugins|mu-plugins)/(?:([^/]+)/)?([^/]+)\.php|(themes)/([^/]+)/style\.css)"
)


@dataclass(frozen=True, slots=True)
class _Application:
    """`place` is how the path ends, `said` what the file says; its group is the version."""

    name: str
    place: str
    said: re.Pattern[str]
    type: PackageType = PackageType.GENERIC


def _said(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.MULTILINE)


_QUOTED: Final = r"""\s*['"]([^'"\n]{1,60})['"]"""
_APPLICATIONS: Final = (
    _Application("wordpress", "wp-includes/version.php", _said(rf"^\$wp_version\s*={_QUOTED}")),
    _Application(
        "drupal/core",
        "core/lib/Drupal.php",
        _said(rf"^[ \t]*const VERSION\s*={_QUOTED}"),
        PackageType.COMPOSER,
    ),
    _Application(
        "drupal/core",
        "includes/bootstrap.inc",
        _said(rf"^define\('VERSION',{_QUOTED}\);[\s\S]{{0,2000}}DRUPAL_CORE_COMPATIBILITY"),
        PackageType.COMPOSER,
    ),
    _Application(
        "joomla",
        "administrator/manifests/files/joomla.xml",
        _said(r"<name>files_joomla</name>[\s\S]{0,2000}?<version>([^<\s]{1,60})</version>"),
    ),
    _Application(
        "mediawiki", "includes/Defines.php", _said(rf"^define\( 'MW_VERSION',{_QUOTED} \);")
    ),
    _Application(
        "phpmyadmin",
        "libraries/classes/Version.php",
        _said(rf"^namespace PhpMyAdmin;[\s\S]{{0,2000}}^[ \t]*public const VERSION ={_QUOTED}"),
    ),
    _Application(
        "roundcube",
        "program/include/iniset.php",
        _said(rf"^[ \t]*define\('RCMAIL_VERSION',{_QUOTED}\)"),
    ),
    _Application(
        "nextcloud",
        "version.php",
        _said(rf"^\$OC_VersionString ={_QUOTED};[\s\S]{{0,2000}}'nextcloud'"),
    ),
    _Application("moodle", "version.php", _said(r"^\$release\s*= '([0-9][0-9.]*)\+? \(Build: ")),
)
_NAMES: Final = frozenset(app.place.rpartition("/")[2] for app in _APPLICATIONS)


def read_application(content: Content, path: str) -> tuple[Found, ...]:
    """Read a version file; nothing when it does not say what its place promises."""
    text = bytes(content[:MAX_HEAD]).decode("utf-8", "replace")
    for app in _APPLICATIONS:
        if _ends(path, app.place) and (match := app.said.search(text)) is not None:
            return _found(app.type, app.name, match[1])
    return ()


def read_extension(content: Content, path: str) -> tuple[Found, ...]:
    """Read the header of a WordPress plugin or theme, which its folder names."""
    place = _PLACE.fullmatch(path)
    if place is None:
        return ()
    fields: dict[str, str] = {}
    for name, value in _HEADER.findall(bytes(content[:MAX_HEADER]).decode("utf-8", "replace")):
        fields.setdefault(name.lower(), value.strip().removesuffix("*/").strip())
    is_theme = place[4] is not None
    slug = (place[5] if is_theme else place[2] or place[3]).lower()
    if ("theme name" if is_theme else "plugin name") not in fields or not _SLUG.fullmatch(slug):
        return ()
    kind = "wordpress-theme" if is_theme else "wordpress-plugin"
    version = fields.get("version", "").partition(" ")[0]
    licenses = _licenses.normalise([fields.get("license", "")])
    return _found(PackageType.GENERIC, f"{kind}/{slug}", version, licenses)


def _found(
    kind: PackageType, name: str, version: str, licenses: tuple[str, ...] = ()
) -> tuple[Found, ...]:
    if not word(name) or not _VERSION.fullmatch(word(version)):
        return ()
    found = Found(type=kind, name=name, version=version, evidence=MANIFEST, licenses=licenses)
    return (found,)


def _ends(path: str, place: str) -> bool:
    return path == place or path.endswith(f"/{place}")


def _is_version_file(path: str) -> bool:
    return any(_ends(path, app.place) for app in _APPLICATIONS)


READERS: Final[tuple[Reader, ...]] = (
    Reader(
        format="web application",
        read=read_application,
        names=_NAMES,
        is_wanted=_is_version_file,
        max_bytes=MAX_BYTES,
    ),
    Reader(
        format="WordPress plugin or theme",
        read=read_extension,
        names=frozenset({"style.css"}),
        endings=(".php",),
        is_wanted=lambda path: _PLACE.fullmatch(path) is not None,
        max_bytes=MAX_BYTES,
    ),
)
