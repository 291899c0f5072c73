"""Feeds that are known by name: where they are, who made them, and under which terms.

Every other name is one of OSV's ecosystems, whose zip is `NAME/all.zip` below `feeds.url`. Nothing
is downloaded that the settings or the command do not name. Not here, since their terms forbid it:
GitLab's advisory database and Wolfi's advisories. What has no address that stays the same (Red
Hat's and SUSE's CSAF archives, updateinfo of rpm repositories) is imported as a file.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One feed with a name of its own."""

    url: str
    licence: str
    attribution: str
    about: str


KNOWN: Final[Mapping[str, Source]] = {
    "debian-tracker": Source(
        url="https://security-tracker.debian.org/tracker/data/json",
        licence="no licence text; Debian's security team endorses reuse",
        attribution="Debian Security Tracker",
        about="Debian: every hole, with its state in every release",
    ),
    "debian-dsa": Source(
        url="https://salsa.debian.org/security-tracker-team/security-tracker/-/raw/master/data/DSA/list",
        licence="no licence text; Debian's security team endorses reuse",
        attribution="Debian Security Tracker",
        about="Debian: advisories",
    ),
    "debian-dla": Source(
        url="https://salsa.debian.org/security-tracker-team/security-tracker/-/raw/master/data/DLA/list",
        licence="no licence text; Debian's security team endorses reuse",
        attribution="Debian Security Tracker",
        about="Debian: advisories of long-term support",
    ),
    **{
        f"alpine-{release}-{repository}": Source(
            url=f"https://secdb.alpinelinux.org/{release}/{repository}.json",
            licence="CC-BY-SA-4.0",
            attribution="Alpine Linux secdb",
            about=f"Alpine {release}, repository {repository}",
        )
        for release in ("v3.18", "v3.19", "v3.20", "v3.21", "v3.22", "v3.23", "v3.24", "edge")
        for repository in ("main", "community")
    },
    "kev": Source(
        url="https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json",
        licence="CC0-1.0",
        attribution="CISA, Known Exploited Vulnerabilities Catalog",
        about="which holes are exploited",
    ),
    "epss": Source(
        url="https://epss.empiricalsecurity.com/epss_scores-current.csv.gz",
        licence="free with attribution",
        attribution="FIRST, Exploit Prediction Scoring System",
        about="how likely a hole is exploited within 30 days",
    ),
    "vulnrichment": Source(
        url="https://github.com/cisagov/vulnrichment/archive/refs/heads/develop.tar.gz",
        licence="CC0-1.0",
        attribution="CISA, Vulnrichment",
        about="decision points (SSVC) and ratings",
    ),
    "nvd-overrides": Source(
        url="https://github.com/anchore/nvd-data-overrides/archive/refs/heads/main.tar.gz",
        licence="CC0-1.0",
        attribution="Anchore, NVD data overrides",
        about="programs without a package, by CPE",
    ),
    "node-core": Source(
        url="https://raw.githubusercontent.com/nodejs/security-wg/main/vuln/core/index.json",
        licence="MIT",
        attribution="Node.js Foundation, Security Working Group",
        about="Node.js itself",
    ),
    "endoflife": Source(
        url="https://endoflife.date/api/v1/products/full",
        licence="MIT",
        attribution="endoflife.date contributors",
        about="when releases of distributions and products end",
    ),
}


def url_of(name: str, *, base_url: str, known: Mapping[str, Source] = KNOWN) -> str:
    """Return where a feed of this name is."""
    source = known.get(name)
    if source is not None:
        return source.url
    return f"{base_url.rstrip('/')}/{urllib.parse.quote(name)}/all.zip"
