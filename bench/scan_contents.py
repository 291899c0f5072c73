"""What the image of `bench/scan_image.py` holds: names of packages, and how files are copied."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path


def words(text: str) -> list[str]:
    return text.split()


BASE = "ca-certificates,python3-minimal"
APT = words("""
python3 python3-pip python3-venv python3-requests python3-yaml python3-cryptography
python3-setuptools python3-django python3-flask python3-sqlalchemy python3-lxml python3-pil
curl git openssl nginx-light redis-server postgresql-client imagemagick vim-tiny openssh-client
libxml2-utils sqlite3 ruby ruby-rack ruby-nokogiri nodejs npm perl php-cli
liblog4j2-java libjackson2-databind-java libcommons-io-java libspring-core-java
""")

VENV = words("""
flask==2.2.2 jinja2==3.1.2 werkzeug==2.2.2 pillow==9.3.0 numpy==1.24.0 sqlalchemy==1.4.41
boto3==1.20.0 aiohttp==3.8.3 cryptography==38.0.1 lxml==4.9.1 pyyaml==6.0 paramiko==2.11.0
celery==5.2.2 redis==4.3.4 gunicorn==20.1.0 tornado==6.2 certifi==2022.6.15 idna==3.3
starlette==0.20.4 fastapi==0.79.0 uvicorn==0.18.2 httpx==0.23.0 pandas==1.5.3 scipy==1.10.0
protobuf==3.20.1 mako==1.2.1 markdown==3.3.7 bleach==4.1.0 sqlparse==0.4.2 oauthlib==3.2.0
""")
SYSTEM = ["urllib3==1.26.5", "requests==2.25.1", "django==3.2.0"]

NPM = words("""
express@4.17.1 lodash@4.17.15 axios@0.21.0 webpack@4.44.0 react@16.13.0 moment@2.24.0 jquery@3.4.1
minimist@1.2.0 node-fetch@2.6.0 ws@7.2.0 handlebars@4.5.3 mongoose@5.9.0 socket.io@2.3.0 ejs@2.7.4
tar@4.4.8 validator@10.11.0 jsonwebtoken@8.5.1 request@2.88.0 gulp@4.0.2 eslint@6.8.0 next@9.3.0
""")

COPIED = words("""
 nginx-core haproxy redis-tools memcached mariadb-client-core sqlite3 postgresql-15 lighttpd
apache2-bin squid bind9 unbound dnsmasq-base dropbear-bin openssh-client openssl curl wget git
gnupg busybox bash dash zsh vim nano less gawk mawk sed grep tar gzip bzip2 xz-utils zstd p7zip
unzip rsync socat netcat-openbsd tcpdump nmap strace gdb perl-base python3.11-minimal ruby3.1
lua5.4 php8.2-cli libnode108 tcl8.6 guile-3.0 ffmpeg imagemagick-6.q16 graphicsmagick ghostscript
poppler-utils libtiff-tools jq libxml2-utils xsltproc exim4-daemon-light dovecot-core postfix
samba-common-bin ntpsec chrony libssl3 libcurl4 libxml2 zlib1g libexpat1 libsqlite3-0
libpng16-16 libjpeg62-turbo libtiff6 libwebp7 libfreetype6 libgnutls30 libssh2-1 libnghttp2-14
libpcre2-8-0 libz3-4 libgcrypt20 libarchive13 golang-go gh docker.io containerd runc
prometheus restic rclone etcd-server caddy ripgrep fd-find bat hyperfine exa sd
""")
LARGE_JARS = tuple(
    words("""
rocksdbjni- hadoop-client-runtime- breeze_ spark-catalyst_ spark-core_ spark-sql_ scala-compiler-
hive-exec-
""")
)
"""Left out: a third of the bytes, and nothing that the others have not."""
RENAMED = 7
"""Every so many copied programs get another name."""


def copy_programs(root: Path, scratch: Path, packages: list[str]) -> None:
    """Unpack Debian packages beside the image and copy their largest programs into /opt/bin."""
    folder = scratch / "debs"
    folder.mkdir()
    command = ["apt-get", "download", "-q", *packages]
    subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)
    target = root / "opt/bin"
    target.mkdir(parents=True)
    for number, deb in enumerate(sorted(folder.glob("*.deb"))):
        out = scratch / "unpacked"
        subprocess.run(["dpkg-deb", "-x", str(deb), str(out)], check=True)
        for file in _programs(out)[:1]:
            name = file.name if number % RENAMED else f"tool-{number}"
            if not (target / name).exists():
                shutil.copy(file, target / name)
        shutil.rmtree(out)


def _programs(folder: Path) -> list[Path]:
    """Return the ELF files of an unpacked package that one would copy, the largest first."""
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            if not path.is_symlink() and (os.access(path, os.X_OK) or ".so" in name):
                with path.open("rb") as file:
                    if file.read(4) == b"\x7fELF":
                        found.append(path)
    return sorted(found, key=lambda path: (-path.stat().st_size, path.name))


def copy_jars(root: Path, scratch: Path) -> None:
    """Take the jars out of a data-processing package of PyPI; one is renamed, one lies in a war."""
    folder = scratch / "jars"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary=pyspark"]
    command += ["-d", str(folder), "pyspark==3.3.0"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    (archive,) = folder.glob("*.tar.gz")
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(folder)], check=True)
    target = root / "opt/jars"
    target.mkdir(parents=True)
    found = sorted(folder.glob("*/deps/jars/*.jar"))
    jars = [jar for jar in found if not jar.name.startswith(LARGE_JARS)]
    for jar in jars:
        shutil.copy(jar, target / jar.name)
    (target / next(jar.name for jar in jars if "log4j-core" in jar.name)).rename(
        target / "renamed.jar"
    )
    with zipfile.ZipFile(root / "opt/shop.war", "w") as war:
        for jar in jars:
            if jar.name.startswith(("commons-", "jackson-")):
                war.write(jar, f"WEB-INF/lib/{jar.name}")


def copy_modules(root: Path, scratch: Path) -> None:
    """Install Node modules beside the image and copy them in."""
    folder = scratch / "shop"
    folder.mkdir()
    command = [
        "npm",
        "install",
        "--ignore-scripts",
        "--legacy-peer-deps",
        "--no-audit",
        "--no-fund",
        *NPM,
    ]
    subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)
    shutil.copytree(folder, root / "srv/shop", symlinks=True)
