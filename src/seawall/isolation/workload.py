"""`WorkloadSpec`: what somebody asks of the machine for one container.

The one model that is checked (`check`) and hardened (`harden`), whatever it was written in: today
the body of containers/create, later services, compose files and pods. Its vocabulary is the
engine's HostConfig, Engine API 1.40 to 1.56, because that is the complete list of powers.

A struct here refuses what it does not know: unknown keys, other spellings, other types, integers
that Go's type would not hold. `None` means "not said", exactly as `null` and absence do in Go.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, field

Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Int32: TypeAlias = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Uint: TypeAlias = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Uint16: TypeAlias = Annotated[int, Meta(ge=0, le=2**16 - 1)]
Uint64: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Strings: TypeAlias = tuple[str, ...]


class Strict(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename="pascal",
):
    """An object with a fixed set of keys, each in its exact spelling."""


class LogConfig(Strict, frozen=True):
    type: str | None = None
    config: dict[str, str] | None = None


class RestartPolicy(Strict, frozen=True):
    name: str | None = None
    maximum_retry_count: Int64 | None = None


class PortBinding(Strict, frozen=True):
    host_ip: str | None = None
    host_port: str | None = None


class WeightDevice(Strict, frozen=True):
    path: str | None = None
    weight: Uint16 | None = None


class ThrottleDevice(Strict, frozen=True):
    path: str | None = None
    rate: Uint64 | None = None


class Device(Strict, frozen=True):
    path_on_host: str | None = None
    path_in_container: str | None = None
    cgroup_permissions: str | None = None


class DeviceRequest(Strict, frozen=True):
    driver: str | None = None
    count: Int64 | None = None
    device_ids: Strings | None = field(default=None, name="DeviceIDs")
    capabilities: tuple[Strings, ...] | None = None
    options: dict[str, str] | None = None


class Ulimit(Strict, frozen=True):
    name: str | None = None
    hard: Int64 | None = None
    soft: Int64 | None = None


class BindOptions(Strict, frozen=True):
    propagation: str | None = None
    non_recursive: bool | None = None
    create_mountpoint: bool | None = None
    read_only_non_recursive: bool | None = None
    read_only_force_recursive: bool | None = None


class VolumeDriver(Strict, frozen=True):
    name: str | None = None
    options: dict[str, str] | None = None


class VolumeOptions(Strict, frozen=True):
    no_copy: bool | None = None
    labels: dict[str, str] | None = None
    subpath: str | None = None
    driver_config: VolumeDriver | None = None


class ImageOptions(Strict, frozen=True):
    subpath: str | None = None


class TmpfsOptions(Strict, frozen=True):
    size_bytes: Int64 | None = None
    mode: Uint | None = None
    options: tuple[Strings, ...] | None = None


class ClusterOptions(Strict, frozen=True):
    pass


class Mount(Strict, frozen=True):
    type: str | None = None
    source: str | None = None
    target: str | None = None
    read_only: bool | None = None
    consistency: str | None = None
    bind_options: BindOptions | None = None
    volume_options: VolumeOptions | None = None
    image_options: ImageOptions | None = None
    tmpfs_options: TmpfsOptions | None = None
    cluster_options: ClusterOptions | None = None


class WorkloadSpec(Strict, frozen=True):
    """Every power that a container can ask for. `harden` makes the one that is allowed."""

    # privilege
    privileged: bool | None = None
    cap_add: Strings | None = None
    cap_drop: Strings | None = None
    security_opt: Strings | None = None
    masked_paths: Strings | None = None
    readonly_paths: Strings | None = None
    group_add: Strings | None = None
    runtime: str | None = None
    isolation: str | None = None
    readonly_rootfs: bool | None = None
    # files
    binds: Strings | None = None
    mounts: tuple[Mount, ...] | None = None
    tmpfs: dict[str, str] | None = None
    volumes_from: Strings | None = None
    volume_driver: str | None = None
    storage_opt: dict[str, str] | None = None
    container_id_file: str | None = field(default=None, name="ContainerIDFile")
    # devices
    devices: tuple[Device, ...] | None = None
    device_requests: tuple[DeviceRequest, ...] | None = None
    device_cgroup_rules: Strings | None = None
    blkio_weight_device: tuple[WeightDevice, ...] | None = None
    blkio_device_read_bps: tuple[ThrottleDevice, ...] | None = None
    blkio_device_write_bps: tuple[ThrottleDevice, ...] | None = None
    blkio_device_read_iops: tuple[ThrottleDevice, ...] | None = field(
        default=None, name="BlkioDeviceReadIOps"
    )
    blkio_device_write_iops: tuple[ThrottleDevice, ...] | None = field(
        default=None, name="BlkioDeviceWriteIOps"
    )
    # namespaces
    network_mode: str | None = None
    pid_mode: str | None = None
    ipc_mode: str | None = None
    uts_mode: str | None = field(default=None, name="UTSMode")
    userns_mode: str | None = None
    cgroupns_mode: str | None = None
    cgroup: str | None = None
    cgroup_parent: str | None = None
    # kernel and limits
    sysctls: dict[str, str] | None = None
    ulimits: tuple[Ulimit, ...] | None = None
    oom_score_adj: Int64 | None = None
    oom_kill_disable: bool | None = None
    pids_limit: Int64 | None = None
    shm_size: Int64 | None = None
    memory: Int64 | None = None
    memory_reservation: Int64 | None = None
    memory_swap: Int64 | None = None
    memory_swappiness: Int64 | None = None
    kernel_memory: Int64 | None = None
    kernel_memory_tcp: Int64 | None = field(default=None, name="KernelMemoryTCP")
    nano_cpus: Int64 | None = None
    cpu_shares: Int64 | None = None
    cpu_period: Int64 | None = None
    cpu_quota: Int64 | None = None
    cpu_realtime_period: Int64 | None = None
    cpu_realtime_runtime: Int64 | None = None
    cpuset_cpus: str | None = None
    cpuset_mems: str | None = None
    blkio_weight: Uint16 | None = None
    cpu_count: Int64 | None = None
    cpu_percent: Int64 | None = None
    io_maximum_iops: Uint64 | None = field(default=None, name="IOMaximumIOps")
    io_maximum_bandwidth: Uint64 | None = field(default=None, name="IOMaximumBandwidth")
    # network
    port_bindings: dict[str, tuple[PortBinding, ...] | None] | None = None
    publish_all_ports: bool | None = None
    extra_hosts: Strings | None = None
    links: Strings | None = None
    dns: Strings | None = None
    dns_options: Strings | None = None
    dns_search: Strings | None = None
    # data leaving, behaviour
    log_config: LogConfig | None = None
    restart_policy: RestartPolicy | None = None
    auto_remove: bool | None = None
    init: bool | None = None
    console_size: tuple[Uint, Uint] | None = None
    annotations: dict[str, str] | None = None
