"""Templates: everything escaped, a missing name is an error, and no text may trick the eye.

Autoescaping stops markup. What it lets through — control and direction-changing characters, which
can make one name look like another (CVE-2021-42574) — is replaced by a visible mark in
`_visible`. Links out are made of `https:` addresses only.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from typing import Final
from urllib.parse import quote, urlsplit

import jinja2
from aiohttp import web
from markupsafe import Markup

from seawall.core.actor import Actor, ActorKind
from seawall.ingress import browser
from seawall.web import assets, queries, views

# Said on every page, so that no mistake in the wiring can leave it out. With the stricter
# `no-referrer` a browser would send `Origin: null` with our own forms, and they would be refused.
HEADERS: Final = {
    **browser.HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "Cache-Control": browser.NO_STORE,
}

_TRICKY: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)
_DIGEST: Final = re.compile(r"\b(sha256|sha512):([0-9a-f]{64,128})\b", re.ASCII)
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")


def render(template: str, *, status: int = 200, **values: object) -> web.Response:
    """Return the page made of `template`, with the headers that every page has."""
    text = _environment().get_template(template).render(**values)
    return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)


def size(number: int) -> str:
    """Return bytes for people, in powers of 1000 as docker prints them: `77.8 MB`."""
    value, unit = float(number), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    digits = 0 if unit == 0 or value >= 99.95 else 1
    return f"{value:.{digits}f} {_UNITS[unit]}"


def ago(moment: dt.datetime, now: dt.datetime) -> str:
    """Return how long ago `moment` is; a moment ahead of the clock is `just now`."""
    seconds = int((now - moment).total_seconds())
    if seconds < _MINUTE:
        return "just now"
    for length, name in ((365 * _DAY, "year"), (30 * _DAY, "month"), (_DAY, "day")):
        if seconds >= 2 * length:
            return f"{seconds // length} {name}s ago"
    if seconds >= 2 * _HOUR:
        return f"{seconds // _HOUR} h ago"
    return f"{seconds // _MINUTE} min ago"


def utc(moment: dt.datetime) -> str:
    """Return the moment in full, in UTC, to the second."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def short(digest: str) -> str:
    """Return the first twelve hex digits: for people, never for decisions."""
    return digest.partition(":")[2][:12] or digest[:12]


def shortened(text: str) -> str:
    """Return a sentence in which each digest stands with its first twelve hex digits."""
    return _DIGEST.sub(lambda match: f"{match[1]}:{match[2][:12]}…", text)


def who(actor: Actor) -> str:
    """Return the actor as people call it; only users go by their bare name."""
    return "Seawall" if actor.kind is ActorKind.SYSTEM else str(actor)


def image_url(repository: str, target: str) -> str:
    """Return the path of the page of an image."""
    return f"/images/{quote(repository)}/-/{quote(target, safe=':')}"


def trust_url(repository: str) -> str:
    """Return the path of the page about who vouches for a repository."""
    return f"/trust/{quote(repository)}"


def is_https(address: str) -> bool:
    """Tell whether a link from outside may be followed: https, with a host, and no login in it."""
    if not address.startswith("https://") or not address.isascii() or re.search(r"[\s\\]", address):
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return bool(parts.hostname) and "@" not in parts.netloc


def _visible(value: object) -> object:
    return value if isinstance(value, Markup) else _TRICKY.sub("\ufffd", str(value))


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("seawall.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
        auto_reload=False,
    )
    environment.filters |= {
        "size": size,
        "utc": utc,
        "short": short,
        "shortened": shortened,
        "who": who,
    }
    environment.tests |= {"https": is_https}
    environment.globals |= {
        "ago": ago,
        "asset": assets.url,
        "image_url": image_url,
        "trust_url": trust_url,
        "parameters": queries.without_empty,
        "Severity": views.Severity,
        "Outcome": views.Outcome,
    }
    return environment
