"""Which capabilities a container holds: a small set by default, a few more when asked, no others.

Docker's default are fourteen. Left out of ours: NET_RAW (forging packets on the bridge; `ping`
works without), MKNOD, AUDIT_WRITE, SETFCAP, SETPCAP, SYS_CHROOT. The last four may be asked for:
they give power over the container's own processes only.
"""

from __future__ import annotations

import re
from typing import Final

DEFAULT: Final = frozenset(
    {
        "CAP_CHOWN",  # entry points hand their data directory to the service's user
        "CAP_DAC_OVERRIDE",  # … and write into it before they step down
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_KILL",  # an init process signals children of other users
        "CAP_NET_BIND_SERVICE",
        "CAP_SETGID",  # stepping down from root
        "CAP_SETUID",
    }
)

ON_REQUEST: Final = frozenset({"CAP_AUDIT_WRITE", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_SYS_CHROOT"})

ALLOWED: Final = DEFAULT | ON_REQUEST

_IN_ORDER: Final = """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
    NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO
    SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME
    SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG
    WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
"""

NUMBERS: Final = {f"CAP_{word}": number for number, word in enumerate(_IN_ORDER.split())}
"""capability.h's bit numbers: all that Linux knows."""

ALL: Final = "ALL"

_NAME: Final = re.compile(r"[A-Za-z_]+", re.ASCII)


def canonical(text: str) -> str | None:
    """Return `CAP_…` or `ALL` for a name in any of Docker's spellings, None for anything else.

    ASCII only: Go's upper-casing would make `ſys_admin` SYS_ADMIN.
    """
    if _NAME.fullmatch(text) is None:
        return None
    name = text.upper()
    if name == ALL:
        return name
    name = name if name.startswith("CAP_") else f"CAP_{name}"
    return name if name in NUMBERS else None


def granted(add: tuple[str, ...], drop: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the container gets, sorted. Both arguments must have passed `check`."""
    dropping = {canonical(name) for name in drop}
    kept = set() if ALL in dropping else DEFAULT - dropping
    adding = {name for text in add if (name := canonical(text)) in ALLOWED and name}
    return tuple(sorted(kept | adding))


def mask(names: tuple[str, ...]) -> int:
    """Return the bits of `names` as /proc/PID/status shows them."""
    return sum(1 << NUMBERS[name] for name in names)
