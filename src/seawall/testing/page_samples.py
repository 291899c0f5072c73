"""One small installation, as the pages see it: a shop with something to worry about."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Final

from seawall.core import actor as actors
from seawall.core.reason import Reason
from seawall.oci.digest import Digest
from seawall.web import scan_views, views
from seawall.web.views import Counts, Outcome, Severity

NOW: Final = dt.datetime(2026, 11, 25, 14, 30, tzinfo=dt.UTC)
REGISTRY: Final = "seawall.example:5443"
GATE: Final = "tcp://seawall.example:2376"


def ago(*, minutes: int = 0, hours: int = 0, days: int = 0) -> dt.datetime:
    """Return a moment before `NOW`."""
    return NOW - dt.timedelta(minutes=minutes, hours=hours, days=days)


def digest_of(name: str) -> Digest:
    """Return a digest that stands for the thing called `name`."""
    return Digest.of(name.encode())


ADA, LIN, CI = actors.user("ada"), actors.user("lin"), actors.user("ci-robot")
SHOP, SHOP_OLD = digest_of("shop/checkout:2.4"), digest_of("shop/checkout:2.3")

_UNSIGNED: Final = Reason(
    rule="signed",
    evidence="no signature by a trusted key (release, security)",
    remedy=f"have one of them run: seawall sign {REGISTRY}/shop/checkout:2.4",
)
_FIXABLE: Final = Reason(
    rule="no-fixable",
    evidence="2 critical findings have a fix: openssl 3.0.11-1~deb12u2, pillow 10.2.0",
    remedy="update them to 3.0.17-1~deb12u3 and 11.3.0, build and push again",
)

CONTAINERS: Final = (
    views.Container(
        name="checkout-1",
        id=digest_of("checkout-1").hex,
        engine="local",
        image="shop/checkout:2.3",
        repository="shop/checkout",
        digest=SHOP_OLD,
        outcome=Outcome.REFUSED,
        why="no-fixable: CVE-2025-9230 in openssl arrived 40 minutes ago",
        status="running",
        since=ago(days=6),
        is_known=True,
    ),
    views.Container(
        name="payments",
        id=digest_of("payments").hex,
        engine="local",
        image="shop/payments:5.0.1",
        repository="shop/payments",
        digest=digest_of("shop/payments:5.0.1"),
        outcome=Outcome.ALLOWED,
        why="",
        status="running",
        since=ago(hours=9),
        is_known=True,
    ),
    views.Container(
        name="wizardly_hopper",
        id=digest_of("wizardly_hopper").hex,
        engine="local",
        image="debian:12",
        repository=None,
        digest=digest_of("debian:12"),
        outcome=Outcome.REFUSED,
        why="not an image of this registry",
        status="running",
        since=ago(minutes=17),
        is_known=False,
    ),
    views.Container(
        name="docs",
        id=digest_of("docs").hex,
        engine="local",
        image="web/docs:latest",
        repository="web/docs",
        digest=digest_of("web/docs:latest"),
        outcome=Outcome.ALLOWED,
        why="",
        status="running",
        since=ago(days=2),
        is_known=True,
    ),
)

REFUSED: Final = (
    views.Refused(
        at=ago(minutes=12),
        verb="run",
        image="shop/checkout:2.4",
        repository="shop/checkout",
        target="2.4",
        actor=LIN,
        reasons=(_UNSIGNED, _FIXABLE),
        times=3,
    ),
    views.Refused(
        at=ago(hours=3),
        verb="run",
        image="web/docs:latest",
        repository="web/docs",
        target="latest",
        actor=CI,
        reasons=(
            Reason(
                rule="host-mount",
                evidence="-v /var/run/docker.sock:/var/run/docker.sock gives the machine away",
                remedy="drop the mount; a volume by name is allowed",
            ),
        ),
    ),
)


def image(
    repository: str, tag: str | None, *, outcome: Outcome, found: Counts | None, **more: object
) -> views.Image:
    """Build a row of the list of images."""
    row = views.Image(
        repository=repository,
        tag=tag,
        digest=digest_of(f"{repository}:{tag}"),
        size=48_200_000,
        pushed_at=ago(days=1),
        pushed_by=ADA,
        signers=(),
        findings=found,
        outcome=outcome,
    )
    return replace(row, **more)  # type: ignore[arg-type]


IMAGES: Final = (
    image(
        "shop/checkout",
        "2.4",
        outcome=Outcome.REFUSED,
        found=Counts(
            critical=2, high=5, medium=11, low=23, unknown=1, fixable=9, exploited=1, answered=1
        ),
        size=77_812_340,
        pushed_at=ago(minutes=34),
        pushed_by=CI,
    ),
    image(
        "shop/checkout",
        "2.3",
        outcome=Outcome.REFUSED,
        found=Counts(critical=1, high=3, medium=9, low=22, fixable=4),
        signers=("release",),
        size=76_544_128,
        pushed_at=ago(days=8),
    ),
    image(
        "shop/payments",
        "5.0.1",
        outcome=Outcome.ALLOWED,
        found=Counts(medium=2, low=14),
        signers=("release", "security"),
        size=31_044_991,
        pushed_at=ago(hours=10),
    ),
    image(
        "web/docs",
        "latest",
        outcome=Outcome.ALLOWED,
        found=Counts(answered=2),
        signers=("release",),
        size=9_120_400,
        pushed_at=ago(days=2),
        pushed_by=LIN,
    ),
    image(
        "team/report",
        "nightly",
        outcome=Outcome.PENDING,
        found=None,
        size=412_700_000,
        pushed_at=ago(minutes=1),
        pushed_by=CI,
    ),
)

FEEDS: Final = (
    views.Feed(name="Debian", advisories=58_212, updated_at=ago(minutes=42), is_stale=False),
    views.Feed(name="PyPI", advisories=17_930, updated_at=ago(days=9), is_stale=True),
)
ENGINES: Final = (
    views.Engine(
        name="local",
        version="Docker Engine 26.1.5, API 1.45",
        is_reachable=True,
        note="user namespaces are off: root in a container is root here",
    ),
)


def _event(
    seq: int, at: dt.datetime, said: tuple[str, actors.Actor, str], tag: str = ""
) -> views.Event:
    kind, actor, summary = said
    repository, _, _ = tag.partition(":")
    return views.Event(
        seq=seq,
        at=at,
        kind=kind,
        actor=actor,
        repository=repository or None,
        digest=digest_of(tag) if tag else None,
        summary=summary,
    )


EVENTS: Final = (
    _event(412, ago(minutes=1), ("ManifestPushed", CI, "pushed nightly"), "team/report:nightly"),
    _event(411, ago(minutes=12), ("RunRefused", LIN, "was refused to run"), "shop/checkout:2.4"),
    _event(
        410, ago(minutes=33), ("VerdictReached", actors.SYSTEM, "refused it"), "shop/checkout:2.4"
    ),
    _event(
        409,
        ago(minutes=33),
        ("ReportMade", actors.SYSTEM, "found 42 holes in"),
        "shop/checkout:2.4",
    ),
    _event(408, ago(minutes=34), ("ManifestPushed", CI, "pushed 2.4"), "shop/checkout:2.4"),
    _event(
        407, ago(minutes=42), ("AdvisoriesImported", actors.SYSTEM, "imported 118 new for Debian")
    ),
    _event(
        406, ago(hours=9), ("ContainerStarted", ADA, "ran payments from"), "shop/payments:5.0.1"
    ),
    _event(405, ago(hours=10), ("ImageSigned", ADA, "signed with release"), "shop/payments:5.0.1"),
)

OVERVIEW: Final = views.Overview(
    registry=REGISTRY,
    gate=GATE,
    gate_setup=(f"export DOCKER_HOST={GATE} DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=~/.docker",),
    refused=REFUSED,
    containers=CONTAINERS,
    images=views.ImageList(rows=IMAGES, total=len(IMAGES), matching=len(IMAGES), page=1, pages=1),
    feeds=FEEDS,
    engines=ENGINES,
    engine_remedy=("sudo apt-get install docker.io",),
    events=EVENTS,
)

PACKAGES: Final = tuple(
    views.Package(name=name, version=version, ecosystem=ecosystem, layer=layer, worst=worst)
    for name, version, ecosystem, layer, worst in (
        ("adduser", "3.134", "Debian 12", 1, None),
        ("libc6", "2.36-9+deb12u8", "Debian 12", 1, Severity.MEDIUM),
        ("libssl3", "3.0.11-1~deb12u2", "Debian 12", 1, Severity.CRITICAL),
        ("openssl", "3.0.11-1~deb12u2", "Debian 12", 2, Severity.CRITICAL),
        ("pillow", "10.2.0", "PyPI", 4, Severity.CRITICAL),
        ("requests", "2.31.0", "PyPI", 4, Severity.MEDIUM),
        ("zlib1g", "1:1.2.13.dfsg-1", "Debian 12", 1, Severity.LOW),
        *((f"lib-sample-{n:03}", f"1.{n}-2", "Debian 12", 1, None) for n in range(140)),
    )
)


def _finding(
    id_: str, severity: Severity, what: tuple[str, str, str | None], summary: str
) -> views.Finding:
    package, installed, fixed = what
    fix = (
        f"Update {package} to {fixed} in the instruction of this layer, build and push again."
        if fixed
        else "No fixed version is published yet."
    )
    return views.Finding(
        id=id_,
        aliases=(),
        severity=severity,
        package=package,
        installed=installed,
        fixed=fixed,
        fix=fix,
        summary=summary,
        layer=4 if "." in installed and "deb" not in installed else 1,
        url=f"https://security-tracker.debian.org/tracker/{id_}",
        rank=scan_views.Rank(reached="can be loaded"),
    )


EXPLOITED: Final = scan_views.Rank(
    exploited="exploited since 2025-11-20, by ransomware",
    reached="runs at start: /usr/local/bin/python3.11 → /usr/lib/libssl.so.3",
    likelihood="EPSS 41.2 %, percentile 97.4",
    rated_by="CVSS:3.1, 9.8",
)
MINOR: Final = scan_views.Rank(
    reached="not on the load path",
    likelihood="EPSS 0.04 %, percentile 11.0",
    state="may come with a point release",
    rated_by="Debian",
)

FINDINGS: Final = (
    replace(
        _finding(
            "CVE-2025-9230",
            Severity.CRITICAL,
            ("openssl", "3.0.11-1~deb12u2", "3.0.17-1~deb12u3"),
            "Out-of-bounds read and write in CMS decryption with a password recipient.",
        ),
        rank=EXPLOITED,
    ),
    replace(
        _finding(
            "CVE-2024-28219",
            Severity.CRITICAL,
            ("pillow", "10.2.0", "10.3.0"),
            "Buffer overflow in _imagingcms.c: an image decides what is overwritten.",
        ),
        aliases=("GHSA-44wm-f244-xhp3", "PYSEC-2024-231"),
    ),
    *(
        _finding(f"CVE-2026-1{n:04}", Severity.HIGH, ("libc6", "2.36-9+deb12u8", None), "A sample.")
        for n in range(5)
    ),
    *(
        _finding(
            f"CVE-2026-2{n:04}",
            Severity.MEDIUM,
            ("requests", "2.31.0", "2.32.4"),
            "Credentials from .netrc are sent to another host.",
        )
        for n in range(11)
    ),
    *(
        replace(
            _finding(
                f"CVE-2026-3{n:04}", Severity.LOW, ("zlib1g", "1:1.2.13.dfsg-1", None), "A sample."
            ),
            rank=MINOR,
        )
        for n in range(23)
    ),
    _finding("CVE-2026-40000", Severity.UNKNOWN, ("adduser", "3.134", None), "Not rated yet."),
)

SIGNATURES: Final = (
    views.Signature(
        key="build-2025",
        fingerprint="SHA256:6mZc0mH1vK0c3s0kq0cT0m2bXw9Y3kq1i6wJ8tq2n3E",
        form="cosign",
        signed_at=ago(minutes=30),
        outcome=Outcome.REFUSED,
        steps=tuple(
            views.ProofStep(number=n, text=text, outcome=outcome)
            for n, (text, outcome) in enumerate(
                (
                    ("the payload is well-formed JSON of the expected type", Outcome.ALLOWED),
                    ("the payload names exactly this digest", Outcome.ALLOWED),
                    ("the payload names this repository", Outcome.ALLOWED),
                    ("the signature over the payload is valid (ECDSA P-256)", Outcome.ALLOWED),
                    ("the key is trusted for shop/checkout: it was revoked", Outcome.REFUSED),
                    ("the key was trusted at the time of signing", Outcome.PENDING),
                ),
                start=1,
            )
        ),
    ),
)

IMAGE_PAGE: Final = views.ImagePage(
    registry=REGISTRY,
    repository="shop/checkout",
    digest=SHOP,
    media_type="application/vnd.oci.image.manifest.v1+json",
    platform="linux/amd64",
    size=77_812_340,
    pushed_at=ago(minutes=34),
    pushed_by=CI,
    verdict=views.Verdict(
        outcome=Outcome.REFUSED,
        policy="policy “shop” for shop/*",
        judged_at=ago(minutes=33),
        rules=(
            views.Rule(
                name=_UNSIGNED.rule,
                outcome=Outcome.REFUSED,
                evidence=_UNSIGNED.evidence,
                remedy=_UNSIGNED.remedy,
            ),
            views.Rule(
                name=_FIXABLE.rule,
                outcome=Outcome.REFUSED,
                evidence=_FIXABLE.evidence,
                remedy=_FIXABLE.remedy,
            ),
            views.Rule(
                name="scanned-lately",
                outcome=Outcome.ALLOWED,
                evidence="scanned 33 minutes ago, 24 hours are allowed",
                remedy="",
            ),
        ),
    ),
    tags=(
        views.Tag(name="2.4", moved_at=ago(minutes=34), moved_by=CI),
        views.Tag(name="latest", moved_at=ago(minutes=34), moved_by=CI),
    ),
    containers=(),
    layers=tuple(
        views.Layer(
            number=n,
            digest=digest_of(f"layer {n}"),
            size=size,
            instruction=text,
            packages=packages,
            findings=found,
        )
        for n, (size, text, packages, found) in enumerate(
            (
                (29_150_000, "ADD rootfs.tar.xz /", 139, 24),
                (4_120_000, "RUN apt-get install -y --no-install-recommends openssl", 1, 1),
                (311, "COPY requirements.txt /app/", 0, 0),
                (41_904_000, "RUN pip install --no-cache-dir -r requirements.txt", 7, 17),
                (2_637_000, "COPY . /app", 0, 0),
            ),
            start=1,
        )
    ),
    platforms=(),
    scan=None,
    scan_note="",
    signatures=SIGNATURES,
    events=tuple(event for event in EVENTS if event.repository == "shop/checkout"),
)
