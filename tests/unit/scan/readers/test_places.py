"""What a file says counts only at the place where its tool puts it."""

from __future__ import annotations

import contextlib
import json

import pytest

from seawall.scan.model import PackageType, Role
from seawall.scan.readers import (
    Unreadable,
    dotnet,
    go_modules,
    javascript,
    node,
    ruby,
    scripting,
    web_apps,
)
from seawall.scan.readers import all as formats
from seawall.scan.readers._content import is_application

PACKAGE = {"name": "lodash", "version": "4.17.15"}


def node_role(path: str, **fields: object) -> Role | None:
    found = node.read_package(json.dumps(PACKAGE | fields).encode(), f"{path}/package.json")
    return found[0].role if found else None


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("app/node_modules/lodash", Role.INSTALLED),
        ("node_modules/lodash", Role.INSTALLED),
        ("app/node_modules/.pnpm/lodash@4.17.15/node_modules/lodash", Role.INSTALLED),
        ("app/node_modules/a/node_modules/lodash", Role.INSTALLED),
        ("app/node_modules/next/dist/compiled/lodash", Role.BUNDLED),
        ("app/node_modules/resolve/test/fixtures/lodash", None),
        ("app/node_modules/mongoose/examples/lodash", None),
        ("app/node_modules/terser/dist", None),
        ("usr/share/nodejs/lodash", Role.INSTALLED),
        ("usr/share/nodejs/rimraf/test/nodejs/lodash", None),
        ("opt/lodash-v4.17.15", Role.INSTALLED),
        ("var/lib/ghost/versions/4.17.15", Role.INSTALLED),
        ("usr/lib/node_modules_20/lodash", Role.INSTALLED),
        ("site-packages/playwright/driver/package", Role.BUNDLED),
        ("usr/share/doc/examples/package", None),
        ("srv/app", None),
        ("srv/lodash", None),
        ("", None),
    ],
)
def test_a_package_of_node_is_one_where_packages_are(path: str, role: Role | None) -> None:
    assert role is node_role(path)


@pytest.mark.parametrize("name", ["@babel/template", "spec", "docs"])
def test_a_package_of_a_distribution_may_be_named_like_a_test(name: str) -> None:
    assert Role.INSTALLED is node_role(f"usr/share/nodejs/{name}", name=name)
    assert node_role(f"usr/share/nodejs/terser/{name}", name=name) is None


def test_what_is_private_inside_a_package_is_its_own_affair() -> None:
    assert node_role("n/node_modules/terser/dist/lodash", private=True) is None
    assert node_role("srv/package", private=True) is None
    assert Role.INSTALLED is node_role("n/node_modules/lodash", private=True)


def test_an_alias_is_reported_by_its_true_name() -> None:
    (found,) = node.read_package(json.dumps(PACKAGE).encode(), "n/node_modules/old/package.json")
    assert ("lodash", "installed under the name old") == (found.name, found.evidence[0].detail)


@pytest.mark.parametrize(
    ("fields", "licenses"),
    [
        ({"license": "(MIT OR Apache-2.0)"}, ("(MIT OR Apache-2.0)",)),
        ({"license": {"type": "The MIT License", "url": "x"}}, ("MIT",)),
        ({"licenses": [{"type": "MIT"}, {"type": "GPLv2"}]}, ("GPL-2.0-only", "MIT")),
        ({"license": "UNLICENSED"}, ()),
        ({"license": ["Apache 2.0", 1, None]}, ("Apache-2.0",)),
    ],
)
def test_licences_of_node(fields: dict[str, object], licenses: tuple[str, ...]) -> None:
    body = json.dumps(PACKAGE | fields).encode()
    (found,) = node.read_package(body, "n/node_modules/lodash/package.json")
    assert licenses == found.licenses


def test_a_broken_package_json_matters_only_where_packages_are() -> None:
    reader = formats.TABLE.find("a/node_modules/b/package.json")
    assert reader is not None
    assert () == tuple(reader.read(b"{", "usr/share/doc/a/package.json"))
    with pytest.raises(Unreadable):
        reader.read(b"{", "a/node_modules/b/package.json")


@pytest.mark.parametrize(
    ("path", "is_read"),
    [
        ("app/package-lock.json", True),
        ("package-lock.json", True),
        ("app/node_modules/a/package-lock.json", False),
        ("usr/share/nodejs/lodash-cli/npm-shrinkwrap.json", False),
        ("usr/lib/ruby/gems/3.1.0/gems/rbs-2.1.0/steep/Gemfile.lock", False),
        ("usr/share/doc/x/yarn.lock", False),
        ("app/vendor/x/composer.lock", False),
        ("usr/lib/python3/site-packages/x/poetry.lock", False),
    ],
)
def test_the_lock_file_of_a_dependency_is_its_own_affair(path: str, is_read: bool) -> None:
    assert is_read is is_application(path)
    assert is_read is (formats.TABLE.find(path) is not None)


@pytest.mark.parametrize("name", ["dev-requirements.txt", "requirements/test_requirements.txt"])
def test_requirements_for_development_are_not_read(name: str) -> None:
    assert formats.TABLE.find(f"app/{name}") is None
    assert formats.TABLE.find("app/prod-requirements.txt") is not None


@pytest.mark.parametrize(
    ("path", "is_read"),
    [
        ("usr/lib/ruby/gems/3.1.0/specifications/default/json-2.6.1.gemspec", True),
        ("usr/lib/ruby/gems/3.1.0/specifications/rack-2.2.4.gemspec", True),
        ("usr/lib/ruby/gems/3.1.0/gems/rack-2.2.4/rack.gemspec", False),
    ],
)
def test_only_installed_specifications_are_read(path: str, is_read: bool) -> None:
    assert is_read is (formats.TABLE.find(path) is not None)


def test_a_specification_without_the_comment() -> None:
    text = (
        b"Gem::Specification.new do |s|\n  s.name = %q{rake}\n"
        b"  s.version = Gem::Version.new(\"0.8.7\")\n  s.license = 'MIT'\nend\n"
    )
    (found,) = ruby.read_specification(text, "g/specifications/rake-0.8.7.gemspec")
    assert ("rake", "0.8.7", ("MIT",)) == (found.name, found.version, found.licenses)


def test_the_platform_of_a_gem_is_no_part_of_its_version() -> None:
    text = b"# stub: nokogiri 1.13.9 x86_64-linux lib\n"
    (found,) = ruby.read_specification(text, "g/specifications/x.gemspec")
    assert ("1.13.9", "x86_64-linux") == (found.version, found.architecture)


def test_bitnamis_revision_is_no_part_of_the_version() -> None:
    """And what its document says of other universes is said by files of their own, if at all."""
    path = "opt/bitnami/x/.spdx-x.spdx"
    purls = ("pkg:bitnami/redis@7.4.0-12?arch=amd64", "pkg:golang/golang.org/x/sys@v0.21.0")
    text = "SPDXVersion: SPDX-2.3\n" + "".join(
        f"ExternalRef: PACKAGE-MANAGER purl {purl}\n" for purl in purls
    )
    reader = formats.TABLE.find(path)
    assert reader is not None
    found = [(item.name, item.version, item.role) for item in reader.read(text.encode(), path)]
    assert [
        ("redis", "7.4.0", Role.INSTALLED),
        ("golang.org/x/sys", "v0.21.0", Role.DECLARED),
    ] == found


@pytest.mark.parametrize(
    ("version", "target", "name"),
    [
        ("6.0.5", ".NETCoreApp,Version=v6.0/linux-x64", "Microsoft.NETCore.App.Runtime.linux-x64"),
        ("3.1.23", ".NETCoreApp,Version=v3.1/linux-x64", "Microsoft.NETCore.App.Runtime.linux-x64"),
        ("3.1.23", ".NETCoreApp,Version=v3.1", "Microsoft.NETCore.App"),
        ("2.1.30", ".NETCoreApp,Version=v2.1/linux-x64", "Microsoft.NETCore.App"),
    ],
)
def test_a_shared_framework_is_one_package(version: str, target: str, name: str) -> None:
    """The rest of the file is what Microsoft built it with, in versions of the build."""
    path = f"dotnet/shared/Microsoft.NETCore.App/{version}/Microsoft.NETCore.App.deps.json"
    body = {
        "runtimeTarget": {"name": target, "signature": ""},
        "libraries": {
            "runtime.linux-x64.Microsoft.NETCore.App/3.1.23-servicing.22122.4": {"type": "package"},
            "Microsoft.SourceLink.GitHub/1.1.0-beta-20206-02": {"type": "package"},
        },
    }
    found = dotnet.read_deps(json.dumps(body).encode(), path)
    assert [(name, version)] == [(item.name, item.version) for item in found]


@pytest.mark.parametrize("module", ["std", "cmd"])
def test_gos_own_sources_are_not_an_application(module: str) -> None:
    text = f"module {module}\n\nrequire golang.org/x/net v0.1.0\n".encode()
    assert () == go_modules.read_mod(text, "usr/lib/go-1.19/src/go.mod")


def test_a_replacement_of_one_version_leaves_the_others() -> None:
    text = b"module a.b/c\nrequire d.e/f v1.0.0\nreplace d.e/f v0.9.0 => d.e/f v2.0.0\n"
    assert ["v1.0.0"] == [item.version for item in go_modules.read_mod(text, "x/go.mod")]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b"Name: Python\nVersion: 2.7.13\n", "usr/lib/python2.7/lib-dynload/Python-2.7.egg-info"),
        (b"Name: x\n", "s/x-version-py3.8.egg-info"),
    ],
)
def test_metadata_that_is_of_no_distribution(text: bytes, path: str) -> None:
    reader = formats.TABLE.find(path)
    assert reader is not None
    found: tuple[object, ...] = ()
    with contextlib.suppress(Unreadable):
        found = tuple(reader.read(text, path))
    assert () == found


@pytest.mark.parametrize("line", ["replace =>", "replace a.b/d =>", "replace => a.b/d v1.0.0"])
def test_a_broken_replacement_replaces_nothing(line: str) -> None:
    text = f"module a.b/c\nrequire d.e/f v1.0.0\n{line}\n".encode()
    assert ["v1.0.0"] == [item.version for item in go_modules.read_mod(text, "x/go.mod")]


@pytest.mark.parametrize(
    ("name", "banner"),
    [
        ("jquery.js", b"/*!\n * Bootstrap v3.3.7 (http://getbootstrap.com)\n"),
        ("jquery.js", b"(function(){})();\n/*! jQuery v3.4.1 | (c) JS Foundation */"),
        ("jquery.js", b"/*! jQuery UI - v1.12.1 - 2016-09-14\n"),
        ("app.js", b"/*! jQuery v3.4.1 | (c) JS Foundation */"),
    ],
)
def test_name_and_banner_of_a_script_must_agree(name: str, banner: bytes) -> None:
    assert () == javascript.read_library(banner, f"srv/{name}")


def test_scripts_in_node_modules_are_those_of_their_package() -> None:
    assert formats.TABLE.find("a/node_modules/jquery/dist/jquery.js") is None
    assert formats.TABLE.find("srv/jquery.js") is not None


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("d/core/lib/Drupal.php", "{\n  const VERSION = '9.5.0';\n", "drupal/core 9.5.0"),
        ("d/includes/bootstrap.inc",
         "/**\n */\ndefine('VERSION', '7.97');\n\ndefine('DRUPAL_CORE_COMPATIBILITY', '7.x');\n",
         "drupal/core 7.97"),
        ("j/administrator/manifests/files/joomla.xml",
         "<extension>\n<name>files_joomla</name>\n<version>4.2.6</version>", "joomla 4.2.6"),
        ("p/libraries/classes/Version.php",
         "namespace PhpMyAdmin;\n\n    public const VERSION = '5.2.1' . X;\n", "phpmyadmin 5.2.1"),
        ("r/program/include/iniset.php", "define('RCMAIL_VERSION', '1.6.5');\n", "roundcube 1.6.5"),
        ("n/version.php",
         "$OC_VersionString = '25.0.3';\n$vendor = 'nextcloud';\n", "nextcloud 25.0.3"),
        ("m/version.php", "$release  = '4.1.2+ (Build: 20230301)';\n", "moodle 4.1.2"),
        ("x/version.php", "$version = '1';\n", ""),
        ("x/lib/Drupal.php", "const VERSION = '9.5.0';\n", ""),
    ],
)  # fmt: skip
def test_web_applications(path: str, text: str, expected: str) -> None:
    found = web_apps.read_application(f"<?php\n{text}".encode(), path)
    assert expected == " ".join(f"{item.name} {item.version}" for item in found)


def test_a_file_of_a_plugin_that_is_not_its_head() -> None:
    path = "w/wp-content/plugins/akismet/class.akismet.php"
    assert () == web_apps.read_extension(b"<?php\nclass Akismet {}\n", path)


def test_drupals_core_has_the_name_that_advisories_use() -> None:
    (found,) = web_apps.read_application(b"  const VERSION = '9.5.0';", "core/lib/Drupal.php")
    assert PackageType.COMPOSER is found.type


def test_another_json_file_of_the_name_is_no_sbom() -> None:
    """A translation into the language bom, as MediaWiki has it."""
    path = "usr/share/mediawiki/i18n/bom.json"
    reader = formats.TABLE.find(path)
    assert reader is not None
    assert () == tuple(reader.read(b'{"@metadata": {"authors": []}, "cite-desc": "x"}', path))


def test_wheels_to_test_with_are_not_there_to_be_installed() -> None:
    name = "wheel-0.40.0-py3-none-any.whl"
    assert formats.TABLE.find(f"usr/lib/python3.12/test/{name}") is None
    assert formats.TABLE.find(f"usr/lib/python3.12/ensurepip/_bundled/{name}") is not None


def test_pip_does_not_bundle_setuptools_though_it_says_so() -> None:
    """It takes `pkg_resources` from there."""
    path = "s/pip/_vendor/vendor.txt"
    reader = formats.TABLE.find(path)
    assert reader is not None
    text = b"tomli==2.0.1\nsetuptools==68.0.0\n"
    assert ["tomli"] == [item.name for item in reader.read(text, path)]


@pytest.mark.parametrize(
    ("path", "is_read"),
    [
        ("usr/lib/python3.12/site-packages/pip/_vendor/vendor.txt", True),
        ("usr/lib/python3.12/site-packages/pipenv/vendor/vendor.txt", True),
        ("srv/vendor/vendor.txt", False),
        ("srv/vendor.txt", False),
    ],
)
def test_lists_of_bundled_code_are_read_where_packages_have_it(path: str, is_read: bool) -> None:
    assert is_read is (formats.TABLE.find(path) is not None)


def test_pip_says_once_what_it_vendors() -> None:
    assert formats.TABLE.find("s/pip/_vendor/bom.cdx.json") is None
    assert formats.TABLE.find("s/pip/_vendor/vendor.txt") is not None


@pytest.mark.parametrize(
    "path", ["etc/release", "srv/molecule.cdx", "var/x/crystal.par", "var/log/sa.sar"]
)
def test_a_file_of_another_trade_is_no_broken_package(path: str) -> None:
    reader = formats.TABLE.find(path)
    assert reader is not None
    assert () == tuple(reader.read(b"VjCD0100\x04\x03\xff\xfe", path))


@pytest.mark.parametrize("folder", ["", "site-library/other/"])
def test_a_package_of_r_is_one_in_the_folder_of_its_name(folder: str) -> None:
    content = b"Package: ggplot2\nVersion: 3.4.1\nBuilt: R 4.2.2\n"
    assert () == scripting.read_description(content, f"{folder}DESCRIPTION")
    assert scripting.read_description(content, "site-library/ggplot2/DESCRIPTION")
