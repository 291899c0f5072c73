"""What happened: the append-only, chained log; also the spine along which events travel.

A state change and its event share one transaction:

    with database.write() as connection:
        ...change...
        audit.record(connection, ManifestPushed(...), actor=actor, at=clock.now())
"""

from seawall.audit.log import (
    ChainBreak,
    Entry,
    Event,
    Filter,
    Head,
    body_of,
    head,
    read,
    record,
    record_all,
    verify,
)

__all__ = [
    "ChainBreak",
    "Entry",
    "Event",
    "Filter",
    "Head",
    "body_of",
    "head",
    "read",
    "record",
    "record_all",
    "verify",
]
