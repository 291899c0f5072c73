"""Whatever the gate's bodies allow, the real engine must store exactly as the gate understood it.

Bodies are generated, valid and mutated. Each that passes `bodies.harden` is created on a private
Docker Engine and inspected: every setting that was sent is stored, and every other has the value of
a container that asked for nothing. SEAWALL_DIFFERENTIAL_CASES=N tries N bodies, new ones each time.
"""

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seawall.core.errors import SeawallError
from seawall.engine.model import Admitted
from seawall.gate import bodies
from seawall.isolation import capabilities, seccomp
from seawall.oci.digest import Digest
from seawall.oci.names import Reference
from seawall.testing import engine_api, engines, images

pytestmark = [pytest.mark.interop, pytest.mark.engine, pytest.mark.timeout(1800)]

ASKED = os.environ.get("SEAWALL_DIFFERENTIAL_CASES")
CASES = int(ASKED or 400)
IMAGE = "differential/app:1"
PROFILE = seccomp.default_profile()
ADMITTED = Admitted(
    reference=Reference.parse("registry.example/app:1"), digest=Digest.of(b"m"), verdict=1
)

# Values that the engine itself rewrites, each with what it stores.
DERIVED = {
    # The engine doubles the memory limit where swap was not limited.
    "MemorySwap": lambda sent, stored: sent.get("MemorySwap") or 2 * sent.get("Memory", 0),
    # Dropped, with a warning, where the kernel's block layer has no weights.
    "BlkioWeight": lambda sent, stored: sent.get("BlkioWeight") and stored["BlkioWeight"],
    # 20.10 fills the size in, so 0 is "not said".
    "ShmSize": lambda sent, stored: sent.get("ShmSize") or 64 * 1024 * 1024,
    # 26 drops it below API 1.42; 20.10 stores it and uses it nowhere.
    "ConsoleSize": lambda sent, stored: stored["ConsoleSize"],
    # 26 writes the name of the default network out.
    "NetworkMode": lambda sent, stored: (
        stored["NetworkMode"]
        if sent.get("NetworkMode") in {None, "", "default"}
        and stored["NetworkMode"] in {"default", "bridge"}
        else sent.get("NetworkMode")
    ),
    # An empty type is the daemon's default driver.
    "LogConfig": lambda sent, stored: {
        "Type": "json-file",
        **(strip(sent.get("LogConfig")) or {}),
    },
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    reason = engines.why_no_engine()
    if reason:
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("differential")
    with engines.private_engine(directory) as engine:
        archive = images.write_docker_archive(
            directory / "i.tar", images.runnable_image("sleep"), name=IMAGE
        )
        engine.docker("load", "-i", str(archive))
        for name in ("front", "back"):
            engine.docker("network", "create", "--driver=null", name, check=False)
        yield engine


def maybe(**fields):
    """A dict with any of the fields left out."""
    return st.fixed_dictionaries({}, optional=fields)


mib = st.integers(8, 512).map(lambda n: n * 1024 * 1024)
paths = st.sampled_from(["/data", "/var/lib/x", "/srv/", "/run", "/dev/shm", "/a/b"])
volumes = st.sampled_from(["vol", "vol2", "a_b.c-d"])
caps = st.sampled_from([*sorted(capabilities.DEFAULT), "chown", "Cap_Setuid", "ALL", "NET_RAW"])
ports = st.sampled_from(["80/tcp", "53/udp", "9000/sctp", "8080/tcp"])
mounts = maybe(
    Type=st.sampled_from(["volume", "volume", "volume", "tmpfs", "bind"]),
    Source=volumes | st.just(""),
    Target=paths,
    ReadOnly=st.booleans(),
    VolumeOptions=maybe(NoCopy=st.booleans()),
    TmpfsOptions=maybe(SizeBytes=mib, Mode=st.integers(0, 0o1777)),
)

host_configs = maybe(
    Binds=st.lists(
        st.tuples(volumes, paths, st.sampled_from(["", ":ro", ":rw", ":nocopy", ":z"])).map("".join)
        | st.tuples(volumes, paths, st.sampled_from(["", ":ro", ":nocopy"])).map(
            lambda t: f"{t[0]}:{t[1]}{t[2]}"
        ),
        max_size=2,
    ),
    Mounts=st.lists(mounts, max_size=2),
    Tmpfs=st.dictionaries(
        paths, st.sampled_from(["", "size=1m", "ro,mode=755", "exec,uid=5", "suid"]), max_size=2
    ),
    CapAdd=st.lists(caps, max_size=2),
    CapDrop=st.lists(caps, max_size=2),
    SecurityOpt=st.lists(
        st.sampled_from(["no-new-privileges", "no-new-privileges:true", "seccomp=unconfined"]),
        max_size=1,
    ),
    GroupAdd=st.lists(st.sampled_from(["5", "nogroup", "docker", "0"]), max_size=2),
    ReadonlyRootfs=st.booleans(),
    Memory=mib,
    MemorySwap=mib | st.just(-1) | st.just(0),
    MemoryReservation=mib,
    MemorySwappiness=st.integers(-1, 100),
    NanoCpus=st.sampled_from([0, 10**8, 10**9]),
    CpuShares=st.integers(0, 2048),
    CpusetCpus=st.sampled_from(["", "0"]),
    BlkioWeight=st.sampled_from([0, 10, 500]),
    PidsLimit=st.integers(-1, 5000),
    ShmSize=mib | st.just(0),
    OomScoreAdj=st.integers(-2, 1000),
    OomKillDisable=st.booleans(),
    Init=st.booleans() | st.none(),
    AutoRemove=st.just(False),
    RestartPolicy=maybe(
        Name=st.sampled_from(["", "no", "always", "on-failure", "unless-stopped"]),
        MaximumRetryCount=st.integers(0, 3),
    ),
    NetworkMode=st.sampled_from(["", "default", "none", "bridge", "host", "container:x"]),
    IpcMode=st.sampled_from(["", "private", "shareable", "none", "host"]),
    PidMode=st.sampled_from(["", "", "", "host"]),
    CgroupnsMode=st.sampled_from(["", "private", "private", "host"]),
    PortBindings=st.dictionaries(
        ports,
        st.lists(
            maybe(
                HostIp=st.sampled_from(["", "127.0.0.1", "::1"]),
                HostPort=st.sampled_from(["", "8080", "8000-8010", "22"]),
            ),
            max_size=2,
        ),
        max_size=2,
    ),
    PublishAllPorts=st.booleans(),
    ExtraHosts=st.lists(st.sampled_from(["a:1.2.3.4", "b:::1", "c:host-gateway"]), max_size=2),
    Dns=st.lists(st.sampled_from(["1.1.1.1", "::1"]), max_size=2),
    DnsSearch=st.lists(st.sampled_from(["a.example", "b"]), max_size=2),
    DnsOptions=st.lists(st.sampled_from(["ndots:1", "rotate"]), max_size=2),
    Sysctls=st.dictionaries(
        st.sampled_from(["net.core.somaxconn", "net.ipv4.tcp_syncookies", "kernel.shmmax"]),
        st.sampled_from(["1", "128"]),
        max_size=2,
    ),
    Ulimits=st.lists(
        maybe(
            Name=st.sampled_from(["nofile", "nproc", "core", "rtprio"]),
            Hard=st.integers(10, 1000),
            Soft=st.integers(0, 10),
        ),
        max_size=2,
    ),
    LogConfig=maybe(
        Type=st.sampled_from(["", "json-file", "local", "none", "syslog"]),
        Config=st.dictionaries(st.just("max-size"), st.just("1m"), max_size=1),
    ),
    ConsoleSize=st.tuples(st.integers(0, 200), st.integers(0, 200)).map(list),
    MaskedPaths=st.none() | st.none() | st.none() | st.just([]),
)

creates = st.builds(
    lambda rest, host: {"Image": IMAGE, **rest, **({} if host is None else {"HostConfig": host})},
    maybe(
        Cmd=st.just(["sleep", "1"]),
        Env=st.lists(st.sampled_from(["A=1", "a=2", "B="]), max_size=2),
        Volumes=st.dictionaries(paths, st.just({}), max_size=2),
        ExposedPorts=st.dictionaries(ports, st.just({}), max_size=2),
        Labels=st.dictionaries(st.sampled_from(["A", "a", "com.seawall.x"]), st.text(max_size=3)),
        User=st.sampled_from(["", "0", "65534:65534"]),
        Tty=st.booleans(),
    ),
    st.none() | host_configs | host_configs | host_configs,
)


@st.composite
def bytes_of_creates(draw):
    """Bytes of a body, sometimes mutated so that Go and a careless parser would disagree."""
    text = json.dumps(draw(creates))
    match draw(st.integers(0, 11)):
        case 0:
            key = draw(st.sampled_from(["Privileged", "HostConfig", "Binds", "CapAdd", "PidMode"]))
            return text.replace(f'"{key}"', f'"{key.lower()}"').encode()
        case 1:
            return (text[:-1] + ', "HostConfig": {"Privileged": true}}').encode()
        case 2:
            return (text[:-1] + ', "Privileged": true, "Binds": ["/:/h"]}').encode()
        case 3:
            return (text + '{"HostConfig":{"Privileged":true}}').encode()
        case 4:
            return text.replace(
                '"HostConfig": {', '"HostConfig": {"\\u0050rivileged": true,'
            ).encode()
        case 5:
            return text.replace('"HostConfig": {', '"Ho\\u017ftConfig": {').encode()
        case _:
            return text.encode()


def strip(value):
    """Drop what Go's zero values make of nothing: null, empty, false, 0."""
    if isinstance(value, dict):
        return {k: s for k, v in value.items() if (s := strip(v)) not in (None, "", 0, [], {})}
    if isinstance(value, list):
        return [strip(item) for item in value]
    return value


def test_refuses_or_stores_exactly_what_was_understood(engine):
    seen = {"allowed": 0, "refused": 0, "engine said no": 0}
    plain = _stored(engine, {"Image": IMAGE, "HostConfig": {}})[1]

    @settings(
        max_examples=CASES,
        deadline=None,
        database=None,
        derandomize=ASKED is None,  # the same bodies on every ordinary run
        suppress_health_check=list(HealthCheck),
    )
    @given(bytes_of_creates())
    def each(body):
        try:
            result = bodies.harden(bodies.parse_create(body), ADMITTED, PROFILE)
        except SeawallError:
            seen["refused"] += 1
            return
        if not isinstance(result, bodies.HardenedCreate):
            seen["refused"] += 1
            return
        # The engine has no such registry; the image's name is the one thing that is changed.
        sent = json.loads(result.body) | {"Image": IMAGE}
        status, stored = _stored(engine, sent)
        if status != 201:
            seen["engine said no"] += 1
            assert 400 <= status < 500, stored
            return
        seen["allowed"] += 1
        _compare(sent, stored, plain)

    each()
    print(seen)
    assert seen["allowed"] >= CASES // 20, seen
    assert seen["refused"] >= CASES // 20, seen


@pytest.mark.parametrize(
    "power", [{"Privileged": True}, {"PidMode": "host"}, {"MaskedPaths": []}, {"Binds": ["/:/h"]}]
)
def test_refuses_to_call_a_stored_power_the_same(engine, power):
    plain = _stored(engine, {"Image": IMAGE, "HostConfig": {}})[1]
    strong = _stored(engine, {"Image": IMAGE, "HostConfig": power})[1]
    with pytest.raises(AssertionError):
        _compare({"HostConfig": {}}, strong, plain)


def _stored(engine, body):
    status, answer = engine_api.call(
        engine.socket, "POST", "/v1.41/containers/create", json.dumps(body).encode()
    )
    if status != 201:
        return status, answer
    _, inspected = engine_api.call(engine.socket, "GET", f"/v1.41/containers/{answer['Id']}/json")
    engine_api.call(engine.socket, "DELETE", f"/v1.41/containers/{answer['Id']}?v=1&force=1")
    return status, inspected


def _compare(sent, stored, plain):
    wanted, got = sent["HostConfig"], stored["HostConfig"]
    assert set(wanted) <= set(got) | {"Init", "Mounts", "Tmpfs", "Sysctls"}
    for name in set(got) | set(wanted):
        if name in DERIVED:
            expected = DERIVED[name](wanted, got)
        else:
            expected = strip(wanted.get(name)) or strip(plain["HostConfig"].get(name))
        assert (expected or None) == (strip(got.get(name)) or None), (name, wanted.get(name))
    for name in ("Labels", "Env", "User", "Cmd", "Tty", "Volumes", "ExposedPorts"):
        expected = sent.get(name)
        if name in {"Env", "Volumes", "Labels", "ExposedPorts"}:
            for item in expected or ():
                assert item in (stored["Config"].get(name) or ()), (name, item)
        elif expected:
            assert expected == stored["Config"][name], name
