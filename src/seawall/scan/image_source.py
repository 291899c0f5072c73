"""An image that can be read, wherever it lies, and its layers."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from seawall.core import limits

if TYPE_CHECKING:
    from seawall.scan.model import Notice

CONFIG_MAX_BYTES: Final = 8 * limits.MIB
"""Of the config of an image."""


class LayerSource(msgspec.Struct, frozen=True, kw_only=True):
    """A layer that can be read. `open` gives the packed bytes from the start, any number of times;
    it raises NotFoundError when they are not here (foreign layers)."""

    digest: str
    media_type: str
    size: int
    open: Callable[[], BinaryIO]
    created_by: str = ""


class ImageSource(msgspec.Struct, frozen=True, kw_only=True):
    """An image that `inventory.take` can read. Close it, or use it in a `with`."""

    digest: str
    """Of the manifest; of the config for a docker archive, which has no manifest; of the listing
    for a directory."""
    name: str
    layers: tuple[LayerSource, ...]
    config: bytes | None
    """None where there is none, as for a directory."""
    close: Callable[[], None]
    is_addressed: bool = True
    """Whether the digests name the content; that of a listing does not."""
    notices: tuple[Notice, ...] = ()
    """What could not be had; it may be more once the layers were read."""

    def __enter__(self) -> ImageSource:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
