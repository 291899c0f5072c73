"""The one checker of host settings: every power that a container can ask for, decided.

`RULES` names each field of `WorkloadSpec` once; a test holds it complete, so a new field cannot
slip in undecided. A value that no rule knows is refused. Nothing here asks anybody: the answer
follows from the spec alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

import msgspec

from seawall.core.reason import Reason
from seawall.isolation import bounds, capabilities, files, network, problem
from seawall.isolation.problem import Problem
from seawall.isolation.workload import LogConfig, RestartPolicy, WorkloadSpec

# A rule is given the value of its own field, whose type the struct has checked already.
Rule: TypeAlias = Callable[[Any], Iterable[Problem]]

LOG_DRIVERS: Final = frozenset({"", "json-file", "local", "none"})
LOG_OPTIONS: Final = frozenset(
    {"max-size", "max-file", "compress", "mode", "max-buffer-size"}
    | {"labels", "labels-regex", "env", "env-regex", "tag"}
)
SECURITY_OPTIONS: Final = frozenset(
    {
        "no-new-privileges",
        "no-new-privileges:true",
        "no-new-privileges=true",
        "apparmor=docker-default",
        "apparmor:docker-default",
    }
)
RESTART: Final = frozenset({"", "no", "always", "unless-stopped", "on-failure"})
GROUPS_REFUSED: Final = frozenset(
    {"root", "adm", "disk", "docker", "kmem", "kvm", "lxd", "mem", "shadow", "sudo", "wheel"}
)

_GROUP: Final = re.compile(r"(?:[1-9][0-9]{0,8}|[a-z_][a-z0-9_-]{0,31})", re.ASCII)


def check(spec: WorkloadSpec) -> tuple[Reason, ...]:
    """Return why `spec` may not run, at most `problem.REASONS_MAX_COUNT` reasons.

    Empty when it may run, after `harden`.
    """
    return problem.first(_reasons(spec))


def _reasons(spec: WorkloadSpec) -> Iterator[Reason]:
    for name, rule in RULES.items():
        if (value := getattr(spec, name)) is not None:
            for found in rule(value):
                yield found.under(f"host-settings/{_ENGINE_NAMES[name]}")
    for found in files.repeated_targets(spec):
        yield found.under("host-settings/Mounts")


def _unset(flag: str, why: str) -> Rule:
    """A power that is never given: the zero value only."""

    def rule(value: object) -> Iterator[Problem]:
        if value not in (False, 0, "", (), {}):
            yield Problem(f"{why}: {_shown(value)}", f"drop {flag}")

    return rule


def _absent(flag: str, why: str) -> Rule:
    """A power that an *empty* value gives as well."""

    def rule(value: object) -> Iterator[Problem]:
        yield Problem(f"{why}: {_shown(value)}", f"drop {flag}")

    return rule


def _one_of(allowed: Iterable[str], flag: str) -> Rule:
    known = frozenset(allowed)

    def rule(value: str) -> Iterator[Problem]:
        if value not in known:
            choice = ", ".join(sorted(filter(None, known)))
            yield Problem(f"{flag} {value[:200]!r}", f"use {choice}" if choice else f"drop {flag}")

    return rule


def _between(least: int, most: int, flag: str) -> Rule:
    def rule(value: int) -> Iterator[Problem]:
        if not least <= value <= most:
            yield Problem(f"{flag} {value}", f"use a value from {least} to {most}")

    return rule


def _free(_value: object) -> Iterable[Problem]:
    """A setting that gives no power over anything but the container itself."""
    return ()


def _cap_add(names: tuple[str, ...]) -> Iterator[Problem]:
    for name in names:
        if (known := capabilities.canonical(name)) not in capabilities.ALLOWED:
            yield Problem(
                f"capability {known or name[:60]!r}",
                f"drop --cap-add {name[:60]}; at most: "
                + " ".join(sorted(c.removeprefix("CAP_") for c in capabilities.ALLOWED)),
            )


def _cap_drop(names: tuple[str, ...]) -> Iterator[Problem]:
    for name in names:
        if capabilities.canonical(name) is None:
            yield Problem(f"unknown capability {name[:60]!r}", f"drop --cap-drop {name[:60]}")


def _security_opt(options: tuple[str, ...]) -> Iterator[Problem]:
    for option in options:
        if option not in SECURITY_OPTIONS:
            yield Problem(
                f"security option {option[:80]!r} would replace the confinement",
                f"drop --security-opt {option[:40]}",
            )


def _group_add(groups: tuple[str, ...]) -> Iterator[Problem]:
    for group in groups:
        if group in GROUPS_REFUSED or _GROUP.fullmatch(group) is None:
            yield Problem(f"group {group[:40]!r}", f"drop --group-add {group[:40]}")


def _swappiness(value: int) -> Iterator[Problem]:
    if not -1 <= value <= 100:
        yield Problem(f"memory swappiness {value}", "use --memory-swappiness 0 to 100")


def _log_config(config: LogConfig) -> Iterator[Problem]:
    if (config.type or "") not in LOG_DRIVERS:
        yield Problem(
            f"log driver {(config.type or '')[:60]!r} sends data away",
            "use --log-driver json-file, local or none",
        )
    for option in sorted(set(config.config or ()) - LOG_OPTIONS):
        yield Problem(f"log option {option[:60]!r}", f"drop --log-opt {option[:40]}")


def _restart_policy(policy: RestartPolicy) -> Iterator[Problem]:
    yield from _one_of(RESTART, "--restart")(policy.name or "")
    if (policy.maximum_retry_count or 0) < 0:
        yield Problem("a negative count of restarts", "use --restart on-failure:N")


def _shown(value: object) -> str:
    if isinstance(value, str):
        return repr(value[:200])
    plain = msgspec.to_builtins(value, builtin_types=())
    return msgspec.json.encode(plain).decode()[:200]


_DEVICES: Final = "a device of the host"
_HUGE: Final = 2**62
_WINDOWS: Final = "a setting of another operating system"

RULES: Final[dict[str, Rule]] = {
    # privilege
    "privileged": _unset("--privileged", "all powers over the host"),
    "cap_add": _cap_add,
    "cap_drop": _cap_drop,
    "security_opt": _security_opt,
    "masked_paths": _absent("--security-opt systempaths=", "the kernel's paths laid open"),
    "readonly_paths": _absent("--security-opt systempaths=", "the kernel's paths writable"),
    "group_add": _group_add,
    "runtime": _unset("--runtime", "another runtime"),
    "isolation": _one_of({"", "default"}, "--isolation"),
    "readonly_rootfs": _free,
    # files
    "binds": files.bind_problems,
    "mounts": files.mount_problems,
    "tmpfs": files.tmpfs_problems,
    "volumes_from": _unset("--volumes-from", "the files of other containers"),
    "volume_driver": _one_of({"", "local"}, "--volume-driver"),
    "storage_opt": _unset("--storage-opt", "options of the storage driver"),
    "container_id_file": _free,  # written by the client; never handed on
    # devices
    "devices": _unset("--device", _DEVICES),
    "device_requests": _unset("--gpus and --device", _DEVICES),
    "device_cgroup_rules": _unset("--device-cgroup-rule", _DEVICES),
    "blkio_weight_device": _unset("--blkio-weight-device", _DEVICES),
    "blkio_device_read_bps": _unset("--device-read-bps", _DEVICES),
    "blkio_device_write_bps": _unset("--device-write-bps", _DEVICES),
    "blkio_device_read_iops": _unset("--device-read-iops", _DEVICES),
    "blkio_device_write_iops": _unset("--device-write-iops", _DEVICES),
    # namespaces
    "network_mode": network.network_problems,
    "pid_mode": _one_of({""}, "--pid"),
    "ipc_mode": _one_of({"", "none", "private", "shareable"}, "--ipc"),
    "uts_mode": _one_of({""}, "--uts"),
    "userns_mode": _one_of({""}, "--userns"),
    "cgroupns_mode": _one_of({"", "private"}, "--cgroupns"),
    "cgroup": _unset("Cgroup", "another container's cgroup"),
    "cgroup_parent": _unset("--cgroup-parent", "a place in the host's cgroups"),
    # kernel and limits
    "sysctls": bounds.sysctl_problems,
    "ulimits": bounds.ulimit_problems,
    "oom_score_adj": _between(0, 1000, "--oom-score-adj"),
    "oom_kill_disable": _unset("--oom-kill-disable", "memory is taken from others"),
    "pids_limit": bounds.pids_problems,
    "shm_size": _between(0, _HUGE, "--shm-size"),
    "memory": _between(0, _HUGE, "--memory"),
    "memory_reservation": _between(0, _HUGE, "--memory-reservation"),
    "memory_swap": _between(-1, _HUGE, "--memory-swap"),
    "memory_swappiness": _swappiness,
    "kernel_memory": _unset("--kernel-memory", "a limit that kernels no longer keep"),
    "kernel_memory_tcp": _unset("KernelMemoryTCP", "a limit that kernels no longer keep"),
    "nano_cpus": _between(0, _HUGE, "--cpus"),
    "cpu_shares": _between(0, 262_144, "--cpu-shares"),
    "cpu_period": _between(0, 1_000_000, "--cpu-period"),
    "cpu_quota": _between(-1, _HUGE, "--cpu-quota"),
    "cpu_realtime_period": _unset("--cpu-rt-period", "real-time scheduling starves others"),
    "cpu_realtime_runtime": _unset("--cpu-rt-runtime", "real-time scheduling starves others"),
    "cpuset_cpus": bounds.cpu_list_problems,
    "cpuset_mems": bounds.cpu_list_problems,
    "blkio_weight": _between(0, 1000, "--blkio-weight"),
    "cpu_count": _unset("--cpu-count", _WINDOWS),
    "cpu_percent": _unset("--cpu-percent", _WINDOWS),
    "io_maximum_iops": _unset("--io-maxiops", _WINDOWS),
    "io_maximum_bandwidth": _unset("--io-maxbandwidth", _WINDOWS),
    # network
    "port_bindings": network.port_problems,
    "publish_all_ports": _free,
    "extra_hosts": network.extra_host_problems,
    "links": _unset("--link", "the addresses and environment of other containers"),
    "dns": network.dns_problems,
    "dns_options": network.dns_option_problems,
    "dns_search": network.dns_search_problems,
    # data leaving, behaviour
    "log_config": _log_config,
    "restart_policy": _restart_policy,
    "auto_remove": _free,
    "init": _free,
    "console_size": _free,
    "annotations": _unset("--annotation", "instructions to the runtime"),
}

_ENGINE_NAMES: Final = {f.name: f.encode_name for f in msgspec.structs.fields(WorkloadSpec)}
