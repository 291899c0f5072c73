"""What we hold: repositories, tags, manifests, blobs, uploads and referrers.

The database alone knows what refers to what; the blob store is a dumb store of bytes by digest.
What was answered with success is durable, and whole: a manifest is taken only when everything it
names is here. It refuses to hand out anything that the repository does not link to.
"""

from seawall.registry.model import Referrer, StoredManifest, TaggedDigest, TaggedImage, Upload
from seawall.registry.service import Registry

__all__ = ["Referrer", "Registry", "StoredManifest", "TaggedDigest", "TaggedImage", "Upload"]
