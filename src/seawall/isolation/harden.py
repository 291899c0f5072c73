"""Make the spec that runs: only what was allowed, with the confinement that nobody asked for.

The result is built from nothing, field by field. A power that is never given has no line here, so
it cannot be carried over even if a rule of `check` were wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seawall.isolation import bounds, capabilities, files
from seawall.isolation.seccomp import Profile
from seawall.isolation.workload import WorkloadSpec

NO_NEW_PRIVILEGES: Final = "no-new-privileges"
CARRIED: Final = (
    "readonly_rootfs", "group_add", "network_mode", "sysctls", "ulimits",
    "oom_score_adj", "shm_size", "memory", "memory_reservation", "memory_swap", "nano_cpus",
    "cpu_shares", "cpu_period", "cpu_quota", "cpuset_cpus", "cpuset_mems", "blkio_weight",
    "port_bindings", "publish_all_ports", "extra_hosts", "dns", "dns_options", "dns_search",
    "log_config", "restart_policy", "auto_remove", "init", "console_size",
)  # fmt: skip
"""Fields that `check` bounds and that are handed on as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardened:
    """The spec to run, and in plain words what was added to it."""

    spec: WorkloadSpec
    capabilities: tuple[str, ...]
    profile: Profile
    warnings: tuple[str, ...]


def harden(asked: WorkloadSpec, *, profile: Profile) -> Hardened:
    """Confine `asked`, which must have passed `check`."""
    granted = capabilities.granted(asked.cap_add or (), asked.cap_drop or ())
    apparmor = tuple(
        option.replace(":", "=", 1)
        for option in asked.security_opt or ()
        if option.startswith("apparmor")
    )
    pids = asked.pids_limit or bounds.PIDS_DEFAULT
    spec = WorkloadSpec(
        **{name: getattr(asked, name) for name in CARRIED},
        cap_drop=(capabilities.ALL,),
        cap_add=granted,
        security_opt=(NO_NEW_PRIVILEGES, f"seccomp={profile.json}", *apparmor[:1]),
        pids_limit=pids,
        cgroupns_mode="private",
        ipc_mode=asked.ipc_mode or "private",  # not the daemon's default, which may be "shareable"
        mounts=files.canonical_mounts(asked) or None,
        tmpfs=files.canonical_tmpfs(asked) or None,
        memory_swappiness=asked.memory_swappiness if asked.memory_swappiness != -1 else None,
    )
    return Hardened(
        spec=spec,
        capabilities=granted,
        profile=profile,
        warnings=(_announcement(granted, pids, profile),),
    )


def _announcement(granted: tuple[str, ...], pids: int, profile: Profile) -> str:
    """Say in one line what was added: clients print it above every run."""
    names = " ".join(name.removeprefix("CAP_") for name in granted) or "none"
    return (
        f"Seawall: confined by no-new-privileges, seccomp profile {profile.name}, "
        f"at most {pids} tasks, capabilities: {names}"
    )
