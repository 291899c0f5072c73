"""What the pages about scans show of the small installation in `page_samples`."""

from __future__ import annotations

import datetime as dt
from typing import Final

from seawall.testing.page_samples import EXPLOITED, MINOR, SHOP, SHOP_OLD, ago, digest_of
from seawall.web import scan_views
from seawall.web.severities import Counts, Severity

SUPPORT: Final = (
    scan_views.Support(text="support of debian 11 ended 2024-08-14", is_over=True),
    scan_views.Support(text="support of python 3.10 ends 2026-10-31", is_over=False),
)

JUDGEMENT: Final = scan_views.Judgement(
    plan=scan_views.Plan(
        rows=(
            scan_views.Change(
                package="openssl",
                installed=("libssl3 3.0.11-1~deb12u2", "openssl 3.0.11-1~deb12u2"),
                to="3.0.17-1~deb12u3",
                clears=("CVE-2025-9230", "CVE-2024-5535"),
                more=3,
                worst=Severity.CRITICAL,
                is_in_base=True,
                layer=1,
                command="apt-get update && apt-get install --only-upgrade -y libssl3 openssl",
            ),
            scan_views.Change(
                package="pillow",
                installed=("pillow 10.2.0",),
                to="11.3.0",
                clears=("CVE-2025-48379",),
                more=0,
                worst=Severity.HIGH,
                is_in_base=False,
                layer=4,
                command="pip install pillow==11.3.0",
            ),
        ),
        total=2,
        after="2 holes in 2 packages without a known fix are left, the worst low",
    ),
    weaknesses=(
        scan_views.Weakness(
            severity=Severity.CRITICAL,
            title="Token of GitHub",
            place="/app/.env:3",
            evidence="ghp_… (40 characters)",
            remedy="make it void where it is valid, build without it, pass it at run time",
            layer=5,
        ),
        scan_views.Weakness(
            severity=Severity.MEDIUM,
            title="processes run as root (CIS 4.1)",
            place="the image's config",
            evidence="no USER",
            remedy="add USER with a number above 0",
            layer=None,
        ),
    ),
    unexplained=(
        scan_views.Unexplained(
            path="/opt/agent/bin/collector", what="elf program", size=8_412_160, layer=5
        ),
    ),
    unexplained_total=1,
    answers=(
        scan_views.Answer(
            id="CVE-2023-45853",
            package="zlib1g",
            version="1:1.2.13.dfsg-1",
            status="not_affected",
            reason="vulnerable_code_not_present: MiniZip is not built",
            author="shop security",
            until="",
            severity=Severity.CRITICAL,
            rank=MINOR,
        ),
    ),
    answers_total=1,
    unapplied=("CVE-2025-9230: fixed by vendor: it is about pkg:oci/other, which is no name",),
)

HISTORY: Final = tuple(
    scan_views.Point(
        at=ago(days=14 - number),
        counts=Counts(critical=number // 6, high=2 + number // 3, medium=5, low=number % 4),
    )
    for number in range(14)
)

_TODAY: Final = ago().date()


def _day(number: int, *, of: int = 60) -> scan_views.Day:
    back = of - 1 - number
    return scan_views.Day(
        day=_TODAY - dt.timedelta(days=back),
        counts=Counts(
            critical=3 + (number * 7) % 5,
            high=20 + number % 9,
            medium=40 - number // 3,
            low=25,
            fixable=30,
            exploited=1 + number % 3,
            answered=4,
        ),
        images=120 + number,
        scanned=118 + number,
        unsupported=2,
        critical_age=None if number < 3 else 4.0 + number / 10,
        closed=number % 4,
        time_to_fix=6.5 if number % 4 else None,
    )


TRENDS: Final = scan_views.Trends(
    days=tuple(_day(number) for number in range(60) if number != 40),
    closed=88,
    time_to_fix=6.5,
    repositories=tuple(
        scan_views.RepositoryToday(name=name, today=_day(number))
        for number, name in ((59, "shop/checkout"), (4, "shop/payments"))
    ),
    total=2,
)

COMPARISON: Final = scan_views.Comparison(
    old=scan_views.Side(
        name="shop/checkout:2.3",
        repository="shop/checkout",
        target="2.3",
        digest=SHOP_OLD,
        counts=Counts(high=2, low=1, fixable=1),
    ),
    new=scan_views.Side(
        name="shop/checkout:2.4",
        repository="shop/checkout",
        target="2.4",
        digest=SHOP,
        counts=Counts(critical=1, high=1, low=1, fixable=2, exploited=1, answered=3),
        support=SUPPORT[:1],
    ),
    added=scan_views.Differences(
        rows=(
            scan_views.Difference(
                id="CVE-2025-9230",
                severity=Severity.CRITICAL,
                package="libssl3",
                detail="3.0.11-1~deb12u2",
                fixed="3.0.17-1~deb12u3",
                rank=EXPLOITED,
            ),
        ),
        total=1,
    ),
    gone=scan_views.Differences(
        rows=(
            scan_views.Difference(
                id="CVE-2024-28085",
                severity=Severity.HIGH,
                package="util-linux",
                detail="2.38.1-5",
                fixed="2.38.1-5+deb12u1",
            ),
        ),
        total=1,
    ),
    changed=scan_views.Differences(
        rows=(
            scan_views.Difference(
                id="CVE-2025-48379",
                severity=Severity.HIGH,
                package="pillow",
                detail="version 10.1.0 → 10.2.0",
                fixed="",
            ),
        ),
        total=1,
    ),
    unchanged=1,
    packages=(
        scan_views.PackageDifference(
            ecosystem="pypi", name="pillow", before="10.1.0", after="10.2.0"
        ),
        scan_views.PackageDifference(ecosystem="deb", name="curl", before="", after="7.88.1-10"),
    ),
    packages_total=2,
    is_comparable=False,
)

FEEDS_PAGE: Final = scan_views.FeedsPage(
    feeds=(
        scan_views.Feed(
            name="PyPI",
            advisories=17_482,
            withdrawn=311,
            ecosystems=("PyPI",),
            more_ecosystems=0,
            digest=digest_of("PyPI"),
            imported_at=ago(days=9),
            checked_at=ago(days=9),
            error="the server does not answer: timed out",
            failed_at=ago(hours=2),
            is_stale=True,
        ),
        scan_views.Feed(
            name="Debian",
            advisories=41_027,
            withdrawn=0,
            ecosystems=("Debian:12", "Debian:13", "Debian:11"),
            more_ecosystems=4,
            digest=digest_of("Debian"),
            imported_at=ago(minutes=42),
            checked_at=ago(minutes=42),
            error="",
            failed_at=None,
            is_stale=False,
        ),
    ),
    stale_after_days=7,
)

VULNERABILITY: Final = scan_views.Vulnerability(
    id="CVE-2025-9230",
    is_known=True,
    also=("DSA-6015-1",),
    summary="Out-of-bounds read and write in CMS decryption with a password recipient.",
    severity=Severity.CRITICAL,
    exploited=EXPLOITED.exploited,
    likelihood=EXPLOITED.likelihood,
    holders=(
        scan_views.Holder(
            repository="shop/checkout",
            digest=SHOP_OLD,
            package="libssl3",
            version="3.0.11-1~deb12u2",
            fixed="3.0.17-1~deb12u3",
            severity=Severity.CRITICAL,
            since=ago(minutes=42),
            running=("checkout-1", "checkout-2"),
            reached="runs at start",
            rated_by="CVSS:3.1, 9.8",
        ),
        scan_views.Holder(
            repository="shop/checkout",
            digest=SHOP,
            package="libssl3",
            version="3.0.11-1~deb12u2",
            fixed="",
            severity=Severity.CRITICAL,
            since=ago(days=2),
            running=(),
            reached="not on the load path",
            state="may come with a point release",
            rated_by="Debian",
            answer="waived by alice until 2026-02-01: ticket 17",
        ),
    ),
    images=2,
    running=2,
    pages=3,
    url="https://osv.dev/vulnerability/CVE-2025-9230",
)
