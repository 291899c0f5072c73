"""The registry's door: OCI distribution 1.1 on `/v2/`, and the token service.

It translates a protocol and decides nothing.

It refuses: names, digests and paths that do not follow the grammar byte for byte (the raw path
is matched, nothing is decoded or redirected), compressed requests.
"""

from seawall.distribution.door import routes

__all__ = ["routes"]
