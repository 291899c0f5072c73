"""Bounds of the pages, each with its unit."""

from __future__ import annotations

from typing import Final

IMAGES_PER_PAGE: Final = 25
"""Each of them is judged anew when the page is shown."""
PACKAGES_PER_PAGE: Final = 25
FINDINGS_PER_GROUP: Final = 10
"""Rows of one severity while all severities are shown."""
FINDINGS_PER_PAGE: Final = 100
"""Rows when one severity is chosen."""
CHANGES_SHOWN: Final = 25
"""Changes of packages that an image's page advises."""
CLEARED_SHOWN: Final = 4
"""Ids that one of them names."""
WEAKNESSES_SHOWN: Final = 50
UNEXPLAINED_SHOWN: Final = 50
ANSWERS_SHOWN: Final = 50
ENDINGS_SHOWN: Final = 20
"""Products without support that are named."""
HISTORY_POINTS: Final = 60
"""Reports that the trend of an image shows."""
DIFFERENCES_SHOWN: Final = 100
"""Rows of each kind in a comparison."""
TREND_DAYS: Final = 90
"""Days that the page of trends goes back."""
TREND_REPOSITORIES: Final = 50
HOLDERS_PER_PAGE: Final = 25
"""Images that the page of one hole names; who answers is looked for in the report of each."""
LAYERS_MAX: Final = 100_000
ECOSYSTEMS_SHOWN: Final = 12
REFUSED_ROWS: Final = 20
CONTAINER_ROWS: Final = 200
EVENT_ROWS: Final = 12
AUDIT_PER_PAGE: Final = 100

QUERY_MAX_CHARACTERS: Final = 200
PAGE_MAX: Final = 1_000_000
SEQ_MAX: Final = 2**63 - 1
"""The largest number of an entry that a database can hold."""
FORM_MAX_BYTES: Final = 8 * 1024
NAME_MAX_CHARACTERS: Final = 64
PASSWORD_MAX_CHARACTERS: Final = 1024
