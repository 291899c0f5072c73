"""Bodies that Go's decoder and a careless one read in two ways (docs/threats.md, the gate)."""

import contextlib
import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.core.errors import SeawallError
from seawall.core.reason import Refusal
from seawall.engine.model import Admitted
from seawall.gate import bodies, schema
from seawall.isolation import seccomp
from seawall.isolation.workload import WorkloadSpec
from seawall.oci.digest import Digest
from seawall.oci.names import Reference

PROFILE = seccomp.default_profile()
ADMITTED = Admitted(
    reference=Reference.parse("registry.example/app:1"), digest=Digest.of(b"m"), verdict=1
)


def refused(body: bytes | str) -> str:
    """Return the words of the refusal; fail when there is none."""
    raw = body if isinstance(body, bytes) else body.encode()
    try:
        result = bodies.harden(bodies.parse_create(raw), ADMITTED, PROFILE)
    except SeawallError as error:
        return str(error)
    assert isinstance(result, Refusal), result
    return str(result)


# Class A: the spelling of keys.


@pytest.mark.parametrize(
    "body",
    [
        '{"Image":"a","hostconfig":{"Privileged":true}}',
        '{"Image":"a","HOSTCONFIG":{"Privileged":true}}',
        '{"Image":"a","HoſtConfig":{"Privileged":true}}',
        '{"Image":"a","Ho\\u017ftConfig":{"Privileged":true}}',
        '{"Image":"a","HostConfig":{"privileged":true}}',
        '{"Image":"a","HostConfig":{"\\u0070rivileged":true}}',
        '{"Image":"a","HostConfig":{"Bindſ":["/:/h"]}}',
        '{"Image":"a","HostConfig":{"binds":["/:/h"]}}',
        '{"Image":"a","HostConfig":{"Mounts":[{"type":"bind","Source":"/","Target":"/h"}]}}',
        '{"Image":"a","HostConfig":{"Mounts":[{"Type":"bind","ſource":"/","Target":"/h"}]}}',
        '{"image":"a"}',
        '{"Image":"a","imaGe":"b"}',
        '{"Image":"a","Ima\\u0047e":"b"}',
        '{"Image":"a","\\u212Aey":"b"}',
        '{"Image":"a","HostConfig":{"Tmpf\\u017f":{}}}',
        '{"Image":"a","HostConfig":{"Privileged ":true}}',
        '{"Image":"a","HostConfig":{"Privileged\\u0000":true}}',
        '{"Image":"a","HostConfig":{"":true}}',
    ],
)
def test_refuses_another_spelling_of_a_key(body):
    words = refused(body)
    assert "wrong spelling" in words or "unknown field" in words


def test_refuses_an_escaped_key_that_is_the_true_one_by_its_value():
    assert "host-settings/Privileged" in refused(
        '{"Image":"a","HostConfig":{"\\u0050rivileged":true}}'
    )


def _every_key(kind, path=()):
    for field in schema.inspect.type_info(kind).fields:
        yield (*path, field.encode_name)
    if kind is schema.CreateBody:
        yield from _every_key(WorkloadSpec, ("HostConfig",))


@pytest.mark.parametrize("path", list(_every_key(schema.CreateBody)), ids=".".join)
def test_refuses_every_known_key_in_every_other_spelling(path):
    *outer, key = path
    spellings = {key.lower(), key.upper(), key.swapcase(), key.replace("s", "ſ", 1)}
    spellings |= {key.replace("k", "\u212a", 1), key.replace("S", "ſ", 1)}
    for spelling in spellings - {key}:
        body = {"Image": "a"}
        if outer:
            body["HostConfig"] = {spelling: None}
        else:
            body[spelling] = None
        assert "wrong spelling" in refused(json.dumps(body)), spelling


# Class B: duplicate keys.


@pytest.mark.parametrize(
    "body",
    [
        '{"Image":"a","HostConfig":{"Privileged":true},"HostConfig":{}}',
        '{"Image":"a","HostConfig":{},"HostConfig":{}}',
        '{"Image":"a","HostConfig":{"Privileged":true,"Privileged":false}}',
        '{"Image":"a","HostConfig":{"Privileged":true,"\\u0050rivileged":false}}',
        '{"Image":"a","HostConfig":{"Privileged":true},"hostConfig":{}}',
        '{"Image":"a","Labels":{"x":"1","x":"2"}}',
        '{"Image":"a","HostConfig":{"Mounts":[{"Type":"volume","Type":"bind","Source":"/"}]}}',
        '{"Image":"a","HostConfig":{"LogConfig":{"Config":{"a":"b","a":"c"}}}}',
        '{"Image":"a","Image":"b"}',
        '{"Image":"a","NetworkingConfig":{"EndpointsConfig":{"n":{},"n":{}}}}',
    ],
)
def test_refuses_a_key_that_stands_twice(body):
    words = refused(body)
    assert "duplicate key" in words or "wrong spelling" in words


# Class C: host settings where old engines still look for them.


@pytest.mark.parametrize("key", sorted(schema._HOST_KEYS - {"Runtime"}))
def test_refuses_host_settings_at_the_top_level(key):
    for value in (None, True, [], ["/:/h"], {}):
        assert "HostConfig" in refused(json.dumps({"Image": "a", key: value, "HostConfig": None}))


def test_refuses_a_runtime_at_the_top_level():
    assert "Runtime" in refused('{"Image":"a","Runtime":"other"}')


# Class D: where the body ends, and what is JSON.


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b'"x"',
        b'{"Image":"a"}{"HostConfig":{"Privileged":true}}',
        b'{"Image":"a"} x',
        b'{"Image":"a"}\0',
        b'{"Image":"a"',
        b'{"Image":"a",}',
        b"{'Image':'a'}",
        b'{"Image":"a"} // x',
        b'\xef\xbb\xbf{"Image":"a"}',
        b'{"Image":"\xff"}',
        b'{"Image":"\\ud800"}',
        b'{"Image":"a","StopTimeout":NaN}',
        b'{"Image":"a","StopTimeout":-Infinity}',
        b'{"Image":"a","StopTimeout":1e999}',
        '{"Image":"a"}'.encode("utf-16"),
        b'{"Image":"a","HostConfig":' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"}",
        b"[" * 100_000,
    ],
)
def test_refuses_what_is_not_exactly_one_json_object(body):
    assert refused(body)


# Types that Go's decoder refuses or reads otherwise.


@pytest.mark.parametrize(
    "host",
    [
        '{"Privileged":1}',
        '{"Privileged":"true"}',
        '{"Privileged":[true]}',
        '{"Memory":1.0}',
        '{"Memory":1e3}',
        '{"Memory":"1"}',
        '{"Memory":true}',
        '{"Memory":9223372036854775808}',
        '{"BlkioWeight":65536}',
        '{"BlkioWeight":-1}',
        '{"Binds":"/:/h"}',
        '{"Binds":[null]}',
        '{"Binds":{"0":"/:/h"}}',
        '{"CapAdd":"SYS_ADMIN"}',
        '{"Tmpfs":{"/t":null}}',
        '{"ConsoleSize":[1]}',
        '{"ConsoleSize":[1,2,3]}',
        '{"Mounts":[null]}',
        '{"Mounts":{}}',
        '{"PortBindings":{"80/tcp":[null]}}',
        '{"PortBindings":[]}',
        '{"LogConfig":[]}',
        "[]",
        '"x"',
        "true",
    ],
)
def test_refuses_a_value_of_another_type(host):
    words = refused(f'{{"Image":"a","HostConfig":{host}}}')
    assert "request body" in words or "out of range" in words


# Class F: second paths to the same power.


@pytest.mark.parametrize(
    ("rule", "host"),
    [
        ("MaskedPaths", {"MaskedPaths": []}),
        ("ReadonlyPaths", {"ReadonlyPaths": []}),
        ("Binds", {"Binds": ["/:/h"]}),
        ("Mounts", {"Mounts": [{"Type": "bind", "Source": "/", "Target": "/h"}]}),
        (
            "Mounts",
            {
                "Mounts": [
                    {
                        "Type": "volume",
                        "Source": "vol",
                        "Target": "/h",
                        "VolumeOptions": {
                            "DriverConfig": {
                                "Options": {"type": "none", "device": "/", "o": "bind"}
                            }
                        },
                    }
                ]
            },
        ),
        ("VolumesFrom", {"VolumesFrom": ["other"]}),
        ("VolumeDriver", {"VolumeDriver": "host"}),
        ("NetworkMode", {"NetworkMode": "container:other"}),
        ("SecurityOpt", {"SecurityOpt": ["seccomp=unconfined"]}),
        ("CapAdd", {"CapAdd": ["all"]}),
        ("Devices", {"Devices": [{"PathOnHost": "/dev/mem"}]}),
    ],
)
def test_refuses_every_way_to_the_host(rule, host):
    assert f"host-settings/{rule}" in refused(json.dumps({"Image": "a", "HostConfig": host}))


@pytest.mark.parametrize(
    "endpoints",
    [
        {"host": {}},
        {"HOST": None},
        {"container:x": {}},
        {"front": {"Links": ["db:db"]}},
        {"front": {"DriverOpts": {"com.docker.network.endpoint.sysctls": "x"}}},
        {"front": {"NetworkID": "a" * 64}},
        {"../x": {}},
        {"front": {"MacAddress": "02:42:ac:11:00:02\n"}},
    ],
)
def test_refuses_a_network_by_another_door(endpoints):
    body = {"Image": "a", "NetworkingConfig": {"EndpointsConfig": endpoints}}
    assert "NetworkingConfig" in refused(json.dumps(body))


@pytest.mark.parametrize(
    "config",
    [
        {"Volumes": {"/proc": {}}},
        {"Volumes": {"/a:/b": {}}},
        {"Volumes": {"/sys/../sys": {}}},
        {"Volumes": {"/": {}}},
        {"ExposedPorts": {"22-25/tcp": {}}},
        {"Hostname": "a\nb"},
        {"MacAddress": "x"},
        {"OnBuild": ["RUN x"]},
        {"Labels": {"com.seawall.verdict": "1"}},
    ],
)
def test_refuses_dangerous_settings_beside_the_host_settings(config):
    assert refused(json.dumps({"Image": "a", **config}))


def test_refuses_nul_in_every_text():
    for body in (
        {"Image": "a\0b"},
        {"Image": "a", "Env": ["A=\0"]},
        {"Image": "a", "Labels": {"\0": "x"}},
    ):
        assert "NUL" in refused(json.dumps(body))


def test_refuses_in_few_words_however_long_the_body_is():
    host = {
        "Binds": [f"/{i}" + "x" * 500 + ":/h" for i in range(2000)],
        "NetworkMode": "x" * 10_000 + "/",
        "Mounts": [{"Type": "y" * 10_000, "Target": "z" * 10_000}],
    }
    labels = {f"com.seawall.{i}": "" for i in range(2000)}
    words = refused(json.dumps({"Image": "a", "HostConfig": host, "Labels": labels}))
    assert len(words) < 16_000


# Laws, on bodies that nobody thought of.

KEYS = [key for key in _every_key(schema.CreateBody) if key != ("Image",)]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 70_000)
    | st.sampled_from(["", "/", "host", "container:x", "vol:/d", "/:/h", "80/tcp", "local", "ALL"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["Type", "Source", "Target", "Name", "Config", "/t", "80/tcp", "a"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6))
def test_refuses_or_confines_any_body(fields):
    body: dict = {"Image": "a"}
    for path, value in fields.items():
        if len(path) == 1:
            body[path[0]] = copy.deepcopy(value)
    for path, value in fields.items():
        if len(path) == 2:
            host = body.get("HostConfig")
            body["HostConfig"] = {**(host if isinstance(host, dict) else {}), path[1]: value}
    try:
        result = bodies.harden(bodies.parse_create(json.dumps(body).encode()), ADMITTED, PROFILE)
    except SeawallError:
        return
    if isinstance(result, Refusal):
        assert result.reasons
        return
    host = json.loads(result.body)["HostConfig"]
    assert ["ALL"] == host["CapDrop"]
    assert "no-new-privileges" in host["SecurityOpt"]
    assert f"seccomp={PROFILE.json}" in host["SecurityOpt"]
    assert not {"Privileged", "Binds", "Devices", "PidMode", "MaskedPaths", "Runtime"} & set(host)
    assert all(mount["Type"] == "volume" for mount in host.get("Mounts", []))
    assert host.get("NetworkMode", "").casefold() != "host"


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_refuses_noise_with_an_error_of_ours(noise):
    for parse in (bodies.parse_create, bodies.parse_exec_create, bodies.parse_exec_start):
        with contextlib.suppress(SeawallError):
            parse(noise)
