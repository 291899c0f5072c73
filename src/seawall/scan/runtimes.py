"""Programs and libraries that load packages of a language, known by the names of their files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from seawall.scan.model import PackageType

_NAMES: Final[Mapping[PackageType, str]] = {
    PackageType.COMPOSER: "php|php-fpm|php-cgi",
    PackageType.CPAN: "perl",
    PackageType.CRAN: "R|Rscript",
    PackageType.GEM: "ruby|jruby",
    PackageType.HEX: r"beam\.smp|erl|erlexec",
    PackageType.LUAROCKS: "lua|luajit",
    PackageType.MAVEN: "java|jvm|jli",
    PackageType.NPM: "node|nodejs|bun|deno",
    PackageType.NUGET: "dotnet|hostfxr|coreclr|mono|mono-sgen",
    PackageType.OTP: r"beam\.smp|erl|erlexec",
    PackageType.PEAR: "php|php-fpm|php-cgi",
    PackageType.PYPI: "python|pypy",
}

_FILES: Final = {
    kind: re.compile(rf"(lib)?({names})[\d.-]*(\.so[\d.]*)?") for kind, names in _NAMES.items()
}


def types_of(paths: Iterable[str]) -> list[PackageType]:
    """Return the types of packages that the file with these names loads; none for most files."""
    names = {path.rpartition("/")[2] for path in paths}
    return [kind for kind, files in _FILES.items() if any(map(files.fullmatch, names))]
