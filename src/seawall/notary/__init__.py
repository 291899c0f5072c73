"""The door of content trust: the Notary v1 protocol, on the registry's own origin.

So stock clients need nothing but `DOCKER_CONTENT_TRUST=1`. It translates a protocol and decides
nothing.

It refuses: names, roles and paths that do not follow the grammar byte for byte (the raw path is
matched, nothing is decoded), uploads beyond their bounds, and whoever lacks the right.
"""

from seawall.notary.door import routes
from seawall.notary.files import shortcut

__all__ = ["routes", "shortcut"]
