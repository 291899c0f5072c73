"""Our default seccomp profile: a list of what is allowed, each group with its purpose.

What differs from the engine's own default, and why:

- **Socket families are allowed by name** (unix, inet, inet6, netlink), each compared in 64 bits.
  A list of forbidden families can be passed by setting the upper half of the register, which the
  kernel ignores and the filter does not.
- **32-bit and x32 programs do not run.** Their `socketcall` hides the family, and their tables hold
  old calls that nobody needs. The profile names x86-64 and arm64 only.
- **Reaching into another process** (ptrace, process_vm_*, kcmp, pidfd_getfd) is refused: debugging
  is worth a profile of its own.
- Setting the clock is refused in every form, reading it is free.

A refused call answers EPERM, or ENOSYS where programs then fall back to an older call. A call that
neither list knows answers ENOSYS, as on a kernel that lacks it (EPERM on engines too old to say).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

from seawall.core import strictjson
from seawall.isolation._syscalls import ENOSYS, EPERM, GROUPS, REFUSED

NAME: Final = "seawall-default-1"

CLONE_NAMESPACES: Final = (
    0x0002_0000  # NEWNS
    | 0x0200_0000  # NEWCGROUP
    | 0x0400_0000  # NEWUTS
    | 0x0800_0000  # NEWIPC
    | 0x1000_0000  # NEWUSER
    | 0x2000_0000  # NEWPID
    | 0x4000_0000  # NEWNET
)
SOCKET_FAMILIES: Final = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}
PERSONALITIES: Final = (
    0x0,  # PER_LINUX
    0x8,  # PER_LINUX32: what `uname -m` says, nothing else
    0x2_0000,  # UNAME26
    0x2_0008,
    0xFFFF_FFFF,  # asks without changing; ADDR_NO_RANDOMIZE and READ_IMPLIES_EXEC are not given
)

CONDITIONAL: Final = frozenset({"clone", "personality", "socket", "socketpair"})
"""Allowed with some arguments only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A seccomp profile as Docker takes it: `json` is the text after `seccomp=`."""

    name: str
    json: str


@functools.cache
def default_profile() -> Profile:
    """Return the profile for containers whose image brings none."""
    document = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": ENOSYS,
        "archMap": [
            {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []},
            {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": []},
        ],
        "syscalls": [*_allowed(), *_refused()],
    }
    return Profile(name=NAME, json=strictjson.encode(document).decode())


def allowed_names() -> frozenset[str]:
    """Return every call that is allowed, with or without a condition."""
    return CONDITIONAL.union(*(group.names for group in GROUPS))


def _allowed() -> list[dict[str, object]]:
    names = sorted(set().union(*(group.names for group in GROUPS)))
    return [
        {"names": names, "action": "SCMP_ACT_ALLOW"},
        _when("clone", 0, CLONE_NAMESPACES, "SCMP_CMP_MASKED_EQ"),
        *(_when("socket", 0, family) for family in SOCKET_FAMILIES.values()),
        _when("socketpair", 0, SOCKET_FAMILIES["AF_UNIX"]),
        *(_when("personality", 0, value) for value in PERSONALITIES),
    ]


def _when(name: str, index: int, value: int, op: str = "SCMP_CMP_EQ") -> dict[str, object]:
    # For MASKED_EQ `value` is the mask, and `valueTwo` what must remain: nothing.
    argument = {"index": index, "value": value, "valueTwo": 0, "op": op}
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [argument]}


def _refused() -> list[dict[str, object]]:
    return [
        {
            "names": sorted(name for name, refused in REFUSED.items() if refused.errno == errno),
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": errno,
        }
        for errno in (EPERM, ENOSYS)
    ]
