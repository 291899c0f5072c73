"""What `fuzz.py` feeds: every parser of the scanner that reads something from outside.

A target's seeds are short documents of its format: those of the tests, a few here, and the files of
a folder that it would read (any unpacked image or source tree will do).
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from tests.unit.scan.formats import test_formats_read as feed_samples  # noqa: E402
from tests.unit.scan.readers import samples  # noqa: E402

from seawall.core import strictjson  # noqa: E402 — after the path
from seawall.core.errors import SeawallError  # noqa: E402
from seawall.scan import (  # noqa: E402
    carried_lines,
    distribution,
    feed_files,
    instructions,
    inventory_config,
    inventory_facts,
    inventory_layer,
    misconfiguration,
    osv,
    scripts,
    secrets,
)
from seawall.scan import formats as feeds  # noqa: E402
from seawall.scan.errors import BadRecordError  # noqa: E402
from seawall.scan.files import (  # noqa: E402
    elf,
    examine,
    macho,
    package_note,
    pe,
)
from seawall.scan.fingerprints import archives, pack  # noqa: E402
from seawall.scan.formats import (  # noqa: E402
    cpes,
    csaf,
    debian_lists,
    debian_tracker,
    endoflife,
    epss,
    kev,
    node_core,
    secdb,
    ubuntu_vex,
    updateinfo,
    vulnrichment,
)
from seawall.scan.image_source import LayerSource  # noqa: E402
from seawall.scan.readers import all as languages  # noqa: E402
from seawall.scan.system import all as managers  # noqa: E402
from seawall.scan.vex import documents  # noqa: E402
from seawall.testing import rpm_databases  # noqa: E402

SEED_MAX_BYTES: Final = 1 << 20
DATABASES: Final = {
    "dpkg": b"Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:2.0-3\n"
    b"Source: b (1.0-1)\nConffiles:\n /etc/a 0123\nDescription: x\n y\n\n",
    "apk": b"C:Q1eFZW\nP:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\no:musl\nF:lib\nR:ld.so\nZ:Q1\n\n",
    "pacman": b"%NAME%\nzlib\n\n%VERSION%\n1:1.3-2\n\n%BASE%\nzlib\n\n%LICENSE%\nZlib\n\n",
    "python": b"a/__init__.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\na/RECORD,,\n",
}
Seed = tuple[str, bytes]
"""Path, content."""


@dataclass(frozen=True)
class Target:
    name: str
    path: str
    """What the reader is told as the file's path."""
    read: Callable[[bytes, str], object]
    is_wanted: Callable[[str, bytes], bool] = lambda path, start: False
    """Whether a file of the folder of seeds, by path and first bytes, is one for this target."""
    seeds: Sequence[Seed] = ()
    parser: ModuleType | None = None
    """Where the parser is, if it is not where `read` is."""

    @property
    def module(self) -> str:
        """The name of the module that is under test."""
        return self.parser.__name__ if self.parser else self.read.__module__


def all_targets() -> list[Target]:
    return [*_languages(), *_databases(), *_programs(), *_of_images(), *_feeds(), *_packages()]


def _languages() -> Iterator[Target]:
    for reader in languages.READERS:
        path = next(iter(sorted(reader.names)), f"x{next(iter(reader.endings), '')}")
        yield Target(
            f"language: {reader.format}",
            path,
            reader.read,
            lambda path, _, reader=reader: languages.TABLE.find(path) is reader,
            samples.SAMPLES.get(reader.format, ()),
        )


def _databases() -> Iterator[Target]:
    for reader in managers.READERS:
        path = f"var/lib/{reader.manager}/{next(iter(sorted(reader.names)), 'x')}"
        made = [(path, DATABASES[reader.manager])] if reader.manager in DATABASES else []
        if reader.manager == "rpm":
            header = rpm_databases.header(rpm_databases.DEMO)
            made = [(path, rpm_databases.berkeley([header] * 3, order)) for order in "<>"]
            made.append((path, rpm_databases.ndb([header] * 3)))
        yield Target(
            f"database: {reader.manager} {next(iter(sorted(reader.names)), '')}".strip(),
            path,
            reader.read,
            lambda path, _, reader=reader: managers.TABLE.find(path) is reader,
            made,
        )
    yield Target(
        "database: os-release",
        "etc/os-release",
        distribution.parse,
        lambda path, _: path.endswith("os-release"),
        [("etc/os-release", b'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n')],
    )


def _programs() -> Iterator[Target]:
    def is_program(_: str, start: bytes) -> bool:
        return examine.format_of(start[:8]) is not None

    yield Target("program: all of it", "usr/bin/x", examine.examine, is_program)
    yield Target(
        "program: ELF",
        "usr/bin/x",
        _elf,
        lambda _, start: start[:4] == b"\x7fELF",
        parser=elf,
    )
    yield Target(
        "program: PE",
        "x.exe",
        lambda body, _: pe.parse(body),
        lambda _, start: start[:2] == b"MZ",
        parser=pe,
    )
    yield Target(
        "program: Mach-O",
        "x.dylib",
        lambda body, _: macho.parse(body),
        seeds=[("x", b"\xcf\xfa\xed\xfe\x07\x00\x00\x01\x03\x00\x00\x00\x02\x00\x00\x00" * 20)],
        parser=macho,
    )
    note = {"type": "deb", "os": "debian", "name": "a", "version": "1", "architecture": "amd64"}
    yield Target(
        "program: package note",
        "note",
        lambda body, _: package_note.parse(body),
        seeds=[("note", _json(note))],
        parser=package_note,
    )


def _elf(body: bytes, _: str) -> object:
    program = elf.parse(body)
    if program is None:
        return None
    elf.code_of(program), elf.end_of(body, program), elf.texts_of(body, program)
    return list(elf.notes(body, program))


def _of_images() -> Iterator[Target]:
    docker = b'FROM debian:12 AS a\nARG X=1\nRUN --mount=type=secret curl \\\n -u a:b x\nUSER "0"\n'
    config = {
        "os": "linux",
        "architecture": "amd64",
        "config": {"Env": ["PASSWORD=hunter2", "PATH=/bin"], "User": "", "Cmd": ["/bin/sh"]},
        "history": [{"created_by": "/bin/sh -c #(nop) ADD x"}, {"created_by": "RUN y"}],
        "rootfs": {"type": "layers", "diff_ids": []},
    }
    yield Target(
        "image: Dockerfile",
        "Dockerfile",
        _dockerfile,
        lambda path, _: "Dockerfile" in path,
        [("Dockerfile", docker)],
        instructions,
    )
    yield Target(
        "image: config",
        "config",
        _config,
        seeds=[("config", _json(config))],
        parser=misconfiguration,
    )
    yield Target(
        "image: layer", "layer", _layer, seeds=[("layer", _layer_tar())], parser=inventory_layer
    )
    yield Target(
        "image: secrets",
        "srv/.env",
        lambda body, path: secrets.find(body, path=path),
        lambda path, _: secrets.is_candidate(path, 1000),
        [("srv/.env", b"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n" * 3)],
        secrets,
    )
    yield Target(
        "image: script",
        "entrypoint.sh",
        lambda body, _: scripts.read(body),
        lambda path, start: path.endswith(".sh") and start.startswith(b"#!"),
        [
            (
                "entrypoint.sh",
                b'#!/bin/sh\nif [ x ]; then set -- a "$@"; fi\nexec $B/java -jar /a/b\n',
            )
        ],
        scripts,
    )
    yield Target(
        "image: stored facts",
        "facts",
        lambda body, _: inventory_facts.from_bytes(body),
        seeds=[("facts", inventory_facts.to_bytes(_facts(_layer_tar())))],
        parser=inventory_facts,
    )


def _dockerfile(body: bytes, path: str) -> object:
    instructions.of_dockerfile(body)
    return misconfiguration.of_dockerfile(body, path=path)


def _config(body: bytes, _: str) -> object:
    inventory_config.read(body, 2)
    instructions.of_history(body, max_bytes=1 << 20)
    return misconfiguration.of_config(body, layers=["a", "b"])


def _layer(body: bytes, _: str) -> object:
    return inventory_facts.to_bytes(_facts(body))


def _facts(body: bytes) -> inventory_facts.LayerFacts:
    source = LayerSource(
        digest=f"sha256:{'0' * 64}",
        media_type="application/vnd.oci.image.layer.v1.tar",
        size=len(body),
        open=lambda: io.BytesIO(body),
    )
    return inventory_layer.facts_of(source)


def _layer_tar() -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, (path, content) in enumerate(
            seed for found in samples.SAMPLES.values() for seed in found[:1]
        ):
            entry = tarfile.TarInfo(f"opt/{name}/{path}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name, kind in (("a", tarfile.SYMTYPE), ("b", tarfile.LNKTYPE), ("c", tarfile.DIRTYPE)):
            entry = tarfile.TarInfo(f"srv/.wh.{name}" if kind == tarfile.DIRTYPE else f"srv/{name}")
            entry.type, entry.linkname = kind, "opt/0"
            archive.addfile(entry)
    return body.getvalue()


# -- advisories


def _feeds() -> Iterator[Target]:
    for module, made in _feed_seeds():
        name = module.__name__.rpartition(".")[2]
        yield Target(f"feed: {name}", "feed", _record_reader(module), seeds=made, parser=module)
    yield Target(
        "feed: osv", "feed", lambda body, _: osv.parse(body), seeds=_osv_seeds(), parser=osv
    )
    yield Target(
        "feed: carried lines",
        "feed",
        lambda body, _: [carried_lines.decode(line) for line in body.splitlines(keepends=True)],
        seeds=[("feed", line) for line in _CARRIED],
        parser=carried_lines,
    )
    yield Target("feed: any document", "feed", _any_feed, seeds=_any_seeds(), parser=feed_files)
    yield Target(
        "vex: document",
        "vex.json",
        lambda body, _: documents.parse(body),
        seeds=_vex(),
        parser=documents,
    )


_CARRIED: Final = (
    b'["advisory","CVE-2026-1",false,"AAAAAAAAAAAAAAAAAAAAAA==",["GHSA-1"],[],"a \\"b\\"",'
    b'"high",7.5,"x","",[["PyPI","p","","/w==","2.0","high","x","no-dsa","m:1",["a#b"]]]]\n',
    b'["signal","CVE-2026-1","epss",0.5,0.9,""]\n',
    b'["lifecycle","node","18","2025-04-30",false,"18.1",["pkg:generic/node"]]\n',
)


def _record_reader(module: Any) -> Callable[[bytes, str], object]:
    def of_json(body: bytes) -> Iterator[tuple[str, Any]]:
        value = strictjson.decode(body, max_bytes=feeds.DOCUMENT_MAX_BYTES)
        if isinstance(value, dict) and module.is_mine(value):
            yield from module.records(value)

    def read(body: bytes, _: str) -> object:
        if module is updateinfo:
            found = updateinfo.records(body)
        elif hasattr(module, "is_text") and module.is_text(body[:4096]):
            text = body.decode("utf-8", "replace")
            found = module.text_records(iter(text.splitlines(keepends=True)))
        elif hasattr(module, "is_mine"):
            found = of_json(body)
        else:
            return None
        return [_taken(record) for _, record in found]

    return read


def _taken(record: Callable[[], object]) -> object:
    try:
        return record()
    except BadRecordError:
        return None


def _any_feed(body: bytes, _: str) -> object:
    """Read a feed as a file: packed, archived or plain, in whatever format."""
    path = Path(f"/dev/shm/seawall-fuzz-{id(body)}")
    path.write_bytes(body)
    try:
        return [_taken(record) for _, record in feed_files.records(path)]
    finally:
        path.unlink()


def _feed_seeds() -> Iterator[tuple[Any, list[Seed]]]:
    s = feed_samples
    purl = "pkg:deb/ubuntu/openssl@3.0.2-0ubuntu1.15?arch=source&distro=jammy"
    ubuntu = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "author": "Canonical Ltd.",
        "statements": [
            {
                "vulnerability": {"name": "CVE-2024-1000"},
                "status": "fixed",
                "products": [{"@id": purl}],
            }
        ],
    }
    match = {"criteria": s.CPE, "vulnerable": True, "versionEndExcluding": "1.1.1g"}
    cve = {"id": "CVE-2024-1000", "configurations": [{"nodes": [{"cpeMatch": [match]}]}]}
    nvd = {"format": "NVD_CVE", "resultsPerPage": 1, "vulnerabilities": [{"cve": cve}]}
    vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    enriched = {"CVE-2024-1000": {"cvss": vector, "ssvc": ["active", "yes", "total"]}}
    node = {"1": {"cve": ["CVE-2024-1"], "vulnerable": "8.x || 7.x", "patched": "^8.1.4"}}
    ends = {
        "debian": {
            "identifiers": [{"purl": "pkg:generic/debian"}],
            "releases": [{"releaseCycle": "9", "eol": "2020-07-18"}],
        }
    }
    hole = {"product_status": {"fixed": ["BaseOS-9:openssl-1:3.0.7-27.el9.src"]}}
    tracked = s.tracker(status="resolved", fixed_version="3.0-2")
    yield secdb, _named(_json(s.SECDB))
    yield debian_tracker, _named(tracked)
    yield debian_lists, _named(s.DSA)
    yield csaf, _named(s.csaf("Red Hat Product Security", "csaf_vex", s.RED_HAT, **hole))
    yield ubuntu_vex, _named(_json(ubuntu))
    yield updateinfo, _named(s.UPDATEINFO.format(id="ALAS2023-2024-500", release="").encode())
    yield kev, _named(_json(s.KEV), s.KEV_CSV)
    yield epss, _named(b"#model_version:v1\ncve,epss,percentile\nCVE-2024-1000,0.5,0.99\n" * 3)
    yield vulnrichment, _named(_json(enriched))
    yield cpes, _named(_json(nvd), _json({"_annotation": {"cve_id": "CVE-2024-1"}, "cve": cve}))
    yield node_core, _named(_json(node))
    yield endoflife, _named(_json(ends))


def _osv_seeds() -> list[Seed]:
    record = {
        "id": "GHSA-aaaa-bbbb-cccc",
        "modified": "2026-01-01T00:00:00Z",
        "aliases": ["CVE-2026-1000"],
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        "affected": [
            {
                "package": {"ecosystem": "Go", "name": "example.org/x"},
                "ranges": [
                    {"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.2.3"}]},
                    {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"last_affected": "1"}]},
                ],
                "versions": ["1.0.0"],
                "ecosystem_specific": {"imports": [{"path": "x/y", "symbols": ["F", "T.M"]}]},
                "database_specific": {"informational": "unmaintained"},
            }
        ],
        "references": [{"type": "WEB", "url": "https://example.org"}],
    }
    return _named(_json(record))


def _any_seeds() -> list[Seed]:
    bodies = [body for _, seeds in _feed_seeds() for _, body in seeds]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number, body in enumerate(bodies):
            archive.writestr(f"{number}.json", body)
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w:gz") as tar:
        entry = tarfile.TarInfo("a.json")
        entry.size = len(bodies[0])
        tar.addfile(entry, io.BytesIO(bodies[0]))
    lines = b"\n".join(body for _, body in _osv_seeds()) + b"\n"
    return _named(*bodies, packed.getvalue(), tarred.getvalue(), lines)


def _vex() -> list[Seed]:
    openvex = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://example.org/vex",
        "author": "A",
        "timestamp": "2026-01-01T00:00:00Z",
        "version": 1,
        "statements": [
            {
                "vulnerability": {"name": "CVE-2024-1000", "aliases": ["GHSA-aaaa-bbbb-cccc"]},
                "products": [
                    {"@id": "pkg:oci/a", "subcomponents": [{"@id": "pkg:deb/debian/x@1"}]}
                ],
                "status": "not_affected",
                "justification": "component_not_present",
            }
        ],
    }
    cyclonedx = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"component": {"bom-ref": "a", "name": "a", "type": "container"}},
        "components": [{"bom-ref": "b", "purl": "pkg:deb/debian/x@1", "name": "x"}],
        "vulnerabilities": [
            {
                "id": "CVE-2024-1000",
                "analysis": {"state": "not_affected", "justification": "code_not_present"},
                "affects": [{"ref": "b"}],
            }
        ],
    }
    tree = feed_samples.RED_HAT
    status = {"product_status": {"known_not_affected": ["BaseOS-9:openssl-1:3.0.7-27.el9.src"]}}
    return _named(
        _json(openvex), _json(cyclonedx), feed_samples.csaf("A", "csaf_vex", tree, **status)
    )


# -- packages to learn from


def _packages() -> Iterator[Target]:
    def learn(body: bytes, path: str) -> object:
        package, members = archives.open_package(io.BytesIO(body), path)
        return package, [name for name, _ in members]

    yield Target(
        "fingerprints: package",
        "a_1.0_amd64.deb",
        learn,
        lambda path, _: path.endswith((".deb", ".rpm", ".apk", ".whl", ".jar", ".tgz")),
        _package_seeds(),
        archives,
    )
    empty = pack.build("demo", []).to_bytes()
    yield Target(
        "fingerprints: pack",
        "pack",
        lambda body, _: pack.from_bytes(body),
        seeds=[("pack", empty)],
        parser=pack,
    )


def _package_seeds() -> list[Seed]:
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w:gz") as tar:
        for name, content in (
            ("./control", b"Package: a\nVersion: 1.0\nArchitecture: amd64\n"),
            ("usr/bin/a", Path("/bin/true").read_bytes()),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    inner = tarred.getvalue()
    deb = b"!<arch>\n"
    for name, content in (
        ("debian-binary", b"2.0\n"),
        ("control.tar.gz", inner),
        ("data.tar.gz", inner),
    ):
        head = f"{name:<16}{'0':<12}{'0':<6}{'0':<6}{'100644':<8}{len(content):<10}`\n"
        deb += head.encode() + content + b"\n" * (len(content) % 2)
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("a-1.0.dist-info/METADATA", "Name: a\nVersion: 1.0\n")
        archive.writestr("a/b.so", Path("/bin/true").read_bytes())
    return [
        ("a_1.0_amd64.deb", deb),
        ("a-1.0-py3-none-any.whl", wheel.getvalue()),
        ("a-1.0.tgz", inner),
        ("a-1.0.apk", inner),
    ]


def _named(*bodies: bytes) -> list[Seed]:
    return [("feed", body) for body in bodies]


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


REFUSALS: Final = (SeawallError,)
"""What a parser may say besides `Unreadable`."""
