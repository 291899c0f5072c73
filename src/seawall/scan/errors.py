"""What can go wrong while judging images.

SeawallError
├── InvalidInputError
│   ├── BadRecordError     one record of a feed does not parse; the others go on
│   └── BadFeedError       a file is no feed at all
└── ConflictError
    ├── FeedShrunkError    an import would drop more than half of a feed
    ├── FeedOlderError     an edition that is carried is older than the one in use
    ├── FeedBusyError      another import of the same feed began meanwhile
    └── FeedsMovedError    the feeds changed between judging and storing
"""

from __future__ import annotations

from seawall.core.errors import ConflictError, InvalidInputError


class BadRecordError(InvalidInputError):
    """One record is not what OSV allows."""

    code = "bad-record"


class BadFeedError(InvalidInputError):
    """A file holds no valid record, or is not in a known format."""

    code = "bad-feed"


class FeedShrunkError(ConflictError):
    """A new edition of a feed has lost more than half of the records."""

    code = "feed-shrunk"


class FeedOlderError(ConflictError):
    """A signed edition was fetched before the one in use: somebody shows an old state again."""

    code = "feed-older"


class FeedBusyError(ConflictError):
    """A later import of the same feed took over."""

    code = "feed-busy"


class FeedsMovedError(ConflictError):
    """A report was judged by feeds that are no longer the current ones."""

    code = "feeds-moved"
