"""Measure how many copied files are recognised, and that none gets a wrong name.

Takes about 100 programs and libraries out of Debian packages, copies them as a Dockerfile would —
under their own name, renamed, stripped, with bytes appended, without their build id — and asks what
they are: by signatures and builders' records alone, with packs learned from the same release, and
with packs learned from another release (held out: no byte of the set was learned).

    python bench/recognition.py [--release bookworm] [--other trixie] [--cache .cache/recognition]
    python bench/recognition.py --by-commands    the same through `seawall fingerprints learn` and
                                                 `seawall scan`, in a root file system of Alpine

Needs apt with a Debian mirror, and objcopy for the stripped copies. Packages are kept in the cache.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from scan_image import own_mirror

from seawall.scan.files import examine
from seawall.scan.files.model import Executable
from seawall.scan.fingerprints import archives, learn, pack, recognition
from seawall.scan.model import PackageType, Role

NUMBER = {"bullseye": 11, "bookworm": 12, "trixie": 13}

# package (pattern over all releases) : path (pattern) : names under which it may be reported
SET = """
openssl : usr/bin/openssl : openssl
curl : usr/bin/curl : curl
wget : usr/bin/wget : wget
nginx|nginx-light : usr/sbin/nginx : nginx
apache2-bin : usr/sbin/apache2 : httpd apache2
haproxy : usr/sbin/haproxy : haproxy
lighttpd : usr/sbin/lighttpd : lighttpd
squid : usr/sbin/squid : squid
memcached : usr/bin/memcached : memcached
redis-tools : usr/bin/redis-check-rdb : redis
redis-tools : usr/bin/redis-cli : redis
mosquitto : usr/sbin/mosquitto : mosquitto
postgresql-\\d+ : usr/lib/postgresql/\\d+/bin/postgres : postgresql
postgresql-client-\\d+ : usr/lib/postgresql/\\d+/bin/psql : postgresql
mariadb-server-core(-10.5)? : usr/sbin/mariadbd : mariadb
mariadb-client-core(-10.5)? : usr/bin/mariadb : mariadb
python3.\\d+-minimal : usr/bin/python3.\\d+ : python
php\\d.\\d-cli : usr/bin/php\\d.\\d : php
perl-base : usr/bin/perl : perl
lua5.4 : usr/bin/lua5.4 : lua
luajit : usr/bin/luajit-.* : luajit
busybox-static : (usr/)?bin/busybox : busybox
bash : (usr/)?bin/bash : bash
ksh93u\\+m : (usr/)?bin/ksh93 : ksh93
git : usr/bin/git : git
openssh-client : usr/bin/ssh : openssh
openssh-server : usr/sbin/sshd|usr/lib/openssh/sshd-session : openssh
ffmpeg : usr/bin/ffmpeg : ffmpeg
samba : usr/sbin/smbd : samba
bind9 : usr/sbin/named : bind
bind9-dnsutils : usr/bin/dig : bind
dnsmasq-base : usr/sbin/dnsmasq : dnsmasq
vim-tiny : usr/bin/vim.tiny : vim
tar : (usr/)?bin/tar : tar
gzip : (usr/)?bin/gzip : gzip
coreutils : (usr/)?bin/ls : coreutils
sed : (usr/)?bin/sed : sed
grep : (usr/)?bin/grep : grep
findutils : usr/bin/find : findutils
gawk : usr/bin/gawk : gawk
lz4 : usr/bin/lz4 : lz4
sudo : usr/libexec/sudo/sudoers.so|usr/lib/sudo/sudoers.so : sudo
rsync : usr/bin/rsync : rsync
gdb-minimal : usr/bin/gdb : gdb
binutils-x86-64-linux-gnu : usr/bin/x86_64-linux-gnu-ld.bfd : binutils
nmap : usr/bin/nmap : nmap
socat : usr/bin/socat1?: socat
strace : usr/bin/strace : strace
systemd : (usr/)?bin/systemctl : systemd
openvpn : usr/sbin/openvpn : openvpn
stunnel4 : usr/bin/stunnel4 : stunnel
proftpd-core : usr/sbin/proftpd : proftpd
dovecot-core : usr/lib/dovecot/libdovecot.so.0.0.0 : dovecot
postfix : usr/lib/postfix/sbin/smtpd : postfix
exim4-daemon-light : usr/sbin/exim4 : exim
gnutls-bin : usr/bin/certtool : gnutls
erlang-base : .*/beam.smp : erlang
openjdk-(17|21)-jre-headless : .*/server/libjvm.so : openjdk
qemu-utils : usr/bin/qemu-img : qemu
cups-daemon : usr/sbin/cupsd : cups
libssl\\d(t64)? : .*/libcrypto.so.\\d : openssl
libssl\\d(t64)? : .*/libssl.so.\\d : openssl
libcurl4(t64)? : .*/libcurl.so.4.\\d.\\d : curl
libxml2 : .*/libxml2.so.2.\\d+.\\d+ : libxml2
libxslt1.1 : .*/libxslt.so.1.1.\\d+ : libxslt
libexpat1 : .*/libexpat.so.1.*\\d : expat
libsqlite3-0 : .*/libsqlite3.so.0.8.6 : sqlite
libpng16-16(t64)? : .*/libpng16.so.16.\\d+.\\d : libpng
libjpeg62-turbo : .*/libjpeg.so.62.\\d.\\d : libjpeg-turbo
libtiff6 : .*/libtiff.so.6.\\d.\\d : libtiff
libwebp7 : .*/libwebp.so.7.\\d.\\d+ : libwebp
libfreetype6 : .*/libfreetype.so.6.\\d+.\\d : freetype
libavcodec\\d+ : .*/libavcodec.so.\\d+.\\d+.\\d+ : ffmpeg
libnode\\d+ : .*/libnode.so.\\d+ : nodejs
libruby3.\\d : .*/libruby-3.\\d.so.3.\\d.\\d : ruby
libgnutls30(t64)? : .*/libgnutls.so.30.\\d+.\\d : gnutls
libkrb5-3 : .*/libkrb5.so.3.3 : krb5
libpcre2-8-0 : .*/libpcre2-8.so.0.\\d+.\\d : pcre2
liblzma5 : .*/liblzma.so.5.\\d.\\d : xz
libzstd1 : .*/libzstd.so.1.\\d.\\d : zstd
libbz2-1.0 : .*/libbz2.so.1.0.4 : bzip2
libarchive13(t64)? : .*/libarchive.so.13.\\d.\\d : libarchive
libssh2-1(t64)? : .*/libssh2.so.1.0.1 : libssh2
libgcrypt20 : .*/libgcrypt.so.20.\\d.\\d : libgcrypt
zlib1g : .*/libz.so.1.\\d.\\d+(.\\d)? : zlib
libicu\\d\\d : .*/libicuuc.so.\\d\\d.\\d : icu
docker.io : usr/(s?)bin/dockerd : docker
containerd : usr/bin/containerd : containerd
runc : usr/sbin/runc : runc
prometheus : usr/bin/prometheus : prometheus
podman : usr/bin/podman : podman
hugo : usr/bin/hugo : hugo
caddy : usr/bin/caddy : caddy
fzf : usr/bin/fzf : fzf
ripgrep : usr/bin/rg : ripgrep
fd-find : usr/lib/cargo/bin/fd|usr/bin/fdfind : fd fd-find
hyperfine : usr/bin/hyperfine : hyperfine
bat : usr/bin/batcat : bat
"""

# Names of Debian sources that differ from what the product is called.
SOURCES = {
    "apache2": "httpd",
    "bind9": "bind",
    "ksh93u+m": "ksh93",
    "exim4": "exim",
    "sqlite3": "sqlite",
    "gnutls28": "gnutls",
    "xz-utils": "xz",
    "libzstd": "zstd",
    "libpng1.6": "libpng",
    "stunnel4": "stunnel",
    "docker.io": "docker",
    "proftpd-dfsg": "proftpd",
    "rust-ripgrep": "ripgrep",
    "rust-fd-find": "fd-find",
    "rust-hyperfine": "hyperfine",
    "rust-bat": "bat",
    "tiff": "libtiff",
    "golang-github-docker-docker": "docker",
    "libgcrypt20": "libgcrypt",
    "libpod": "podman",
}
CHANGES = ("as it is", "renamed", "stripped", "appended", "no build id")


class Target(NamedTuple):
    package: str
    path: str
    names: frozenset[str]
    version: str
    content: bytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--release", default="bookworm", choices=NUMBER)
    parser.add_argument("--other", default="trixie", choices=NUMBER)
    parser.add_argument("--cache", default=".cache/recognition", type=Path)
    parser.add_argument("--by-commands", action="store_true")
    parser.add_argument("--learn", choices=NUMBER, help="with --by-commands: from this release")
    told = parser.parse_args()
    rows = [line.split(" : ") for line in SET.strip().replace("?: ", "? : ").splitlines()]
    learned = told.learn or told.release
    releases = (told.release, learned) if told.by_commands else (told.release, told.other)
    for release in releases:
        fetch(told.cache, release, [row[0] for row in rows])
    targets = list(targets_of(told.cache, told.release, rows))
    changed = [
        (change, target, copy_of(target.content, change)) for change, target in spread(targets)
    ]
    if told.by_commands:
        by_commands(told.cache / learned, NUMBER[learned], changed)
        return
    started = time.process_time()
    files = [
        (change, target, examine.examine(content, "opt/x")) for change, target, content in changed
    ]
    seconds = time.process_time() - started
    size = sum(len(content) for _, _, content in changed)
    print(f"{len(files)} files, {size / 1e6:.0f} MB, examined in {seconds:.1f} s of CPU\n")
    report("signatures and builders' records alone", files, None)
    for release in (told.release, told.other):
        made = pack_of(told.cache, release)
        kind = "same release" if release == told.release else "held out"
        packed = len(made.to_bytes())
        print(
            f"pack {release}: {made.file_count} files of {len(made.packages)} packages, "
            f"{packed} bytes, {packed / max(made.file_count, 1):.0f} a file"
        )
        report(f"learned from {release} ({kind})", files, recognition.Library([made]))


def fetch(cache: Path, release: str, patterns: list[str]) -> None:
    """Download the packages of the set that are not in the cache, with apt's own client."""
    folder = (cache / release).resolve()
    state = folder / "apt"
    for part in ("lists/partial", "archives/partial"):
        (state / part).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    sources = state / "sources.list"
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    sources.write_text(f"deb [signed-by={keyring}] {own_mirror()} {release} main\n")
    options = [
        f"-oDir::State={state}",
        f"-oDir::State::status={state}/status",
        f"-oDir::Cache={state}",
        f"-oDir::Etc::sourcelist={sources}",
        "-oDir::Etc::sourceparts=/dev/null",
        "-oAcquire::Languages=none",
    ]
    if not list((state / "lists").glob("*Packages*")):
        subprocess.run(["apt-get", *options, "update", "-qq"], check=True)
    names = subprocess.run(
        ["apt-cache", *options, "pkgnames"], check=True, capture_output=True, text=True
    ).stdout.split()
    wanted = {name for pattern in patterns for name in names if re.fullmatch(pattern, name)}
    have = {path.name.partition("_")[0] for path in folder.glob("*.deb")}
    for name in sorted(wanted - have):
        subprocess.run(["apt-get", *options, "download", "-qq", name], cwd=folder)


def targets_of(cache: Path, release: str, rows: list[list[str]]) -> Iterator[Target]:
    debs = sorted((cache / release).glob("*.deb"))
    for package, path, names in rows:
        for deb in debs:
            if not re.fullmatch(package.strip(), deb.name.partition("_")[0]):
                continue
            with deb.open("rb") as stream:
                found, members = archives.open_package(stream, deb.name)
                for member, content in members:
                    if re.fullmatch(path.strip(), member):
                        yield Target(
                            found.name,
                            member,
                            frozenset(names.split()),
                            pack.upstream_version(found),
                            content,
                        )
                        break
            break
        else:
            print(f"not in {release}: {package}", file=sys.stderr)


def spread(targets: list[Target]) -> Iterator[tuple[str, Target]]:
    """Give every third file a change, each change as often."""
    for number, target in enumerate(targets):
        yield (CHANGES[1 + number // 3 % 4] if number % 3 == 2 else CHANGES[0]), target


def copy_of(content: bytes, change: str) -> bytes:
    if change == "appended":
        return content + b"\n# appended by a build step\n" * 10
    if change not in ("stripped", "no build id"):
        return content
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        option = "--strip-all" if change == "stripped" else "--remove-section=.note.gnu.build-id"
        subprocess.run(["objcopy", option, str(path)], check=True)
        return path.read_bytes()


def pack_of(cache: Path, release: str) -> pack.Pack:
    kept = cache / f"{release}.pack"
    if kept.exists():
        return pack.from_bytes(kept.read_bytes())
    files = []
    for deb in sorted((cache / release).glob("*.deb")):
        with deb.open("rb") as stream:
            files += learn.learn(stream, deb.name, distribution=f"debian-{NUMBER[release]}")
    made = pack.build(release, files)
    kept.write_bytes(made.to_bytes())
    return made


def report(
    title: str,
    files: list[tuple[str, Target, Executable | None]],
    library: recognition.Library | None,
) -> None:
    counts: Counter[str] = Counter()
    lines = []
    for change, target, file in files:
        assert file is not None
        told = answers(file, library)
        names = {SOURCES.get(name, name): version for name, version in told}
        right = [version for name, version in names.items() if name in target.names]
        wrong = [name for name in names if name not in target.names]
        is_version = any(same(version, target.version) for version in right)
        counts["product"] += bool(right)
        counts["product and version"] += is_version
        counts["wrong product"] += bool(wrong)
        if wrong or not is_version:
            lines.append(
                f"    {target.package:28}{target.path.rpartition('/')[2]:30}{change:12}"
                f"{target.version:18} told: {sorted(told)}"
            )
    print(
        f"{title}: "
        + ", ".join(f"{name} {count} of {len(files)}" for name, count in counts.items())
    )
    print("\n".join(lines), end="\n\n")


def by_commands(debs: Path, number: int, changed: list[tuple[str, Target, bytes]]) -> None:
    """Do what a user would: learn the release's packages, then scan an image with the copies."""
    with tempfile.TemporaryDirectory() as folder:
        root, state = Path(folder) / "root", Path(folder) / "state"
        (root / "etc").mkdir(parents=True)
        (root / "etc/os-release").write_text("ID=alpine\nVERSION_ID=3.20.1\n")
        for place, (_, _, content) in enumerate(changed):
            copied = root / "opt" / str(place) / "x"
            copied.parent.mkdir(parents=True)
            copied.write_bytes(content)
            copied.chmod(0o755)
        before, without = command("scan", f"{root}/", "--json", "--state", str(state))
        command(
            "fingerprints", "learn", str(debs), "--distribution", f"debian-{number}", "--json",
            "--state", str(state),
        )  # fmt: skip
        after, with_packs = command("scan", f"{root}/", "--json", "--state", str(state))
    size = sum(len(content) for _, _, content in changed)
    print(f"\n{len(changed)} copies, {size / 1e6:.0f} MB\n")
    judge_commands("seawall scan without packs", before, without, number, changed)
    judge_commands("seawall scan with learned packs", after, with_packs, number, changed)


def command(*words: str) -> tuple[dict[str, Any], float]:
    """Run a command of Seawall; return what it says as JSON, and its seconds of CPU."""
    started = os.times()
    ended = subprocess.run(
        [sys.executable, "-m", "seawall", *words], check=True, stdout=subprocess.PIPE
    )
    now = os.times()
    used = now.children_user + now.children_system
    seconds = used - started.children_user - started.children_system
    print(f"seawall {words[0]} {words[1]}: {seconds:.1f} s of CPU", file=sys.stderr)
    found: dict[str, Any] = json.loads(ended.stdout)
    return found, seconds


def judge_commands(
    title: str,
    report: dict[str, Any],
    seconds: float,
    number: int,
    changed: list[tuple[str, Target, bytes]],
) -> None:
    by_place: dict[str, list[dict[str, Any]]] = {}
    for each in report["inventory"]["components"]:
        if each["role"] == "installed":
            by_place.setdefault(each["path"].split("/")[2], []).append(each)
    counts: Counter[str] = Counter()
    lines = []
    for place, (change, target, _) in enumerate(changed):
        found = by_place.get(str(place), [])
        exact = [each for each in found if each["type"] == "deb"]
        told = {
            (SOURCES.get(name, name), each["version"])
            for each in exact or found
            for name in {last_part(each["source_name"] or each["name"])}
        }
        told = {(re.sub(r"-?\d+(\.\d+)*$", "", n) if n not in target.names else n, v)
                for n, v in told}  # fmt: skip
        right = [v for n, v in told if n in target.names]
        is_version = any(same(upstream(version), target.version) for version in right)
        counts["product"] += bool(right)
        counts["product and version"] += bool(right) and is_version
        counts["package of the distribution"] += bool(right) and any(
            f"distro=debian-{number}" in each["purl"] and each["name"] == target.package
            for each in exact
        )
        counts["wrong product"] += any(n not in target.names for n, _ in told)
        if not is_version or not right:
            lines.append(f"    {target.package:28}{change:12}{target.version:18} told: {told}")
    print(f"{title} ({seconds:.1f} s of CPU): " + ", ".join(
        f"{name} {count} of {len(changed)}" for name, count in counts.items()
    ))  # fmt: skip
    print("\n".join(lines), end="\n\n")


def upstream(version: str) -> str:
    """Return a Debian version without epoch and revision."""
    package = pack.LearnedPackage(type=PackageType.DEB, name="x", version=version)
    return pack.upstream_version(package)


def answers(file: Executable, library: recognition.Library | None) -> set[tuple[str, str]]:
    """Return product and version that the report would show: the strongest evidence first."""
    if library is not None:
        found = [each for each in library.identify(file) if each.role is Role.INSTALLED]
        if found and found[0].version:
            return {(found[0].product, found[0].version)}
        if found and not any(claim.role is Role.INSTALLED for claim in file.claims):
            return {(found[0].product, "")}
    told = {(claim.product, claim.version) for claim in file.claims if claim.role is Role.INSTALLED}
    own = [each for each in file.found if each.role is Role.INSTALLED]
    if not told and own:
        told = {(last_part(each.name), each.version) for each in own}
    return told


def last_part(module: str) -> str:
    """Return what a Go module is called; `…/caddy/v2` is caddy (its major version is no name)."""
    return re.sub(r"/v\d+$", "", module).rpartition("/")[2]


def same(told: str, expected: str) -> bool:
    """Compare upstream versions; one may be longer than the other by a part (`9.2p1`)."""
    if not told:
        return False
    first, second = (
        re.split(r"[.+~-]|(?<=\d)(?=p\d)", text.removeprefix("v")) for text in (told, expected)
    )
    short = min(len(first), len(second))
    return first[:short] == second[:short]


if __name__ == "__main__":
    main()
