"""What the readers say about a sample of every format, and that they want the sample's path."""

from __future__ import annotations

from pathlib import Path

import pytest

from seawall.scan import readers
from seawall.scan.model import Role
from seawall.scan.readers import Found, Reader
from seawall.scan.readers import all as formats
from unit.scan.readers.samples import SAMPLES, all_readers

READERS = all_readers()

EXPECTED = {
    "opt/app/guava-31.1-jre.jar": ["maven com.google.guava:guava 31.1-jre installed Apache-2.0"],
    "opt/app/demo.jar": [
        "maven com.google.guava:guava 31.1-jre bundled Apache-2.0",
        "maven demo 0.0.1-SNAPSHOT installed",
        "maven org.springframework:spring-core 5.3.9 bundled",
    ],
    "srv/ROOT/META-INF/maven/com.google.guava/guava/pom.properties": [
        "maven com.google.guava:guava 31.1-jre installed"
    ],
    "opt/java/openjdk/release": ["generic openjdk 17.0.8 installed"],
    "app/gradle.lockfile": ["maven com.google.guava:guava 31.1-jre declared"],
    "app/node_modules/express/package.json": ["npm express 4.16.0 installed MIT"],
    "app/node_modules/@babel/core/package.json": ["npm @babel/core 7.20.12 installed MIT"],
    "app/.yarn/cache/@babel-code-frame-npm-7.29.7-cc910f9962-10c0.zip": [
        "npm @babel/code-frame 7.29.7 installed MIT"
    ],
    "app/package-lock.json": [
        "npm @babel/core 7.20.12 declared",
        "npm lodash 3.10.1 declared",
        "npm ms 2.0.0 declared",
    ],
    "app/npm-shrinkwrap.json": [
        "npm camelcase 1.2.1 declared",
        "npm lodash 3.10.1 declared",
        "npm yargs 3.10.0 declared",
    ],
    "app/yarn.lock": [
        "npm @babel/code-frame 7.29.7 declared",
        "npm debug 2.6.8 declared",
        "npm lodash 3.10.1 declared",
    ],
    "srv/yarn.lock": ["npm @babel/code-frame 7.29.7 declared", "npm lodash 3.10.1 declared"],
    "app/pnpm-lock.yaml": ["npm @babel/core 7.20.12 declared", "npm lodash 3.10.1 declared"],
    "b/pnpm-lock.yaml": ["npm @babel/core 7.20.12 declared", "npm react-dom 18.2.0 declared"],
    "c/pnpm-lock.yaml": ["npm @babel/core 7.20.12 declared", "npm react-dom 18.2.0 declared"],
    "app/bun.lock": [
        "npm @babel/core 7.20.12 declared",
        "npm debug 2.6.8 declared",
        "npm lodash 3.10.1 declared",
    ],
    "usr/share/rubygems-integration/all/specifications/rack-2.2.22.gemspec": [
        "gem rack 2.2.22 installed MIT"
    ],
    "app/Gemfile.lock": ["gem nokogiri 1.13.9 declared", "gem racc 1.6.0 declared"],
    "srv/vendor/composer/installed.json": [
        "composer guzzlehttp/guzzle 7.4.5 installed MIT",
        "composer symfony/yaml 5.4.23 installed MIT",
    ],
    "old/vendor/composer/installed.json": ["composer twig/twig 1.44.0 installed BSD-3-Clause"],
    "usr/local/lib/php/.registry/.channel.pecl.php.net/redis.reg": [
        "pear pecl.php.net/redis 5.3.7 installed PHP"
    ],
    "usr/local/lib/php/.registry/archive_tar.reg": [
        "pear pear.php.net/Archive_Tar 1.4.3 installed BSD-3-Clause"
    ],
    "srv/composer.lock": ["composer guzzlehttp/psr7 2.4.5 declared MIT"],
    "app/Shop.deps.json": [
        "nuget Microsoft.NETCore.App.Runtime.linux-x64 6.0.5 installed",
        "nuget Microsoft.SourceLink.GitHub 1.1.1 declared",
        "nuget Newtonsoft.Json 12.0.3 installed",
    ],
    "src/packages.lock.json": ["nuget Newtonsoft.Json 12.0.3 declared"],
    "src/packages.config": ["nuget log4net 2.0.8 declared"],
    "src/go.mod": [
        "golang github.com/gin-gonic/gin v1.7.0 declared",
        "golang golang.org/x/text v0.3.8 declared",
    ],
    "src/Cargo.lock": ["cargo time 0.1.43 declared"],
    "usr/share/python-wheels/Jinja2-2.10-py2.py3-none-any.whl": ["pypi jinja2 2.10 bundled BSD"],
    "usr/lib/python3/Jinja2-2.10-py3.9.egg": ["pypi jinja2 2.10 installed BSD"],
    "usr/lib/python3/Jinja2-2.10-py3.9.egg/EGG-INFO/PKG-INFO": ["pypi jinja2 2.10 installed BSD"],
    "usr/lib/python3/Jinja2-2.10.dist-info/METADATA": ["pypi jinja2 2.10 installed BSD"],
    "usr/lib/python3/setuptools/_vendor/Jinja2-2.10.dist-info/METADATA": [
        "pypi jinja2 2.10 bundled BSD"
    ],
    "usr/local/bin/tool.pex": ["pypi jinja2 2.10 bundled BSD"],
    "app/requirements.txt": [
        "pypi flask 1.0 declared",
        "pypi pyyaml 5.3 declared",
        "pypi requests 2.19.0 declared",
    ],
    "usr/lib/python3/dist-packages/pip/_vendor/vendor.txt": [
        "pypi cachecontrol 0.14.0 bundled",
        "pypi certifi 2024.7.4 bundled",
        "pypi requests 2.32.3 bundled",
    ],
    "app/poetry.lock": ["pypi flask 1.0 declared"],
    "b/uv.lock": ["pypi idna 3.6 declared"],
    "c/pdm.lock": ["pypi idna 3.6 declared"],
    "d/pylock.toml": ["pypi idna 3.6 declared"],
    "app/Pipfile.lock": ["pypi django 2.2 declared"],
    "opt/conda/conda-meta/openssl-1.1.1k-h7f98852_0.json": [
        "conda openssl 1.1.1k installed OpenSSL"
    ],
    "usr/lib/R/site-library/ggplot2/DESCRIPTION": ["cran ggplot2 3.4.1 installed MIT"],
    "usr/local/lib/perl5/x86_64-linux/.meta/Plack-1.0047/MYMETA.json": [
        "cpan Plack 1.0047 installed Artistic-1.0-Perl OR GPL-1.0-or-later"
    ],
    "app/cpanfile.snapshot": ["cpan Plack 1.0047 declared"],
    "usr/local/lib/luarocks/rocks-5.1/luasocket/3.0rc1-2/luasocket-3.0rc1-2.rockspec": [
        "luarocks luasocket 3.0rc1-2 installed MIT"
    ],
    "opt/rel/lib/cowboy-2.9.0/ebin/cowboy.app": ["hex cowboy 2.9.0 installed"],
    "usr/lib/erlang/lib/ssl-10.8.7/ebin/ssl.app": ["otp ssl 10.8.7 installed"],
    "app/mix.lock": ["hex cowboy 2.9.0 declared"],
    "app/rebar.lock": ["hex certifi 2.9.0 declared"],
    "app/pubspec.lock": ["pub async 2.8.2 declared"],
    "app/cabal.project.freeze": [
        "hackage aeson 2.0.3.0 declared",
        "hackage text 1.2.5.0 declared",
    ],
    "app/stack.yaml.lock": ["hackage aeson 2.0.3.0 declared"],
    "app/Package.resolved": ["swift github.com/apple/swift-nio 2.40.0 declared"],
    "b/Package.resolved": ["swift github.com/vapor/vapor 4.66.0 declared"],
    "var/www/html/wp-includes/version.php": ["generic wordpress 6.1.9 installed"],
    "usr/share/mediawiki/includes/Defines.php": ["generic mediawiki 1.39.17 installed"],
    "var/www/html/wp-content/plugins/akismet/akismet.php": [
        "generic wordpress-plugin/akismet 5.0.2 installed GPL-2.0-or-later"
    ],
    "var/www/html/wp-content/themes/twentytwenty/style.css": [
        "generic wordpress-theme/twentytwenty 2.1 installed"
    ],
    "srv/static/jquery-3.4.1.min.js": ["npm jquery 3.4.1 bundled"],
    "srv/static/bootstrap.js": ["npm bootstrap 4.1.0 bundled"],
    "usr/lib/python3/cryptography-50.0.2.dist-info/sboms/sbom.json": [
        "cargo base64 0.22.1 bundled MIT OR Apache-2.0",
        "generic openssl 4.0.3 bundled",
        "npm @babel/core 7.20.12 bundled",
    ],
    "opt/bitnami/redis/.spdx-redis.spdx": ["bitnami redis 7.0.5 installed BSD-3-Clause"],
    "opt/x/x.spdx": ["npm lodash 4.17.15 declared"],
}

CASES = [
    pytest.param(READERS[form], path, content, id=path)
    for form, files in SAMPLES.items()
    for path, content in files
]


def line(found: Found) -> str:
    words = [found.type.value, found.name, found.version, found.role.value, *found.licenses]
    return " ".join(words)


def test_every_format_has_a_sample() -> None:
    assert set(READERS) == set(SAMPLES)


def test_every_module_is_in_the_table() -> None:
    modules = {path.stem for path in Path(readers.__path__[0]).glob("[a-z]*.py")} - {"all"}
    named = {reader.read.__module__.rpartition(".")[2] for reader in READERS.values()}
    assert modules == named


@pytest.mark.parametrize(("reader", "path", "content"), CASES)
def test_says_what_is_in_the_sample(reader: Reader, path: str, content: bytes) -> None:
    assert EXPECTED[path] == [line(found) for found in reader.read(content, path)]


@pytest.mark.parametrize(("reader", "path", "content"), CASES)
def test_is_offered_the_sample(reader: Reader, path: str, content: bytes) -> None:
    name = path.rpartition("/")[2]
    assert name in reader.names or name.endswith(reader.endings)
    assert formats.TABLE.find(path) is reader
    assert len(content) <= reader.max_bytes


@pytest.mark.parametrize(("reader", "path", "content"), CASES)
def test_every_package_has_its_proof(reader: Reader, path: str, content: bytes) -> None:
    for found in reader.read(content, path):
        assert found.evidence
        assert found.role is not Role.DECLARED or found.evidence[0].kind in ("lock-file", "sbom")
