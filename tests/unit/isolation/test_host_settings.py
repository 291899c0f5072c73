import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.isolation import bounds, capabilities, files, seccomp
from seawall.isolation.check import RULES, check
from seawall.isolation.harden import CARRIED, harden
from seawall.isolation.workload import WorkloadSpec

PROFILE = seccomp.default_profile()


def spec(**engine_fields) -> WorkloadSpec:
    return msgspec.convert(engine_fields, type=WorkloadSpec, strict=True)


def rules(**engine_fields) -> set[str]:
    return {reason.rule.removeprefix("host-settings/") for reason in check(spec(**engine_fields))}


def test_every_field_is_decided():
    assert {field.name for field in msgspec.structs.fields(WorkloadSpec)} == set(RULES)


def test_nothing_asked_is_nothing_refused():
    assert () == check(WorkloadSpec())


REFUSED = [
    ("Privileged", True),
    ("CapAdd", ["SYS_ADMIN"]),
    ("CapAdd", ["ALL"]),
    ("CapAdd", ["cap_net_raw"]),
    ("CapAdd", ["ſYS_CHROOT"]),
    ("CapAdd", ["NO_SUCH"]),
    ("CapDrop", ["NO_SUCH"]),
    ("SecurityOpt", ["seccomp=unconfined"]),
    ("SecurityOpt", ["seccomp:unconfined"]),
    ("SecurityOpt", ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}']),
    ("SecurityOpt", ["apparmor=unconfined"]),
    ("SecurityOpt", ["label=disable"]),
    ("SecurityOpt", ["label:type:container_runtime_t"]),
    ("SecurityOpt", ["no-new-privileges=false"]),
    ("SecurityOpt", ["no-new-privileges:false"]),
    ("SecurityOpt", ["systempaths=unconfined"]),
    ("SecurityOpt", ["writable-cgroups=true"]),
    ("SecurityOpt", [""]),
    ("MaskedPaths", []),
    ("MaskedPaths", ["/proc/kcore"]),
    ("ReadonlyPaths", []),
    ("GroupAdd", ["0"]),
    ("GroupAdd", ["docker"]),
    ("GroupAdd", ["root"]),
    ("GroupAdd", ["00"]),
    ("Runtime", "runc"),
    ("Isolation", "hyperv"),
    ("Binds", ["/:/host"]),
    ("Binds", ["/etc:/etc:ro"]),
    ("Binds", ["./x:/x"]),
    ("Binds", ["/data"]),
    ("Binds", ["vol:/data:z"]),
    ("Binds", ["vol:/data:rshared"]),
    ("Binds", ["vol:/data:ro:x"]),
    ("Binds", ["vol:/proc"]),
    ("Binds", ["vol:/a/../proc"]),
    ("Binds", ["vol:relative"]),
    ("Binds", ["vol:/"]),
    ("Binds", [""]),
    ("Mounts", [{"Type": "bind", "Source": "/", "Target": "/host"}]),
    ("Mounts", [{"Source": "/", "Target": "/host"}]),
    ("Mounts", [{"Type": "Volume", "Source": "vol", "Target": "/v"}]),
    ("Mounts", [{"Type": "volume", "Source": "/etc", "Target": "/v"}]),
    ("Mounts", [{"Type": "npipe", "Source": "x", "Target": "/v"}]),
    ("Mounts", [{"Type": "image", "Source": "other", "Target": "/v"}]),
    ("Mounts", [{"Type": "cluster", "Source": "other", "Target": "/v"}]),
    ("Mounts", [{"Type": "volume", "Target": "/sys/x"}]),
    ("Mounts", [{"Type": "volume", "Target": "/v", "BindOptions": {"Propagation": "rshared"}}]),
    (
        "Mounts",
        [
            {
                "Type": "volume",
                "Target": "/v",
                "VolumeOptions": {
                    "DriverConfig": {"Name": "local", "Options": {"o": "bind", "device": "/etc"}}
                },
            }
        ],
    ),
    (
        "Mounts",
        [{"Type": "volume", "Target": "/v", "VolumeOptions": {"DriverConfig": {"Name": "x"}}}],
    ),
    ("Mounts", [{"Type": "volume", "Target": "/v", "VolumeOptions": {"Subpath": "../.."}}]),
    ("Mounts", [{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"Options": [["suid"]]}}]),
    ("Mounts", [{"Type": "tmpfs", "Source": "/etc", "Target": "/t"}]),
    ("Mounts", [{"Type": "volume", "Target": "/v"}, {"Type": "tmpfs", "Target": "/v/"}]),
    ("Tmpfs", {"/t": "suid"}),
    ("Tmpfs", {"/t": "dev"}),
    ("Tmpfs", {"/proc/sys": ""}),
    ("VolumesFrom", ["other"]),
    ("VolumeDriver", "nfs"),
    ("StorageOpt", {"size": "1G"}),
    ("Devices", [{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/sda"}]),
    ("Devices", [{}]),
    ("DeviceRequests", [{"Count": -1}]),
    ("DeviceCgroupRules", ["a *:* rwm"]),
    ("BlkioDeviceReadBps", [{"Path": "/dev/sda", "Rate": 1}]),
    ("NetworkMode", "host"),
    ("NetworkMode", "Host"),
    ("NetworkMode", "container:x"),
    ("NetworkMode", "ns:/proc/1/ns/net"),
    ("PidMode", "host"),
    ("PidMode", "container:x"),
    ("IpcMode", "host"),
    ("IpcMode", "container:x"),
    ("UTSMode", "host"),
    ("UsernsMode", "host"),
    ("CgroupnsMode", "host"),
    ("Cgroup", "container:x"),
    ("CgroupParent", "/"),
    ("Sysctls", {"kernel.core_pattern": "|/x"}),
    ("Sysctls", {"net/core/somaxconn": "1"}),
    ("Sysctls", {"net.core.somaxconn": "1\nx"}),
    ("Ulimits", [{"Name": "nofile", "Hard": -1, "Soft": -1}]),
    ("Ulimits", [{"Name": "rtprio", "Hard": 1, "Soft": 1}]),
    ("Ulimits", [{"Name": "nofile", "Hard": 1, "Soft": 2}]),
    ("OomScoreAdj", -1),
    ("OomKillDisable", True),
    ("PidsLimit", -1),
    ("PidsLimit", 10**6),
    ("MemorySwappiness", 101),
    ("Memory", -1),
    ("KernelMemory", 1),
    ("CpuRealtimeRuntime", 1),
    ("CpusetCpus", "0;1"),
    ("IOMaximumIOps", 1),
    ("PortBindings", {"22/tcp": [{"HostPort": "22"}]}),
    ("PortBindings", {"80/tcp": [{"HostPort": "70-90"}]}),
    ("PortBindings", {"80/tcp": [{"HostPort": "65536"}]}),
    ("PortBindings", {"80/tcp": [{"HostPort": "0-100"}]}),
    ("PortBindings", {"80/tcp": [{"HostPort": "0022"}]}),
    ("PortBindings", {"80/tcp": [{"HostPort": "443-80"}]}),
    ("PortBindings", {"80/tcp": [{"HostIp": "fe80::1%eth0", "HostPort": "8080"}]}),
    ("PortBindings", {"80": [{"HostPort": "8080"}]}),
    ("PortBindings", {"0/tcp": []}),
    ("ExtraHosts", ["gate:host-gateway"]),
    ("ExtraHosts", ["a b:1.2.3.4"]),
    ("Links", ["db:db"]),
    ("Dns", ["resolver"]),
    ("DnsSearch", ["a b"]),
    ("DnsOptions", ["x\noption"]),
    ("LogConfig", {"Type": "syslog", "Config": {"syslog-address": "tcp://1.2.3.4"}}),
    ("LogConfig", {"Type": "json-file", "Config": {"path": "/etc/x"}}),
    ("RestartPolicy", {"Name": "sometimes"}),
    ("Annotations", {"run.oci.keep_original_groups": "1"}),
]


@pytest.mark.parametrize(("field", "value"), REFUSED, ids=lambda value: json.dumps(value)[:60])
def test_refuses_a_power_and_says_which(field, value):
    assert {field} == rules(**{field: value})


def test_every_reason_shows_the_value_and_what_to_drop():
    (reason,) = check(spec(NetworkMode="container:db"))
    assert "container:db" in reason.evidence
    (reason,) = check(spec(Privileged=True))
    assert "drop --privileged" == reason.remedy


ALLOWED = [
    ("CapAdd", ["chown", "CAP_SYS_CHROOT"]),
    ("CapDrop", ["all", "NET_RAW"]),
    ("SecurityOpt", ["no-new-privileges"]),
    ("SecurityOpt", ["no-new-privileges=true", "apparmor=docker-default"]),
    ("GroupAdd", ["5", "audio"]),
    ("Binds", ["vol:/data", "other:/dev/shm:ro,nocopy"]),
    ("Mounts", [{"Type": "volume", "Target": "/v", "VolumeOptions": {"NoCopy": True}}]),
    ("Mounts", [{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 9, "Mode": 511}}]),
    ("Tmpfs", {"/run": "size=64m,mode=1777,uid=5,exec"}),
    ("NetworkMode", "front"),
    ("IpcMode", "private"),
    ("Sysctls", {"net.ipv4.ping_group_range": "0 2147483647"}),
    ("Ulimits", [{"Name": "nofile", "Hard": 20, "Soft": 10}, {"Name": "core", "Hard": -1}]),
    ("PidsLimit", 100),
    ("MemorySwappiness", -1),
    ("PortBindings", {"80/tcp": [{"HostPort": "80"}, {"HostIp": "::1", "HostPort": "8000-8010"}]}),
    ("PortBindings", {"80/tcp": None, "53/udp": [], "81/tcp": [{"HostPort": "0"}]}),
    ("ExtraHosts", ["db:10.0.0.1", "six:::1"]),
    ("LogConfig", {"Type": "json-file", "Config": {"max-size": "1m"}}),
    ("RestartPolicy", {"Name": "on-failure", "MaximumRetryCount": 3}),
]


@pytest.mark.parametrize(("field", "value"), ALLOWED, ids=lambda value: json.dumps(value)[:60])
def test_allows_what_gives_no_power_over_others(field, value):
    assert set() == rules(**{field: value})


def test_hardening_adds_what_nobody_asked_for():
    made = harden(WorkloadSpec(), profile=PROFILE).spec
    assert ("ALL",) == made.cap_drop
    assert tuple(sorted(capabilities.DEFAULT)) == made.cap_add
    assert ("no-new-privileges", f"seccomp={PROFILE.json}") == made.security_opt
    assert bounds.PIDS_DEFAULT == made.pids_limit
    assert "private" == made.cgroupns_mode == made.ipc_mode
    assert made.readonly_rootfs is None


def test_the_caller_may_ask_for_less():
    made = harden(spec(CapDrop=["ALL"], CapAdd=["setuid"], PidsLimit=9), profile=PROFILE).spec
    assert (("CAP_SETUID",), 9) == (made.cap_add, made.pids_limit)
    assert "CAP_KILL" not in harden(spec(CapDrop=["KILL"]), profile=PROFILE).capabilities


def test_a_power_that_is_never_given_cannot_be_carried_over():
    dangerous = spec(**dict(REFUSED))
    made = harden(msgspec.structs.replace(dangerous, cap_add=(), cap_drop=()), profile=PROFILE).spec
    written = {f.name for f in msgspec.structs.fields(WorkloadSpec) if getattr(made, f.name)}
    assert written <= {*CARRIED, "cap_drop", "cap_add", "security_opt", "pids_limit"} | {
        "cgroupns_mode",
        "ipc_mode",
        "mounts",
        "tmpfs",
        "memory_swappiness",
    }


def test_hardening_what_is_hardened_asks_for_nothing_new():
    first = harden(spec(Binds=["vol:/a"], CapAdd=["SYS_CHROOT"]), profile=PROFILE)
    again = msgspec.structs.replace(first.spec, security_opt=("no-new-privileges",))
    assert () == check(again)
    assert first.spec == harden(again, profile=PROFILE).spec


@given(st.lists(st.sampled_from(sorted(capabilities.NUMBERS)), max_size=6))
def test_no_request_gives_more_than_the_allowed_capabilities(names):
    if not check(spec(CapAdd=names)):
        assert set(capabilities.granted(tuple(names), ())) <= capabilities.ALLOWED
    else:
        assert set(names) - capabilities.ALLOWED


@given(st.text(max_size=12), st.sampled_from(["/d", "/d:ro"]))
def test_a_bind_that_is_allowed_names_a_volume(source, rest):
    if not check(spec(Binds=[f"{source}:{rest}"])):
        assert "/" not in source
        assert (source,) == files.volume_names(spec(Binds=[f"{source}:{rest}"]))


def test_refuses_a_volume_that_hides_a_bind():
    assert () == files.volume_problems("data", "local", None)
    assert () == files.volume_problems("data", "local", {})
    (reason,) = files.volume_problems("data", "local", {"o": "bind", "device": "/etc"})
    assert "/etc" in reason.evidence
    assert files.volume_problems("data", "nfs", {})
