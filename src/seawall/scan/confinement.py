"""Give up everything that reading a layer does not need: for good, in this process.

1. limits of memory, time, file size and open files, and no core dump;
2. no new privileges, and no look into this process from outside;
3. a network of its own, which is empty, where the kernel allows that;
4. no root: user and group `nobody`, no other groups;
5. a seccomp filter that refuses sockets, programs, processes, and doors into the kernel.

Steps 3 and 5 depend on the kernel; what cannot be had is left out and named in the result, since
step 5 alone also takes the network away. (prctl(2), seccomp(2), user_namespaces(7))
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
from dataclasses import dataclass
from typing import Final

from seawall.core.limits import GIB, MIB

NOBODY: Final = 65534


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the process may use."""

    memory_bytes: int = 1536 * MIB
    """Address space: files that are mapped count."""
    cpu_seconds: int = 600
    wall_seconds: float = 600.0
    file_bytes: int = 2 * GIB
    open_files: int = 64


_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 4, 22, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SECCOMP_MODE_FILTER: Final = 2

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050001, 0x80000000  # refuse: EPERM

_CALLS: Final[dict[str, tuple[int, str]]] = {
    # socket connect accept sendmsg bind listen accept4 socketpair, clone fork vfork execve,
    # kill tkill tgkill, ptrace, mount umount2 pivot_root chroot, keyctl add_key request_key,
    # perf_event_open, process_vm_*, setns unshare, bpf, userfaultfd, execveat, pidfd_*, io_uring_*,
    # clone3, open_tree … fsmount, init_module finit_module, kexec_load
    "x86_64": (
        0xC000003E,
        "41 42 43 46 49 50 53 288 56 57 58 59 62 200 234 101 165 166 155 161 248 249 250 298 "
        "310 311 308 272 321 323 322 424 434 438 425 426 427 435 428 429 430 431 432 175 313 246",
    ),
    "aarch64": (
        0xC00000B7,
        "198 199 200 201 202 203 211 242 220 221 129 130 131 117 40 39 41 51 217 218 219 241 270 "
        "271 268 97 280 282 281 424 434 438 425 426 427 435 428 429 430 431 432 105 273 104",
    ),
}
"""Architecture for the kernel's audit, and the numbers of what is refused."""


def confine(bounds: Bounds) -> tuple[str, ...]:
    """Take the steps above in their order; return what could not be had.

    Raises OSError when a limit cannot be set: then nothing may be read.
    """
    # 1.
    for kind, value in (
        (resource.RLIMIT_AS, bounds.memory_bytes),
        (resource.RLIMIT_CPU, bounds.cpu_seconds),
        (resource.RLIMIT_FSIZE, bounds.file_bytes),
        (resource.RLIMIT_NOFILE, bounds.open_files),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process, also inside of C code
    signal.setitimer(signal.ITIMER_REAL, bounds.wall_seconds)
    libc = ctypes.CDLL(None, use_errno=True)
    missing: list[str] = []
    # 3. (before 2.: a namespace of its own needs privileges that must not be new)
    is_root = os.geteuid() == 0
    if libc.unshare(_CLONE_NEWNET if is_root else _CLONE_NEWUSER | _CLONE_NEWNET):
        missing.append("a network of its own")
    # 4.
    if is_root:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    # 2.
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        missing.append("no new privileges")
    # 5.
    if not _filter_calls(libc):
        missing.append("a filter of system calls")
    return tuple(missing)


def _filter_calls(libc: ctypes.CDLL) -> bool:
    architecture, numbers = _CALLS.get(platform.machine(), (0, ""))
    if not numbers:
        return False
    program = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL)]
    program += [(_LOAD, 0, 0, 0), (_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _REFUSE)]
    for number in numbers.split():
        program += [(_EQUAL, 0, 1, int(number)), (_RETURN, 0, 0, _REFUSE)]
    program.append((_RETURN, 0, 0, _ALLOW))
    code = b"".join(struct.pack("<HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    described = struct.pack("@HxxxxxxQ", len(program), ctypes.addressof(buffer))
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, described, 0, 0) == 0)
