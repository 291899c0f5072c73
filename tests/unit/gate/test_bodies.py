import json
from pathlib import Path

import pytest

from seawall.core.errors import InvalidInputError, LimitError
from seawall.core.reason import Refusal
from seawall.engine.model import Admitted
from seawall.gate import bodies, schema
from seawall.isolation import seccomp
from seawall.oci.digest import Digest
from seawall.oci.names import Reference

RECORDINGS = json.loads((Path(__file__).parent / "recordings.json").read_text())
PROFILE = seccomp.default_profile()
ADMITTED = Admitted(
    reference=Reference.parse("registry.example:5000/team/app:1"),
    digest=Digest.of(b"manifest"),
    verdict=42,
)


def request(**fields):
    return bodies.parse_create(json.dumps({"Image": "team/app:1", **fields}).encode())


def hardened(**fields):
    result = bodies.harden(request(**fields), ADMITTED, PROFILE)
    assert isinstance(result, bodies.HardenedCreate), result
    return json.loads(result.body)


def refusal(**fields):
    result = bodies.harden(request(**fields), ADMITTED, PROFILE)
    assert isinstance(result, Refusal), result
    return result


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda r: f"{r['kind']} by {r['client']}")
def test_understands_what_real_clients_send(recording):
    kinds = {
        "create": schema.CreateBody,
        "exec": schema.ExecBody,
        "exec-start": schema.ExecStartBody,
    }
    kind = kinds[recording["kind"]]
    model = schema.parse(json.dumps(recording["body"]).encode(), kind)
    assert model == schema.parse(schema.emit(model), kind)


def test_a_plain_run_of_each_client_is_hardened_alike():
    plain = [
        r["body"]
        for r in RECORDINGS
        if r["kind"] == "create" and len(r["body"].get("Labels") or {}) == 0
        if not r["body"].get("HostConfig", {}).get("Privileged")
    ]
    assert len(plain) == 3  # one a client: the two Docker APIs of 20.10 say the same
    for body in plain:
        got = bodies.harden(bodies.parse_create(json.dumps(body).encode()), ADMITTED, PROFILE)
        host = json.loads(got.body)["HostConfig"]
        assert ["ALL"] == host["CapDrop"]
        assert ["no-new-privileges", f"seccomp={PROFILE.json}"] == host["SecurityOpt"]


def test_runs_the_digest_that_was_admitted_and_remembers_what_was_asked():
    body = hardened(Labels={"mine": "kept"})
    assert f"registry.example:5000/team/app@{ADMITTED.digest}" == body["Image"]
    assert {
        "mine": "kept",
        "com.seawall.image": "team/app:1",
        "com.seawall.digest": ADMITTED.digest,
        "com.seawall.verdict": "42",
    } == body["Labels"]


def test_keeps_the_program_that_was_asked_for():
    asked = {
        "Cmd": ["a", "b"],
        "Entrypoint": ["/bin/sh"],
        "Env": ["A=1", "a=2"],
        "User": "1000:1000",
        "WorkingDir": "/w",
        "Tty": True,
        "StopTimeout": 3,
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5_000_000_000},
    }
    body = hardened(**asked)
    assert asked == {name: body[name] for name in asked}


def test_a_command_given_as_one_text_becomes_a_list():
    assert ["date"] == hardened(Cmd="date")["Cmd"]


def test_labels_that_differ_in_case_are_two_labels():
    labels = hardened(Labels={"A": "1", "a": "2"})["Labels"]
    assert ("1", "2") == (labels["A"], labels["a"])


def test_binds_of_named_volumes_become_mounts_and_drop_the_anonymous_twin():
    body = hardened(Volumes={"/data": {}, "/more": {}}, HostConfig={"Binds": ["vol:/data:ro"]})
    assert [{"ReadOnly": True, "Source": "vol", "Target": "/data", "Type": "volume"}] == body[
        "HostConfig"
    ]["Mounts"]
    assert {"/more": {}} == body["Volumes"]


def test_names_the_volumes_and_networks_that_the_engine_must_be_asked_about():
    asked = request(
        HostConfig={"NetworkMode": "front", "Binds": ["data:/d"]},
        NetworkingConfig={"EndpointsConfig": {"front": None, "back": {"Aliases": ["x"]}}},
    )
    assert ("data",) == asked.volumes
    assert ("back", "front") == asked.networks
    assert () == request(HostConfig={"NetworkMode": "default"}).networks


def test_says_what_it_added():
    result = bodies.harden(request(), ADMITTED, PROFILE)
    assert "no-new-privileges" in result.warnings[0]
    assert "seawall-default-1" in result.warnings[0]
    assert 2048 == result.summary["pids_limit"]


def test_null_and_absent_are_the_same():
    nothing = {"HostConfig": None, "Labels": None, "NetworkingConfig": None, "Cmd": None}
    assert hardened() == hardened(**nothing)


def test_every_reason_is_given_at_once():
    found = refusal(
        HostConfig={"Privileged": True, "PidMode": "host"}, Labels={"com.seawall.verdict": "1"}
    )
    assert ["host-settings/Privileged", "host-settings/PidMode", "labels/reserved"] == [
        r.rule for r in found.reasons
    ]


@pytest.mark.parametrize("label", ["com.seawall.digest", "com.seawall.", "COM.Seawall.image"])
def test_refuses_a_label_of_ours_from_a_client(label):
    assert "labels/reserved" == refusal(Labels={label: "x"}).reasons[0].rule


def test_refuses_a_body_that_is_too_large():
    with pytest.raises(LimitError):
        bodies.parse_create(b'{"Image":"' + b"a" * (4 << 20) + b'"}')


@pytest.mark.parametrize("image", ["", "a" * 513])
def test_refuses_an_image_without_a_sensible_name(image):
    with pytest.raises(InvalidInputError):
        bodies.parse_create(json.dumps({"Image": image}).encode())


def test_an_exec_keeps_its_user_directory_and_environment():
    asked = {"Cmd": ["id"], "User": "1", "WorkingDir": "/w", "Env": ["A=b"], "Tty": True}
    body = bodies.parse_exec_create(json.dumps(asked | {"Container": "x"}).encode())
    assert asked == json.loads(body)


def test_refuses_an_exec_with_all_powers():
    found = bodies.parse_exec_create(b'{"Cmd":["id"],"Privileged":true}')
    assert isinstance(found, Refusal)
    assert "drop --privileged" in str(found)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"Cmd":[]}', b'{"cmd":["id"]}', b'{"Cmd":["id"],"privileged":true}', b"[]"]
)
def test_refuses_an_exec_that_two_parsers_read_differently(body):
    with pytest.raises(InvalidInputError):
        bodies.parse_exec_create(body)


def test_an_exec_start_is_written_anew():
    assert b'{"Detach":false,"Tty":true}' == bodies.parse_exec_start(
        b' {"Tty" : true, "Detach":false, "ConsoleSize": null} '
    )
    with pytest.raises(InvalidInputError):
        bodies.parse_exec_start(b'{"Tty":true,"HostConfig":{}}')
