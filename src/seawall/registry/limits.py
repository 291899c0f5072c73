"""The room's own bounds."""

from __future__ import annotations

import datetime as dt
from typing import Final

from seawall.core.limits import GIB

BLOB_MAX_BYTES: Final = 64 * GIB
"""A larger layer is refused with 413."""

UPLOADS_MAX_OPEN: Final = 1_000
"""Uploads that one actor may have open at once."""

UPLOAD_LIFETIME: Final = dt.timedelta(hours=24)
"""An upload that received nothing for so long is dropped."""

TAGS_MAX_PER_PUSH: Final = 100

PAGE: Final = 1_000
"""Entries of a listing when nobody says how many; also the most that one page holds."""

INDEX_MAX_DEPTH: Final = 8
"""How deep an index is followed when its content is looked for."""
