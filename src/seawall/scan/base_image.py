"""Which of an image's layers came with the image that it was built upon.

The history is the image's own claim, and all there is to tell by: `FROM` leaves no entry. A base
nearly always ends with a CMD, and what is built upon it begins with a layer after that. Where no
CMD tells, the lowest layer alone counts as the base's. What the base is called stands in the labels
that builders set (OCI image-spec annotations.md, `org.opencontainers.image.base.*`).
"""

from __future__ import annotations

from typing import Final

from seawall.core import strictjson
from seawall.core.errors import SeawallError
from seawall.oci.digest import Digest
from seawall.scan import instructions, inventory_config
from seawall.scan.image_source import CONFIG_MAX_BYTES
from seawall.scan.model import BaseEvidence, BaseImage

NAME: Final = "org.opencontainers.image.base.name"
DIGEST: Final = "org.opencontainers.image.base.digest"
NAME_MAX_CHARS: Final = 255


def of_config(config: bytes | None, layers: int) -> BaseImage | None:
    """Return what the config of an image of so many layers tells; None without layers."""
    if not layers:
        return None
    told = _by_history(config, layers)
    name, digest = _labels(config)
    return BaseImage(
        layers=told or 1,
        evidence=BaseEvidence.HISTORY if told else BaseEvidence.LOWEST_LAYER,
        name=name,
        digest=digest,
    )


def _by_history(config: bytes | None, layers: int) -> int:
    """Return the layers below the last CMD that another layer follows; 0 when there is none."""
    told = instructions.of_history(config, max_bytes=CONFIG_MAX_BYTES)
    made = [one for one in told if one.layer_index >= 0]
    if len(made) != layers:
        return 0
    below = ends = 0
    for one in told:
        if one.layer_index >= 0:
            below += 1
        elif one.keyword == "CMD" and below < layers:
            ends = below
    return ends


def _labels(config: bytes | None) -> tuple[str, str]:
    try:
        document = strictjson.decode_object(config or b"{}", max_bytes=CONFIG_MAX_BYTES)
    except SeawallError:
        return "", ""
    inner = document.get("config")
    labels = inner.get("Labels") if isinstance(inner, dict) else None
    if not isinstance(labels, dict):
        return "", ""
    name, digest = labels.get(NAME), labels.get(DIGEST)
    told = inventory_config.one_line(name)[:NAME_MAX_CHARS] if isinstance(name, str) else ""
    return told, _digest(digest) if isinstance(digest, str) else ""


def _digest(text: str) -> str:
    try:
        return str(Digest.parse(text))
    except SeawallError:
        return ""
