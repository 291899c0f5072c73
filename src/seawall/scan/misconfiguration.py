"""How an image is built and configured: what helps an attacker (CIS Docker Benchmark, section 4).

Pure functions over the config, its history or a Dockerfile, and over the mode of a file. Each rule
has a name that stays, the number of the benchmark where there is one, and a remedy. What an image's
history says is its own claim: its silence proves nothing, its words are enough for a warning.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from seawall.core import strictjson
from seawall.core.errors import SeawallError
from seawall.core.strictjson import Json
from seawall.scan import instructions, secrets
from seawall.scan.instructions import Instruction
from seawall.scan.model import Weakness, WeaknessKind
from seawall.scan.severity import Severity

CONFIG_MAX_BYTES: Final = 8 * 1024 * 1024
EVIDENCE_MAX_CHARS: Final = 160

_SETUID_KNOWN: Final = frozenset({
    "bin/mount", "bin/su", "bin/umount", "sbin/unix_chkpwd", "usr/bin/chage", "usr/bin/chfn",
    "usr/bin/chsh", "usr/bin/crontab", "usr/bin/expiry", "usr/bin/gpasswd", "usr/bin/mount",
    "usr/bin/newgrp", "usr/bin/passwd", "usr/bin/ssh-agent", "usr/bin/su", "usr/bin/umount",
    "usr/bin/wall", "usr/bin/write", "usr/lib/openssh/ssh-keysign", "usr/sbin/unix_chkpwd",
})  # fmt: skip
"""Programs that distributions ship so."""

_SET_IDS: Final = stat.S_ISUID | stat.S_ISGID
_CAPABILITIES: Final = {
    0: "cap_chown", 1: "cap_dac_override", 2: "cap_dac_read_search", 3: "cap_fowner",
    4: "cap_fsetid", 5: "cap_kill", 6: "cap_setgid", 7: "cap_setuid", 8: "cap_setpcap",
    10: "cap_net_bind_service", 12: "cap_net_admin", 13: "cap_net_raw", 14: "cap_ipc_lock",
    16: "cap_sys_module", 17: "cap_sys_rawio", 18: "cap_sys_chroot", 19: "cap_sys_ptrace",
    21: "cap_sys_admin", 23: "cap_sys_nice", 25: "cap_sys_time", 27: "cap_mknod", 31: "cap_setfcap",
    38: "cap_perfmon", 39: "cap_bpf",
}  # fmt: skip
"""By their numbers in linux/capability.h; those that are seen on files."""

_GRANTS_KNOWN: Final = frozenset({"cap_net_bind_service", "cap_net_raw"})
"""What distributions grant to `ping` and the like."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A rule about the text of instructions with one of these keywords."""

    rule: str
    title: str
    severity: Severity
    keywords: tuple[str, ...]
    pattern: re.Pattern[str]
    remedy: str


_PATTERNS: Final = (
    _Pattern(
        "add-remote", "ADD fetches from the network (CIS 4.9)", Severity.MEDIUM, ("ADD",),
        re.compile(r"^(?!.*--checksum).*\b(?:https?|ftp)://"),
        "fetch it with RUN and check its digest, or use ADD --checksum",
    ),
    _Pattern(
        "pipe-to-shell", "a script from the network is run unseen", Severity.HIGH, ("RUN",),
        re.compile(r"\b(?:curl|wget)\b[^|;&]*\|\s*(?:sudo\s+)?(?:/bin/)?(?:ba|da|z)?sh\b"),
        "fetch it, check its digest, then run it",
    ),
    _Pattern(
        "no-tls-check", "the peer of a download is not checked", Severity.HIGH, ("RUN",),
        re.compile(
            r"\bcurl\b[^|;&]*\s(?:-[a-zA-Z]*k[a-zA-Z]*|--insecure)(?:\s|$)"
            r"|\bwget\b[^|;&]*--no-check-certificate|\bpip3?\b[^|;&]*--trusted-host"
            r"|strict-ssl\s+false|http\.sslVerify[= ]false"
        ),
        "install the CA certificate that is missing",
    ),
    _Pattern(
        "unsigned-packages", "packages are installed without their signatures", Severity.HIGH,
        ("RUN",),
        re.compile(
            r"--allow-unauthenticated|--force-yes|--nogpgcheck|--no-gpg-checks|--allow-untrusted"
            r"|Acquire::AllowInsecureRepositories|\[trusted=yes\]"
        ),
        "import the key of the repository instead",
    ),
    _Pattern(
        "world-writable", "everybody may write (chmod 777)", Severity.MEDIUM, ("RUN",),
        re.compile(r"\bchmod\b[^|;&]*\s(?:[0-7]?[0-7]{2}[2367]|(?:a|o|ugo)\+[rx]*w[rx]*)(?:\s|$)"),
        "give the one user that needs it the right",
    ),
    _Pattern(
        "sudo", "sudo is installed or used (CIS 4.8)", Severity.LOW, ("RUN",),
        re.compile(r"(?:\binstall\b[^|;&]*\ssudo\b|(?:^|[;&|]\s*)sudo\s)"),
        "use USER for what needs another user, and leave sudo out",
    ),
    _Pattern(
        "upgrade-all", "a whole upgrade makes builds that cannot be repeated", Severity.NEGLIGIBLE,
        ("RUN",), re.compile(r"\bapt(?:-get)?\b[^|;&]*\bdist-upgrade\b"),
        "use a newer base image",
    ),
    _Pattern(
        "ssh-server", "the image offers SSH", Severity.MEDIUM, ("EXPOSE",),
        re.compile(r"(?:^|\s)22(?:/tcp)?(?:\s|$)"), "enter containers with docker exec",
    ),
    _Pattern(
        "onbuild", "ONBUILD does something in whatever is built upon it", Severity.NEGLIGIBLE,
        ("ONBUILD",), re.compile(r"."), "write the instruction where it is needed",
    ),
)  # fmt: skip


def of_config(config: bytes | None, *, layers: Sequence[str] = ()) -> tuple[Weakness, ...]:
    """Return what is wrong with an image's config and its history, in a fixed order.

    `layers` are the digests of its layers, lowest first. A config that does not parse says nothing.
    """
    if config is None:
        return ()
    try:
        document = strictjson.decode_object(config, max_bytes=CONFIG_MAX_BYTES)
    except SeawallError:
        return ()
    inner = document.get("config")
    settings = inner if isinstance(inner, dict) else {}
    told = instructions.of_history(config, max_bytes=CONFIG_MAX_BYTES)
    found = [
        *_of_user(_text(settings.get("User"))),
        *_of_healthcheck(settings.get("Healthcheck")),
        *secrets.in_variables(_texts(settings.get("Env"))),
        *_of_exposed(settings.get("ExposedPorts")),
        *_of_instructions(told, layers),
    ]
    return _sorted(found)


def of_dockerfile(content: bytes, *, path: str) -> tuple[Weakness, ...]:
    """Return what is wrong with a Dockerfile. Raises InvalidInputError, LimitError."""
    told = instructions.of_dockerfile(content)
    stages = [number for number, one in enumerate(told) if one.keyword == "FROM"]
    last = told[stages[-1] :]
    users = [one.text for one in last if one.keyword == "USER"]
    checks = [one.text for one in last if one.keyword == "HEALTHCHECK"]
    found = [
        *_of_user(users[-1] if users else ""),
        *_of_healthcheck({"Test": [checks[-1]]} if checks else None),
        *_of_bases(told),
        *_of_variables(told),
        *_of_instructions(told, ()),
    ]
    placed = [_at(one, path) for one in found]
    return _sorted(placed)


def of_mode(path: str, mode: int, capabilities: bytes = b"", *, owner: str = "") -> Weakness | None:
    """Return what is wrong with the rights of a program (CIS 4.8); `path` is relative to the root.

    `capabilities` are the file's, as in capabilities(7), `owner` the package that it is of. What
    distributions ship so is no news and is not told.
    """
    relative = path.lstrip("/")
    granted = _capabilities_of(capabilities)
    is_known = relative in _SETUID_KNOWN or (not mode & _SET_IDS and granted <= _GRANTS_KNOWN)
    if not stat.S_IMODE(mode) & 0o111 or (owner and is_known):
        return None
    severity = Severity.MEDIUM if owner else Severity.HIGH
    if mode & stat.S_ISUID:
        kind, what = "setuid", "its owner's rights (setuid, CIS 4.8)"
    elif granted:
        kind, what = "file-capabilities", "capabilities of its own (CIS 4.8)"
    elif mode & stat.S_ISGID:
        kind, what = "setgid", "its group's rights (setgid, CIS 4.8)"
        severity = Severity.LOW
    else:
        return None
    told = [f"mode {stat.S_IMODE(mode):04o}", ", ".join(sorted(granted))]
    told.append(f"of {owner}" if owner else "of no package")
    undo = "setcap -r" if kind == "file-capabilities" else f"chmod {kind[3]}-s"
    return Weakness(
        kind=WeaknessKind.CONFIGURATION,
        rule=kind,
        title=f"a program runs with {what}",
        severity=severity,
        evidence=", ".join(filter(None, told)),
        remedy=f"RUN {undo} /{relative}, or run containers with no-new-privileges",
        path=f"/{relative}",
    )


def _capabilities_of(attribute: bytes) -> frozenset[str]:
    """Return what `security.capability` permits (linux/capability.h, revisions 1 to 3)."""
    if len(attribute) < 12:
        return frozenset()
    masks = [int.from_bytes(attribute[at : at + 4], "little") for at in (4, 12)]
    permitted = masks[0] | masks[1] << 32 if len(attribute) >= 20 else masks[0]
    return frozenset(
        _CAPABILITIES.get(number, f"cap_{number}")
        for number in range(64)
        if permitted >> number & 1
    )


def _weakness(
    rule: str, title: str, severity: Severity, evidence: str, remedy: str, *, line: int = 0
) -> Weakness:
    return Weakness(
        kind=WeaknessKind.CONFIGURATION,
        rule=rule,
        title=title,
        severity=severity,
        evidence=_shortened(evidence),
        remedy=remedy,
        line=line,
    )


def _of_user(user: str) -> Iterator[Weakness]:
    name = user.partition(":")[0].strip()
    if name in ("", "0", "root"):
        said = f"USER {user}" if user else "no USER"
        yield _weakness(
            "user-is-root", "processes run as root (CIS 4.1)", Severity.MEDIUM, said,
            "add USER with a number above 0",
        )  # fmt: skip


def _of_healthcheck(value: Json) -> Iterator[Weakness]:
    test = value.get("Test") if isinstance(value, dict) else None
    words = [one for one in test if isinstance(one, str)] if isinstance(test, list) else []
    if not words or words[0] == "NONE":
        yield _weakness(
            "no-healthcheck", "nothing tells whether it is well (CIS 4.6)", Severity.NEGLIGIBLE,
            "no HEALTHCHECK", "add HEALTHCHECK, or let the orchestrator ask",
        )  # fmt: skip


def _of_exposed(value: Json) -> Iterator[Weakness]:
    if isinstance(value, dict) and "22/tcp" in value:
        yield _weakness(
            "ssh-server", "the image offers SSH", Severity.MEDIUM, "EXPOSE 22/tcp",
            "enter containers with docker exec",
        )  # fmt: skip


def _of_bases(told: Iterable[Instruction]) -> Iterator[Weakness]:
    stages: set[str] = set()
    for one in told:
        if one.keyword != "FROM":
            continue
        words = [word for word in one.text.split() if not word.startswith("--")]
        base = words[0] if words else ""
        is_own = base.lower() in stages or base == "scratch" or "$" in base
        if len(words) == 3 and words[1].lower() == "as":
            stages.add(words[2].lower())
        last = base.rpartition("/")[2]
        if is_own or "@" in base:
            continue
        if ":" not in last or last.endswith(":latest"):
            yield _weakness(
                "base-without-version", "the base image is whatever is newest", Severity.MEDIUM,
                f"FROM {base}", "name a version, best with its digest", line=one.line,
            )  # fmt: skip
        else:
            yield _weakness(
                "base-without-digest", "the base image may change under its tag",
                Severity.NEGLIGIBLE, f"FROM {base}", f"write FROM {base}@sha256:…", line=one.line,
            )  # fmt: skip


def _of_variables(told: Iterable[Instruction]) -> Iterator[Weakness]:
    for one in told:
        if one.keyword not in ("ENV", "ARG"):
            continue
        text = one.text
        if one.keyword == "ENV" and "=" not in text.partition(" ")[0]:
            text = text.replace(" ", "=", 1)
        for found in secrets.in_variables(text.split() if "=" in text else []):
            yield _moved(found, line=one.line)


def _of_instructions(told: Sequence[Instruction], layers: Sequence[str]) -> Iterator[Weakness]:
    for one in told:
        for rule in _PATTERNS:
            if one.keyword in rule.keywords and (match := rule.pattern.search(one.text)):
                start = max(0, match.start() - 20)
                evidence = f"{one.keyword} {one.text[start : start + EVIDENCE_MAX_CHARS]}"
                found = _weakness(
                    rule.rule, rule.title, rule.severity, evidence, rule.remedy, line=one.line
                )
                yield _in_layer(_without_secrets(found), one, layers)
        if one.keyword == "RUN":
            yield from (_in_layer(found, one, layers) for found in _of_run(one))
        if one.keyword == "ADD" and one.line and not _is_archive_or_remote(one.text):
            yield _weakness(
                "add-local", "ADD where COPY would do (CIS 4.9)", Severity.NEGLIGIBLE,
                f"ADD {one.text}", "use COPY", line=one.line,
            )  # fmt: skip


def _of_run(one: Instruction) -> Iterator[Weakness]:
    does_update = re.search(r"\bapt(?:-get)? update\b", one.text)
    if does_update and not re.search(r"\b(?:install|upgrade)\b", one.text):
        yield _weakness(
            "update-alone", "apt-get update in a layer of its own (CIS 4.7)", Severity.LOW,
            f"RUN {one.text}", "update and install in one RUN", line=one.line,
        )  # fmt: skip
    is_kept = re.search(r"\bapt(?:-get)? (?:-\S+ )*install\b", one.text) and not re.search(
        r"/var/lib/apt/lists|--mount=type=cache|apt(?:-get)? (?:dist)?clean", one.text
    )
    if is_kept:
        yield _weakness(
            "package-lists-kept", "package lists stay in the layer", Severity.NEGLIGIBLE,
            f"RUN {one.text}", "end it with: rm -rf /var/lib/apt/lists/*", line=one.line,
        )  # fmt: skip
    for found in secrets.find(one.text.encode(), ""):
        yield _moved(found, line=one.line)


def _is_archive_or_remote(text: str) -> bool:
    return bool(re.search(r"://|git@|\.(?:tar|tgz|txz|tar\.\w+)(?:\s|$)|--checksum", text))


def _without_secrets(found: Weakness) -> Weakness:
    """Keep a secret out of the evidence of another rule."""
    if secrets.find(found.evidence.encode(), "") or secrets.in_variables(found.evidence.split()):
        return _replaced(found, evidence=found.evidence.partition(" ")[0] + " …")
    return found


def _in_layer(found: Weakness, one: Instruction, layers: Sequence[str]) -> Weakness:
    if not 0 <= one.layer_index < len(layers):
        return found
    return _replaced(found, layer=str(layers[one.layer_index]), layer_index=one.layer_index)


def _moved(found: Weakness, *, line: int) -> Weakness:
    return _replaced(found, line=line)


def _at(found: Weakness, path: str) -> Weakness:
    return _replaced(found, path=path)


def _replaced(found: Weakness, **changes: object) -> Weakness:
    return msgspec.structs.replace(found, **changes)


def _shortened(text: str) -> str:
    shown = "".join(c if c.isprintable() else " " for c in text[: EVIDENCE_MAX_CHARS + 1])
    return shown if len(shown) <= EVIDENCE_MAX_CHARS else shown[: EVIDENCE_MAX_CHARS - 1] + "…"


def _sorted(found: Iterable[Weakness]) -> tuple[Weakness, ...]:
    unique = dict.fromkeys(found)
    return tuple(
        sorted(
            unique,
            key=lambda one: (-one.severity.rank, one.layer_index, one.line, one.rule, one.evidence),
        )
    )


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Json) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
