"""What a container may mount: named volumes and tmpfs, never a path of the host.

Docker has five ways to say "mount" (Binds, Mounts, Tmpfs, Volumes, VolumesFrom). All are read here
into one list and written in one form, so that no second way to the same power stays unseen. A
volume can itself hide a bind mount (local driver with options): who asks for one by name needs
`volume_problems` on what the engine says about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from seawall.core.reason import Reason
from seawall.isolation.problem import Problem
from seawall.isolation.workload import Mount, VolumeOptions, WorkloadSpec

_VOLUME_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}", re.ASCII)
_BIND_MODES: Final = frozenset({"", "rw", "ro", "nocopy"})
_TMPFS_FLAGS: Final = frozenset({"rw", "ro", "exec", "noexec", "nosuid", "nodev"})
_TMPFS_SETTING: Final = re.compile(
    r"(?:size=[0-9]{1,18}[kKmMgG]?|mode=[01]?[0-7]{3}|[ug]id=[0-9]{1,10}|nr_inodes=[0-9]{1,12}[kKmM]?)",
    re.ASCII,
)
_KERNEL_PATHS: Final = ("/proc", "/sys", "/dev")
_PATH_MAX: Final = 4096

NAMED_VOLUME: Final = "use a named volume, -v NAME:/path, or copy the files into the image"


def volume_names(spec: WorkloadSpec) -> tuple[str, ...]:
    """Return the named volumes of a spec that passed `check`, sorted."""
    names = {m.source for m in spec.mounts or () if m.type == "volume" and m.source}
    names |= {bind.partition(":")[0] for bind in spec.binds or ()}
    return tuple(sorted(names))


def volume_problems(
    name: str, driver: str, options: Mapping[str, str] | None
) -> tuple[Reason, ...]:
    """Judge an existing volume by what the engine's inspect says of it."""
    if driver == "local" and not options:
        return ()
    shown = f"the volume {name!r} has driver {driver!r} and options {dict(options or {})!r}"
    return (
        Reason(
            rule="host-settings/Volume",
            evidence=f"{shown[:300]}: it can show files of the host",
            remedy="use a volume made by `docker volume create` without --driver and --opt",
        ),
    )


def canonical_mounts(spec: WorkloadSpec) -> tuple[Mount, ...]:
    """Return the volumes of a checked spec in one form, `Mounts`, sorted by target."""
    mounts = [_from_bind(text) for text in spec.binds or ()]
    mounts += [
        Mount(
            type="volume",
            source=m.source or None,
            target=m.target,
            read_only=m.read_only or None,
            volume_options=_options(m.volume_options),
        )
        for m in spec.mounts or ()
        if m.type == "volume"
    ]
    return tuple(sorted(mounts, key=lambda m: m.target or ""))


def canonical_tmpfs(spec: WorkloadSpec) -> dict[str, str]:
    """Return the tmpfs mounts of a checked spec in one form: path to options."""
    result = dict(spec.tmpfs or {})
    for mount in spec.mounts or ():
        if mount.type == "tmpfs" and mount.target:
            settings = ["ro"] if mount.read_only else []
            options = mount.tmpfs_options
            if options and options.mode:
                settings.append(f"mode={options.mode:o}")
            if options and options.size_bytes:
                settings.append(f"size={options.size_bytes}")
            result[mount.target] = ",".join(settings)
    return result


def bind_problems(binds: tuple[str, ...]) -> Iterator[Problem]:
    """Judge HostConfig.Binds: `NAME:/path[:mode]` is a volume, everything else is refused."""
    for text in binds:
        source, _, rest = text.partition(":")
        target, _, modes = rest.partition(":")
        if _VOLUME_NAME.fullmatch(source) is None:
            yield _not_a_volume(source)
            continue
        for mode in modes.split(","):
            if mode not in _BIND_MODES:
                yield Problem(f"mount mode {mode!r} of {text!r}", "use rw, ro or nocopy")
        yield from target_problems(target)


def mount_problems(mounts: tuple[Mount, ...]) -> Iterator[Problem]:
    """Judge HostConfig.Mounts, every type with every nested option."""
    for mount in mounts:
        match mount.type:
            case "volume":
                yield from _volume_mount(mount)
            case "tmpfs":
                yield from _tmpfs_mount(mount)
            case "bind":
                yield Problem(f"the host's path {mount.source!r} would be mounted", NAMED_VOLUME)
                continue
            case _:
                yield Problem(f"mount type {mount.type!r}", "use type=volume or type=tmpfs")
                continue
        if mount.bind_options or mount.image_options or mount.cluster_options:
            yield Problem(
                f"a {mount.type} mount with the options of another type", "drop those options"
            )
        if mount.consistency not in {None, "", "default", "consistent", "cached", "delegated"}:
            yield Problem(f"consistency {mount.consistency!r}", "drop consistency=")
        yield from target_problems(mount.target or "")


def tmpfs_problems(tmpfs: dict[str, str]) -> Iterator[Problem]:
    """Judge HostConfig.Tmpfs."""
    for target, options in tmpfs.items():
        yield from target_problems(target)
        for option in options.split(",") if options else ():
            if option not in _TMPFS_FLAGS and _TMPFS_SETTING.fullmatch(option) is None:
                yield Problem(
                    f"tmpfs option {option!r} of {target!r}",
                    "use size=, mode=, uid=, gid=, nr_inodes=, ro, rw, exec, noexec, nosuid, nodev",
                )


def target_problems(target: str) -> Iterator[Problem]:
    """Judge where something is mounted: a plain absolute path outside the kernel's own."""
    parts = target.removesuffix("/").split("/")
    if len(target) > _PATH_MAX or parts[0] or len(parts) < 2 or {"", ".", ".."} & {*parts[1:]}:
        yield Problem(f"mount target {target[:200]!r}", "use a plain absolute path other than /")
    elif ":" in target or not target.isprintable():
        yield Problem(f"mount target {target[:200]!r}", "use a path of printable characters")
    elif f"/{parts[1]}" in _KERNEL_PATHS and parts[1:] != ["dev", "shm"]:
        yield Problem(f"mount target {target[:200]!r}", "mount outside of /proc, /sys and /dev")


def repeated_targets(spec: WorkloadSpec) -> Iterator[Problem]:
    """Two mounts on one path: which of them wins is the engine's affair, so refuse."""
    seen: set[str] = set()
    for target in _targets(spec):
        plain = target.removesuffix("/")
        if plain in seen:
            yield Problem(f"two mounts on {plain[:200]!r}", "keep one of them")
        seen.add(plain)


def _targets(spec: WorkloadSpec) -> Iterable[str]:
    yield from (text.partition(":")[2].partition(":")[0] for text in spec.binds or ())
    yield from (mount.target or "" for mount in spec.mounts or ())
    yield from spec.tmpfs or ()


def _volume_mount(mount: Mount) -> Iterator[Problem]:
    if mount.source and _VOLUME_NAME.fullmatch(mount.source) is None:
        yield _not_a_volume(mount.source)
    if mount.tmpfs_options:
        yield Problem("a volume mount with tmpfs options", "drop those options")
    options = mount.volume_options or VolumeOptions()
    driver = options.driver_config
    if driver and (driver.name not in {None, "", "local"} or driver.options):
        yield Problem(
            f"volume driver {driver.name or 'local'!r} with options {dict(driver.options or {})!r}",
            "drop volume-driver= and volume-opt=",
        )
    if options.subpath:
        # Engines before 26 do not know it and would silently mount the whole volume.
        yield Problem(f"volume sub-path {options.subpath[:200]!r}", "drop volume-subpath=")
    if options.labels:
        yield Problem("labels on a volume made in passing", "use docker volume create --label")


def _not_a_volume(source: str) -> Problem:
    if "/" not in source and not source.startswith((".", "~")):
        return Problem(f"volume name {source[:200]!r}", "use two or more of A-Z a-z 0-9 _ . -")
    return Problem(f"the host's path {source[:200]!r} would be mounted", NAMED_VOLUME)


def _tmpfs_mount(mount: Mount) -> Iterator[Problem]:
    options = mount.tmpfs_options
    if mount.source:
        yield Problem("a tmpfs mount with a source", "drop source=")
    if mount.volume_options:
        yield Problem("a tmpfs mount with volume options", "drop those options")
    if options and options.options:
        yield Problem("free tmpfs options in Mounts", "use --tmpfs PATH:OPTIONS")
    if options and (options.size_bytes or 0) < 0:
        yield Problem(f"tmpfs-size {options.size_bytes}", "give a positive size")
    if options and (options.mode or 0) > 0o1777:
        yield Problem(f"tmpfs-mode {options.mode:o}", "use a mode up to 1777")


def _from_bind(text: str) -> Mount:
    name, _, rest = text.partition(":")
    target, _, modes = rest.partition(":")
    said = modes.split(",")
    return Mount(
        type="volume",
        source=name,
        target=target,
        read_only=True if "ro" in said else None,
        volume_options=VolumeOptions(no_copy=True) if "nocopy" in said else None,
    )


def _options(options: VolumeOptions | None) -> VolumeOptions | None:
    return VolumeOptions(no_copy=True) if options and options.no_copy else None
