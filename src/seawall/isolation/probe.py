"""The proof that a container is confined: tried from inside, read from the kernel outside.

Inside, a small program makes the calls that must not work and reports the error of each. Their
arguments are null or invalid, so that a call that *is* let through changes nothing. Outside, the
host's own /proc tells what the kernel enforces on the container's process. A check that cannot run
has failed.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seawall.core.errors import InvalidInputError
from seawall.isolation import capabilities

STATUS_FIELDS: Final = ("Seccomp", "NoNewPrivs", "CapEff", "CapBnd")
NAMESPACES: Final = ("mnt", "pid", "net", "ipc", "uts", "cgroup")
OUTPUT_MAX_CHARACTERS: Final = 64 * 1024

_REFUSED: Final = ("EPERM", "ENOSYS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check: what must be, what was seen."""

    name: str
    expected: str
    observed: str
    passed: bool


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A call that must fail with one of `errors`. `numbers` are of x86-64 and arm64."""

    name: str
    numbers: tuple[int, int]
    arguments: tuple[int, ...]
    errors: tuple[str, ...] = ("EPERM",)


_ATTEMPTS: Final = (
    _Attempt("unshare a user namespace", (272, 97), (0x1000_0000,)),
    _Attempt("clone into a user namespace", (56, 220), (0x1000_0011, 0, 0, 0, 0), _REFUSED),
    _Attempt("clone3", (435, 435), (0, 0), ("ENOSYS",)),
    _Attempt("join a namespace", (308, 268), (-1, 0)),
    _Attempt("mount", (165, 40), (0, 0, 0, 0, 0)),
    _Attempt("open a file system", (430, 430), (0, 0)),
    _Attempt("open a file by handle", (304, 265), (-1, 0, 0)),
    _Attempt("use kernel keys", (250, 219), (0, 0, 0)),
    _Attempt("load a BPF program", (321, 280), (0, 0, 0)),
    _Attempt("load a kernel module", (175, 105), (0, 0, 0)),
    _Attempt("use io_uring", (425, 425), (0, 0), ("ENOSYS",)),
    _Attempt("use userfaultfd", (323, 282), (-1,)),
    _Attempt("sample with perf", (298, 241), (0, 0, -1, -1, 0)),
    _Attempt("trace a process", (101, 117), (16, -1, 0, 0)),
    _Attempt("set the clock", (164, 170), (0, 0)),
    _Attempt("switch swap off", (168, 225), (0,)),
    _Attempt("read the kernel's log", (103, 116), (10, 0, 0)),
    _Attempt("open an AF_ALG socket", (41, 198), (38, 5, 0), _REFUSED),
    _Attempt("open it with a wide register", (41, 198), ((1 << 32) | 38, 5, 0), _REFUSED),
    _Attempt("open an AF_PACKET socket", (41, 198), (17, 3, 0), _REFUSED),
)
_DEVICE: Final = "make a device node"
_SYSCTL: Final = "write a kernel setting"
_MACHINES: Final = {"x86_64": 0, "aarch64": 1}

_PERL: Final = """
open(S, "/proc/self/status"); while (<S>) { print if /^(%(fields)s):/ }
sub tried { my ($name, $result) = @_; print "tried\\t$name\\t", ($result == -1 ? $!+0 : 0), "\\n" }
for (%(attempts)s) { my ($name, $nr, @a) = @$_; $! = 0; my $r = syscall($nr, @a);
  exit(0) if $r == 0 && $name =~ /^clone into/; tried($name, $r) }
my $path = "/tmp/.seawall-probe";
$! = 0; tried("%(device)s", syscall(%(mknodat)d, -100, $path, 0020600, 0x101)); unlink($path);
$! = 0; tried("%(sysctl)s", open(W, ">>", "/proc/sys/kernel/domainname") ? 0 : -1);
"""
_PYTHON: Final = """
import ctypes, os, re
print("".join(l for l in open("/proc/self/status") if re.match("(%(fields)s):", l)), end="")
c = ctypes.CDLL(None, use_errno=True).syscall
def tried(name, *a):
    ctypes.set_errno(0)
    r = c(*(ctypes.c_long(x) if isinstance(x, int) else x for x in a))
    if r == 0 and name.startswith("clone into"): os._exit(0)
    print("tried", name, ctypes.get_errno() if r == -1 else 0, sep="\\t", flush=True)
for a in (%(attempts)s): tried(*a)
tried("%(device)s", %(mknodat)d, -100, b"/tmp/.seawall-probe", 0o20600, 0x101)
try: os.unlink("/tmp/.seawall-probe")
except OSError: pass
try: open("/proc/sys/kernel/domainname", "a"); e = 0
except OSError as error: e = error.errno
print("tried", "%(sysctl)s", e, sep="\\t")
"""
_MKNODAT: Final = (259, 33)


def inside_command(machine: str = "x86_64") -> tuple[str, ...]:
    """Return the command to run in the container; it needs a shell, and perl or python3.

    `machine` is the host's, as `uname -m` prints it. Raises InvalidInputError for an unknown one.
    """
    if machine not in _MACHINES:
        raise InvalidInputError(f"no table of system calls for {machine[:40]!r}")
    column = _MACHINES[machine]
    rows = ",".join(
        f'["{a.name}",{a.numbers[column]},{",".join(map(str, a.arguments))}]' for a in _ATTEMPTS
    )
    values: dict[str, object] = {
        "fields": "|".join(STATUS_FIELDS),
        "attempts": rows,
        "device": _DEVICE,
        "sysctl": _SYSCTL,
        "mknodat": _MKNODAT[column],
    }
    script = (
        'if command -v perl >/dev/null 2>&1; then exec perl -e "$1"; fi; '
        'if command -v python3 >/dev/null 2>&1; then exec python3 -c "$2"; fi; '
        'echo "neither perl nor python3 in this image"'
    )
    return ("/bin/sh", "-c", script, "probe", _PERL % values, _PYTHON % values)


def judge_inside(output: str, *, granted: tuple[str, ...]) -> tuple[Finding, ...]:
    """Judge what `inside_command` printed; `granted` are the capabilities that were given."""
    lines = output[:OUTPUT_MAX_CHARACTERS].splitlines()
    status = {m[1]: m[2] for line in lines if (m := re.fullmatch(r"(\w+):\s+(\w+)", line))}
    tried = {m[1]: int(m[2]) for line in lines if (m := re.fullmatch(r"tried\t(.+)\t(\d+)", line))}
    expected = {a.name: a.errors for a in _ATTEMPTS}
    expected |= {_DEVICE: ("EPERM",), _SYSCTL: ("EROFS", "EACCES", "EPERM")}
    return (
        *_status("inside", status, granted),
        *(_attempted(name, tried.get(name), errors) for name, errors in expected.items()),
    )


def judge_outside(
    pid: int, *, granted: tuple[str, ...], pids_limit: int, root: Path = Path("/")
) -> tuple[Finding, ...]:
    """Judge the container's process `pid` by what the host's kernel says of it.

    `pid` is the host's number for it (`State.Pid` of inspect). `root` is where /proc and /sys lie.
    """
    process = root / "proc" / str(pid)
    status = dict(re.findall(r"^(\w+):\s+(\w+)$", _text(process / "status"), re.MULTILINE))
    pids = _pids_max(root, process)
    return (
        *_status("outside", status, granted),
        Finding(
            name="outside: pids.max of its cgroup",
            expected=str(pids_limit),
            observed=pids or "not found",
            passed=pids == str(pids_limit),
        ),
        *(_namespace(root, process, kind) for kind in NAMESPACES),
    )


def prove(
    run_inside: Callable[[tuple[str, ...]], str],
    pid: int,
    *,
    granted: tuple[str, ...],
    pids_limit: int,
    machine: str = "x86_64",
) -> tuple[Finding, ...]:
    """Try from inside through `run_inside` (such as `docker exec`), and look from outside."""
    return (
        *judge_inside(run_inside(inside_command(machine)), granted=granted),
        *judge_outside(pid, granted=granted, pids_limit=pids_limit),
    )


def _status(where: str, status: dict[str, str], granted: tuple[str, ...]) -> Iterator[Finding]:
    bits = capabilities.mask(granted)
    wanted = {"Seccomp": "2", "NoNewPrivs": "1", "CapBnd": f"{bits:016x}"}
    for name, value in wanted.items():
        seen = status.get(name, "not seen")
        yield Finding(
            name=f"{where}: {name}", expected=value, observed=seen, passed=seen.lower() == value
        )
    effective = status.get("CapEff", "not seen")
    yield Finding(
        name=f"{where}: CapEff",
        expected=f"nothing beyond {bits:016x}",
        observed=effective,
        passed=_is_hex(effective) and not int(effective, 16) & ~bits,
    )


def _attempted(name: str, number: int | None, errors: tuple[str, ...]) -> Finding:
    if number is None:
        observed = "not tried"
    else:
        observed = errno.errorcode.get(number, str(number)) if number else "it worked"
    return Finding(
        name=f"inside: {name}",
        expected=" or ".join(errors),
        observed=observed,
        passed=observed in errors,
    )


def _namespace(root: Path, process: Path, kind: str) -> Finding:
    own, hosts = _link(process / "ns" / kind), _link(root / "proc/self/ns" / kind)
    return Finding(
        name=f"outside: {kind} namespace",
        expected="another than the host's",
        observed=own or "not found",
        passed=bool(own and hosts and own != hosts),
    )


def _pids_max(root: Path, process: Path) -> str:
    for line in _text(process / "cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if "pids" in controllers.split(","):
            return _text(root / f"sys/fs/cgroup/pids{path}/pids.max").strip()
    unified = re.search(r"^0::(.*)$", _text(process / "cgroup"), re.MULTILINE)
    return _text(root / f"sys/fs/cgroup{unified[1]}/pids.max").strip() if unified else ""


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(OUTPUT_MAX_CHARACTERS)
    except OSError:
        return ""


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""


def _is_hex(text: str) -> bool:
    return re.fullmatch(r"[0-9a-fA-F]{1,16}", text) is not None
