"""Measure precision and recall on Debian 11 without its security pocket, against its changelogs.

    sudo python bench/accuracy.py build OUT [--security] [--mirror URL] [--without PACKAGE,…]
    python bench/accuracy.py score FEED LAYOUT [--control LAYOUT]

`build` makes an OCI layout of some 440 packages with mmdebstrap. FEED is a file of facts from
`debian/changelog`, in OSV format: "this upload fixes this CVE". What must be found follows from it
without the scanner: dpkg's own status file, read here, and `dpkg --compare-versions`. `score` runs
`seawall feeds import` and `seawall scan` as a user does and compares (package, version, CVE).

Only CVEs of sources that the facts know are judged; what else is found is neither right nor wrong.
A control is the same image with all security updates: nothing may be found in it. The exit code is
1 when precision or recall is below 0.99, or anything is found in the control.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SOURCE = Path(__file__).resolve().parents[1] / "src"
RELEASE, ECOSYSTEM = "bullseye", "Debian:11"
INCLUDED = (
    *("ca-certificates", "openssl", "curl", "git", "python3", "perl", "nginx-light", "ruby"),
    *("redis-server", "postgresql-13", "php7.4-cli", "nodejs", "imagemagick", "vim-tiny", "bind9"),
    *("openssh-server", "haproxy", "memcached", "squid", "libxml2-utils", "sqlite3", "lighttpd"),
    *("apache2-bin", "erlang-base", "ffmpeg", "openjdk-11-jre-headless", "libtiff5", "libwebp6"),
    *("libjackson2-databind-java",),
)
GOAL = 0.99
Found = set[tuple[str, str, str]]
"""(binary package, its version, CVE)"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    actions = parser.add_subparsers(dest="action", required=True)
    making = actions.add_parser("build")
    making.add_argument("out", type=Path)
    making.add_argument("--security", action="store_true")
    making.add_argument("--mirror")
    making.add_argument("--without", default="")
    scoring = actions.add_parser("score")
    scoring.add_argument("feed", type=Path)
    scoring.add_argument("layout", type=Path)
    scoring.add_argument("--control", type=Path)
    options = parser.parse_args()
    if options.action == "build":
        build(options)
    else:
        raise SystemExit(score(options))


def score(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as folder:
        seawall(Path(folder), "feeds", "import", str(options.feed))
        expected, known = truth(options.layout, options.feed)
        found = {hit for hit in scan(Path(folder), options.layout) if hit[2] in known[hit[0]]}
        right = found & expected
        precision, recall = len(right) / max(1, len(found)), len(right) / max(1, len(expected))
        print(f"expected {len(expected)}, found {len(found)}, both {len(right)}")
        print(f"precision {precision:.4f}, recall {recall:.4f}")
        show("missed", expected - found)
        show("wrong", found - expected)
        is_good = min(precision, recall) >= GOAL
        if options.control is not None:
            wanted, known = truth(options.control, options.feed)
            hits = {h for h in scan(Path(folder), options.control) if h[2] in known[h[0]]}
            print(f"control: expected {len(wanted)}, found {len(hits)}")
            show("wrong in the control", hits - wanted)
            is_good = is_good and hits == wanted
        return 0 if is_good else 1


def show(title: str, found: Found) -> None:
    for package, version, cve in sorted(found):
        print(f"  {title}: {package} {version} {cve}")


def seawall(state: Path, *arguments: str) -> bytes:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "SEAWALL_STATE": str(state)}
    command = [sys.executable, "-m", "seawall", *arguments]
    return subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE).stdout


def scan(state: Path, layout: Path) -> Found:
    report = json.loads(seawall(state, "scan", str(layout), "--json"))
    return {
        (finding["name"], finding["version"], name)
        for finding in report["findings"]
        if finding["type"] == "deb"
        for name in (finding["id"], *finding["aliases"])
        if name.startswith("CVE-")
    }


# -- the truth: nothing of the scanner is used below


def truth(layout: Path, feed: Path) -> tuple[Found, dict[str, set[str]]]:
    """Return what must be found, and for each binary package the CVEs that the facts know."""
    facts: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for line in zstd.decompress(feed.read_bytes()).splitlines():
        record = json.loads(line)
        affected = record["affected"][0]
        if affected["package"]["ecosystem"] == ECOSYSTEM:
            fixed = affected["ranges"][0]["events"][1]["fixed"]
            facts[affected["package"]["name"]].append((record["aliases"][0], fixed))
    expected: Found = set()
    known: dict[str, set[str]] = defaultdict(set)
    older: dict[tuple[str, str], bool] = {}
    for package, version, source, source_version in installed(layout):
        for cve, fixed in facts.get(source, ()):
            known[package].add(cve)
            if (source_version, fixed) not in older:
                older[source_version, fixed] = is_older(source_version, fixed)
            if older[source_version, fixed]:
                expected.add((package, version, cve))
    return expected, known


def installed(layout: Path) -> Iterator[tuple[str, str, str, str]]:
    """Yield (package, version, source, source version) of dpkg's status file."""
    for stanza in status_of(layout).split("\n\n"):
        fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", stanza, re.MULTILINE))
        if fields.get("Status", "").endswith(" installed"):
            source = re.fullmatch(r"(\S+)(?: \((.*)\))?", fields.get("Source", fields["Package"]))
            assert source is not None
            version = fields["Version"]
            yield fields["Package"], version, source[1], source[2] or version


def status_of(layout: Path) -> str:
    def blob(digest: str) -> Path:
        return layout / "blobs" / digest.replace(":", "/")

    index = json.loads((layout / "index.json").read_bytes())
    manifest = json.loads(blob(index["manifests"][0]["digest"]).read_bytes())
    text = ""
    for layer in manifest["layers"]:
        with tarfile.open(blob(layer["digest"])) as archive:
            for entry in archive:
                if entry.isfile() and entry.name.lstrip("./") == "var/lib/dpkg/status":
                    inside = archive.extractfile(entry)
                    assert inside is not None
                    text = inside.read().decode()
    return text


def is_older(version: str, other: str) -> bool:
    command = ["dpkg", "--compare-versions", version, "lt", other]
    return subprocess.run(command, check=False).returncode == 0


# -- the image


def build(options: argparse.Namespace) -> None:
    main_mirror, security = mirrors()
    main_mirror = options.mirror or main_mirror
    lines = [f"deb {main_mirror} {RELEASE} main"]
    if options.security:
        lines.append(f"deb {security} {RELEASE}-security main")
    packages = [name for name in INCLUDED if name not in options.without.split(",")]
    blobs = options.out / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    with tempfile.TemporaryDirectory(dir=options.out) as folder:
        plain, packed = Path(folder) / "root.tar", Path(folder) / "root.tar.gz"
        command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}"]
        subprocess.run([*command, RELEASE, str(plain), *lines], check=True)
        with plain.open("rb") as read, gzip.GzipFile(packed, "wb", 6, mtime=0) as write:
            shutil.copyfileobj(read, write, 1 << 20)
        layer, unpacked = digest_of(packed), digest_of(plain)
        size = packed.stat().st_size
        packed.rename(blobs / layer.partition(":")[2])
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [unpacked]},
        "history": [{"created_by": f"mmdebstrap {RELEASE}"}],
    }
    kind = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{kind}.manifest.v1+json",
        "config": put(blobs, f"{kind}.config.v1+json", config),
        "layers": [{"mediaType": f"{kind}.layer.v1.tar+gzip", "digest": layer, "size": size}],
    }
    entry = put(blobs, f"{kind}.manifest.v1+json", manifest)
    (options.out / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (options.out / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    print(f"{options.out}: {entry['digest']}, {size / 1e6:.0f} MB")


def mirrors() -> tuple[str, str]:
    """Return the mirrors of the archive and of its security pocket that apt uses here."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    uris = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    plain = [uri for uri in uris if "security" not in uri]
    security = [uri for uri in uris if "security" in uri]
    if not plain or not security:
        raise SystemExit("apt knows no mirror of Debian and its security pocket")
    return plain[0], security[0]


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def put(blobs: Path, media_type: str, value: object) -> dict[str, object]:
    body = json.dumps(value).encode()
    name = hashlib.sha256(body).hexdigest()
    (blobs / name).write_bytes(body)
    return {"mediaType": media_type, "digest": f"sha256:{name}", "size": len(body)}


if __name__ == "__main__":
    main()
