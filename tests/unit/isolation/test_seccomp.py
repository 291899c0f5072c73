import json
import re
from pathlib import Path

import pytest

from seawall.isolation import _syscalls, seccomp

HEADERS = [
    Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    Path("/usr/include/asm/unistd_64.h"),
]
NEWER = {"mseal", "cachestat", "statmount", "listmount", "fchmodat2", "futex_wait", "uretprobe"}


@pytest.fixture
def document():
    return json.loads(seccomp.default_profile().json)


def test_every_call_of_the_kernel_header_is_decided():
    header = next((path for path in HEADERS if path.exists()), None)
    if header is None:
        pytest.skip("needs the kernel's header asm/unistd_64.h, and it is not installed")
    known = set(re.findall(r"__NR_(\w+)", header.read_text()))
    decided = seccomp.allowed_names() | set(_syscalls.REFUSED)
    assert set() == known - decided
    assert len(known) >= 300
    assert decided >= NEWER


def test_no_call_is_both_allowed_and_refused():
    assert set() == seccomp.allowed_names() & set(_syscalls.REFUSED)


def test_no_call_stands_in_two_groups_and_every_group_has_a_purpose():
    names = [name for group in _syscalls.GROUPS for name in group.names]
    assert len(names) == len(set(names))
    assert all(group.purpose and group.names for group in _syscalls.GROUPS)
    assert all(refused.reason for refused in _syscalls.REFUSED.values())


def test_conditional_calls_are_never_allowed_without_their_condition(document):
    for rule in document["syscalls"]:
        if rule["action"] == "SCMP_ACT_ALLOW" and not rule.get("args"):
            assert not seccomp.CONDITIONAL & set(rule["names"])


def test_clone_is_allowed_without_namespaces_only(document):
    (rule,) = [rule for rule in document["syscalls"] if rule["names"] == ["clone"]]
    assert [{"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}] == rule[
        "args"
    ]


def test_sockets_are_allowed_by_family_and_exactly(document):
    rules = [rule["args"] for rule in document["syscalls"] if rule["names"] == ["socket"]]
    assert {1, 2, 10, 16} == {args[0]["value"] for args in rules}
    assert {"SCMP_CMP_EQ"} == {args[0]["op"] for args in rules}


def test_what_programs_fall_back_from_does_not_exist(document):
    errors = {
        name: rule["errnoRet"]
        for rule in document["syscalls"]
        if rule["action"] == "SCMP_ACT_ERRNO"
        for name in rule["names"]
    }
    assert 38 == errors["clone3"] == errors["io_uring_setup"]
    assert 1 == errors["mount"] == errors["unshare"] == errors["keyctl"] == errors["bpf"]
    assert "SCMP_ACT_ERRNO" == document["defaultAction"]


def test_names_the_architectures_that_may_run(document):
    assert ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"] == [
        entry["architecture"] for entry in document["archMap"]
    ]
    assert all(not entry["subArchitectures"] for entry in document["archMap"])
