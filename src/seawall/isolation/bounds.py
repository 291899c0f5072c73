"""Limits and kernel settings that a container may ask for, each within bounds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from seawall.isolation.problem import Problem
from seawall.isolation.workload import Ulimit

PIDS_DEFAULT: Final = 2048
"""Tasks of one container when nothing was said: enough for a JVM, no fork bomb."""

PIDS_MAX: Final = 32768

UNLIMITED: Final = -1

ULIMITS: Final = {
    # name: (largest value, may be unlimited)
    "core": (2**40, True),
    "cpu": (2**31, True),
    "data": (2**50, True),
    "fsize": (2**50, True),
    "locks": (2**20, False),
    "memlock": (64 * 1024 * 1024, False),
    "msgqueue": (8 * 1024 * 1024, False),
    "nofile": (1_048_576, False),
    "nproc": (PIDS_MAX, False),
    "rss": (2**50, True),
    "sigpending": (2**18, False),
    "stack": (2**30, False),
}
"""`nice`, `rtprio` and `rttime` are left out: they take time from others."""

SYSCTLS: Final = frozenset(
    {
        # All live in the container's own network namespace.
        "net.core.somaxconn",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_max_syn_backlog",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_tw_reuse",
        "net.ipv6.conf.all.disable_ipv6",
        "net.ipv6.conf.default.disable_ipv6",
    }
)

_SYSCTL_VALUE: Final = re.compile(r"[0-9]{1,10}(?:[ \t][0-9]{1,10}){0,3}", re.ASCII)
_CPU_LIST: Final = re.compile(r"(?:[0-9]{1,5}(?:-[0-9]{1,5})?(?:,[0-9]{1,5}(?:-[0-9]{1,5})?)*)?")


def sysctl_problems(sysctls: dict[str, str]) -> Iterator[Problem]:
    """Judge HostConfig.Sysctls: a list of names, in the one spelling with dots."""
    for name, value in sysctls.items():
        if name not in SYSCTLS:
            yield Problem(f"kernel setting {name[:100]!r}", f"drop --sysctl {name[:60]}")
        elif _SYSCTL_VALUE.fullmatch(value) is None:
            yield Problem(f"value {value[:60]!r} of {name}", "give whole numbers")


def ulimit_problems(ulimits: tuple[Ulimit, ...]) -> Iterator[Problem]:
    """Judge HostConfig.Ulimits; a name may stand once."""
    seen: set[str] = set()
    for ulimit in ulimits:
        name, hard, soft = ulimit.name or "", ulimit.hard or 0, ulimit.soft or 0
        if name not in ULIMITS:
            yield Problem(f"limit {name[:40]!r}", f"drop --ulimit {name[:40]}")
            continue
        if name in seen:
            yield Problem(f"limit {name!r} twice", "give it once")
        seen.add(name)
        largest, may_be_unlimited = ULIMITS[name]
        least = UNLIMITED if may_be_unlimited else 0
        if not (least <= hard <= largest and least <= soft <= largest):
            yield Problem(f"limit {name}={soft}:{hard}", f"use {least} to {largest}")
        elif hard != UNLIMITED and not UNLIMITED < soft <= hard:
            yield Problem(f"limit {name}={soft}:{hard}", "the soft limit is above the hard one")


def pids_problems(pids: int) -> Iterator[Problem]:
    """Judge HostConfig.PidsLimit; 0 means "not said"."""
    if not 0 <= pids <= PIDS_MAX:
        yield Problem(f"pids limit {pids}", f"use --pids-limit up to {PIDS_MAX}")


def cpu_list_problems(text: str) -> Iterator[Problem]:
    """Judge CpusetCpus and CpusetMems."""
    if len(text) > 1024 or _CPU_LIST.fullmatch(text) is None:
        yield Problem(f"processor list {text[:60]!r}", "write it like 0-2,4")
