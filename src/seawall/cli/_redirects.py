"""Where a redirect of a registry may lead.

A public server must not make this machine talk to places that only this machine reaches: the
metadata service of a cloud, the router next door (CWE-918). A registry inside a private network may
lead to a storage beside it: it is no nearer to us than that.
"""

from __future__ import annotations

import urllib.parse

from seawall.core.errors import SeawallError
from seawall.net import addresses
from seawall.net.addresses import Resolve

_PORTS = {"http": 80, "https": 443}


def leads_inside(origin: str, url: str, *, resolver: Resolve = addresses.resolve) -> bool:
    """Tell whether `url` leads from a server on the public network to one that is not on it.

    A name that does not resolve leads nowhere: connecting will say so.
    """
    before, after = (urllib.parse.urlsplit(one) for one in (origin, url))
    if before.hostname == after.hostname:
        return False
    return _is_public(before, resolver) and not _is_public(after, resolver)


def _is_public(parts: urllib.parse.SplitResult, resolver: Resolve) -> bool:
    try:
        port = parts.port or _PORTS.get(parts.scheme, 0)
        found = resolver(parts.hostname or "", port)
    except (SeawallError, ValueError):
        return True
    return all(one.is_global and not one.is_multicast for one in map(addresses.plain, found))
