"""Secrets that lie in files of an image: key material, tokens, passwords. Pure, and quick.

Few false alarms are worth more than many finds: a pattern alone proves nothing. Every candidate is
verified, by a checksum where the token has one, by decoding what must decode, else by its entropy;
and what looks like a placeholder, an example or a template is dropped. Files of installed packages,
documentation and tests are not looked into (`is_candidate`): whoever installs the package has the
same "secret".

A secret is never shown whole, nor so much of it that the rest could be guessed: a known prefix and
the length. Nothing of the content is kept elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import math
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import ahocorasick_rs

from seawall.core.limits import KIB, MIB
from seawall.scan.model import Weakness, WeaknessKind
from seawall.scan.severity import Severity

MAX_FILE_BYTES: Final = MIB
"""A larger file is data, not configuration."""

MAX_FOUND: Final = 50
"""Secrets that are told of one file."""

_BINARY_HEAD: Final = 8 * KIB

_SKIPPED_ROOTS: Final = (
    "bin/", "boot/", "dev/", "lib/", "lib32/", "lib64/", "proc/", "sbin/", "sys/", "usr/bin/",
    "usr/include/", "usr/lib/", "usr/lib32/", "usr/lib64/", "usr/libexec/", "usr/sbin/",
    "usr/share/", "usr/src/", "var/cache/", "var/lib/apt/", "var/lib/dpkg/", "var/lib/rpm/",
)  # fmt: skip
"""Where distributions install; `usr/local` and `opt` are not theirs."""

_SKIPPED_PARTS: Final = re.compile(
    r"(?:^|/)(?:site-packages|dist-packages|node_modules|bower_components|gems|pkg/mod|\.cargo/registry"
    r"|__pycache__|tests?|testdata|test_data|fixtures|examples?|samples?|docs?|man|locale)(?:/|$)"
)
_SKIPPED_ENDINGS: Final = (
    ".a", ".avif", ".bz2", ".css", ".deb", ".gif", ".gz", ".html", ".ico", ".jar", ".jpg", ".jpeg",
    ".map", ".md", ".mo", ".mp3", ".mp4", ".o", ".pdf", ".png", ".po", ".pyc", ".rst", ".so",
    ".svg", ".tar", ".ttf", ".webp", ".whl", ".woff", ".woff2", ".xz", ".zip", ".zst",
)  # fmt: skip

_PLACEHOLDER: Final = re.compile(
    rb"(?i)example|sample|placeholder|change.?me|dummy|redacted|your[-_ ]"
    rb"|my[-_]?(?:secret|token|pass)|x{4}|\*{3}|\.{3}|0{6}|1234567|abcdef|deadbeef|[<>{}$%]|^test|secret$|^password"
)
_DOTENV: Final = re.compile(r"(?:^|/)(?:\.env(?:\.[\w.-]+)?|[\w.-]+\.env)$")


@dataclass(frozen=True, slots=True)
class _Rule:
    """One kind of secret. Group 1 of the pattern is the secret; `anchor` must stand in the file."""

    name: str
    title: str
    severity: Severity
    anchor: bytes
    pattern: re.Pattern[bytes]
    verify: Callable[[bytes], bool]
    shown: int = 0  # characters of a known prefix


def is_candidate(path: str, size: int) -> bool:
    """Tell whether a file is worth reading for secrets; `path` is relative to the root."""
    if not 8 <= size <= MAX_FILE_BYTES:
        return False
    relative = path.lstrip("/")
    return not (
        relative.startswith(_SKIPPED_ROOTS)
        or relative.lower().endswith(_SKIPPED_ENDINGS)
        or _SKIPPED_PARTS.search(relative)
    )


def find(
    content: bytes, path: str, *, layer: str = "", layer_index: int = -1
) -> tuple[Weakness, ...]:
    """Return the secrets in a file, in their order; `path` is absolute inside the image.

    Binary content holds none that are told. At most `MAX_FOUND`.
    """
    if b"\0" in content[:_BINARY_HEAD]:
        return ()
    # Where two rules find the same, the first is the more special one.
    by_place = {hit.start: hit for hit in reversed(list(_hits(content, path)))}
    hits = sorted(by_place.values(), key=_place)
    return tuple(
        Weakness(
            kind=WeaknessKind.SECRET,
            rule=hit.rule,
            title=hit.title,
            severity=hit.severity,
            evidence=hit.evidence,
            remedy="make it void where it is valid, build without it, pass it at run time",
            path=path,
            line=content.count(b"\n", 0, hit.start) + 1,
            layer=layer,
            layer_index=layer_index,
        )
        for hit in hits[:MAX_FOUND]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hit:
    start: int
    rule: str
    title: str
    severity: Severity
    evidence: str


def _place(hit: _Hit) -> int:
    return hit.start


def _hits(content: bytes, path: str) -> Iterator[_Hit]:
    anchors = _anchors_in(content)
    if _KEY_ANCHOR in anchors:
        yield from _private_keys(content)
    for rule in _RULES:
        if rule.anchor in anchors:
            yield from _by_rule(rule, content)
    name = path.rpartition("/")[2]
    if name in ("config.json", ".dockercfg", ".dockerconfigjson") and b'"auth"' in content:
        yield from _by_rule(_DOCKER_AUTH, content)
    if name in ("shadow", "shadow-") and b":$" in content:
        yield from _by_rule(_SHADOW, content)
    if _DOTENV.search(path):
        yield from assignments(content)


def _anchors_in(content: bytes) -> set[bytes]:
    """Return the anchors that stand in the content; one pass for all of them."""
    anchors, automaton = _automaton()
    hits = automaton.find_matches_as_indexes(content, overlapping=True)
    return {anchors[number] for number, _, _ in hits}


@functools.cache
def _automaton() -> tuple[list[bytes], ahocorasick_rs.BytesAhoCorasick]:
    anchors = sorted({_KEY_ANCHOR, *(rule.anchor for rule in _RULES)})
    return anchors, ahocorasick_rs.BytesAhoCorasick(
        anchors, implementation=ahocorasick_rs.Implementation.DFA
    )


def _by_rule(rule: _Rule, content: bytes) -> Iterator[_Hit]:
    for match in rule.pattern.finditer(content):
        secret = match[1]
        if rule.verify(secret):
            yield _Hit(
                start=match.start(1),
                rule=rule.name,
                title=rule.title,
                severity=rule.severity,
                evidence=_shown(secret, rule.shown),
            )


def _shown(secret: bytes, prefix: int) -> str:
    head = secret[:prefix].decode("ascii", "replace")
    return f"{head}… ({len(secret)} characters)"


def entropy(text: bytes) -> float:
    """Return Shannon's entropy in bits a character."""
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())


def is_placeholder(secret: bytes) -> bool:
    """Tell whether a value stands for one that is put there later."""
    return _PLACEHOLDER.search(secret) is not None


# -- keys

_KEY_ANCHOR: Final = b"PRIVATE KEY"
_KEY: Final = re.compile(
    rb"-----BEGIN ([A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?)-----"
    rb"((?:[^-]|-(?!----)){32,20000})-----END \1-----"
)
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/=]")


def _private_keys(content: bytes) -> Iterator[_Hit]:
    for match in _KEY.finditer(content):
        kind, body = match[1].decode(), match[2]
        is_encrypted = "ENCRYPTED" in kind or b"Proc-Type: 4,ENCRYPTED" in body
        if not _is_key_material(kind, body, is_encrypted=is_encrypted):
            continue
        yield _Hit(
            start=match.start(),
            rule="private-key",
            title="Private key, encrypted" if is_encrypted else "Private key",
            severity=Severity.MEDIUM if is_encrypted else Severity.HIGH,
            evidence=f"BEGIN {kind} ({len(match[0])} bytes)",
        )


def _is_key_material(kind: str, body: bytes, *, is_encrypted: bool) -> bool:
    """Decode the body: what is no DER and no OpenSSH key is an example or a template."""
    lines = [line for line in re.split(rb"\\n|\\r|\r|\n", body) if b":" not in line]
    if "PGP" in kind:
        lines = [line for line in lines if not line.startswith(b"=")]  # its checksum
    packed = _NOT_BASE64.sub(b"", b"".join(lines))
    try:
        plain = base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except binascii.Error:
        return False
    if len(plain) < 32 or entropy(plain) < 4.0:
        return False
    if "PGP" in kind:
        return bool(plain[0] & 0x80)  # the tag of a packet (RFC 9580, 4.2)
    if plain.startswith(b"openssh-key-v1\0"):
        return True
    if "SIGSTORE" in kind or "COSIGN" in kind:
        return plain.startswith(b"{")
    return is_encrypted or plain[0] == 0x30  # DER: a sequence


# -- tokens


def _random(least: float) -> Callable[[bytes], bool]:
    """Verify by entropy, in bits a character."""

    def verify(secret: bytes) -> bool:
        return entropy(secret) >= least and not is_placeholder(secret)

    return verify


_BASE62: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def has_checksum(token: bytes) -> bool:
    """Verify a token of GitHub or npm: its last six characters are the CRC-32 of the 30 before."""
    body, said = token[-36:-6], token[-6:]
    number, digits = zlib.crc32(body), b""
    for _ in range(6):
        number, rest = divmod(number, 62)
        digits = _BASE62[rest : rest + 1] + digits
    return digits == said


def _is_hub_token(secret: bytes) -> bool:
    return has_checksum(secret) or (entropy(secret[4:]) >= 4.3 and not is_placeholder(secret))


def _is_access_key(secret: bytes) -> bool:
    """Verify an id of AWS: base32, and not the one of its documentation."""
    return not secret.endswith(b"EXAMPLE") and entropy(secret[4:]) >= 3.0


def _is_web_token(secret: bytes) -> bool:
    """Verify a JSON Web Token (RFC 7519): its header and its claims are JSON, and it is signed."""
    parts = secret.split(b".")
    try:
        header, claims = (json.loads(_unpadded(part)) for part in parts[:2])
    except (ValueError, RecursionError):
        return False
    if not isinstance(header, dict) or not isinstance(claims, dict):
        return False
    return str(header.get("alg", "none")).lower() != "none" and "iss" in claims | header


def _unpadded(text: bytes) -> bytes:
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))


def _is_login(secret: bytes) -> bool:
    """Verify what `docker login` writes: name and password, in base64."""
    try:
        user, colon, password = base64.b64decode(secret, validate=True).partition(b":")
    except binascii.Error:
        return False
    return bool(user and colon and len(password) >= 4) and not is_placeholder(password)


def _is_packed_key(secret: bytes) -> bool:
    """Verify base64 of a private key in PEM."""
    try:
        return any(_private_keys(base64.b64decode(secret, validate=True)))
    except binascii.Error:
        return False


def _is_hash(secret: bytes) -> bool:
    return entropy(secret) >= 3.5


def _is_password(secret: bytes) -> bool:
    return len(secret) >= 8 and entropy(secret) >= 2.5 and not is_placeholder(secret)


def _rule(
    name: str,
    title: str,
    anchor: bytes,
    pattern: bytes,
    verify: Callable[[bytes], bool],
    *,
    shown: int = 0,
    severity: Severity = Severity.HIGH,
) -> _Rule:
    return _Rule(name, title, severity, anchor, re.compile(pattern), verify, shown)


_EDGE: Final = rb"(?<![A-Za-z0-9_-])"
_END: Final = rb"(?![A-Za-z0-9_-])"


def _token(
    name: str, title: str, prefix: bytes, rest: bytes, least: float, *, shown: int = 0
) -> _Rule:
    pattern = _EDGE + b"(" + prefix + rest + b")" + _END
    return _rule(name, title, prefix, pattern, _random(least), shown=shown or len(prefix))


_DOCKER_AUTH: Final = _rule(
    "docker-login", "Login of a registry", b'"auth"',
    rb'"auth"\s*:\s*"([A-Za-z0-9+/=]{8,2000})"', _is_login,
)  # fmt: skip

_SHADOW: Final = _rule(
    "password-hash", "Password of a user, hashed", b":$",
    rb"(?m)^[a-z_][a-z0-9_-]{0,31}:(\$[a-z0-9]{1,8}\$[^:\n]{10,300}):", _is_hash,
    severity=Severity.MEDIUM,
)  # fmt: skip

_RULES: Final = (
    _rule("aws-access-key", "Access key id of AWS", b"AKIA",
          _EDGE + rb"(AKIA[A-Z2-7]{16})" + _END, _is_access_key, shown=4,
          severity=Severity.MEDIUM),
    _rule("aws-secret-key", "Secret access key of AWS", b"ecret",
          rb"(?i)aws.{0,20}secret.{0,30}?[=:]\s{0,3}[\"']?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
          _random(4.0), severity=Severity.CRITICAL),
    *(
        _rule("github-token", "Token of GitHub", prefix,
              _EDGE + b"(" + prefix + rb"[A-Za-z0-9]{36})" + _END, _is_hub_token, shown=4,
              severity=Severity.CRITICAL)
        for prefix in (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_")
    ),
    _token("github-token", "Token of GitHub", b"github_pat_",
           rb"[A-Za-z0-9]{22}_[A-Za-z0-9]{59}", 4.3),
    _rule("npm-token", "Token of npm", b"npm_", _EDGE + rb"(npm_[A-Za-z0-9]{36})" + _END,
          _is_hub_token, shown=4, severity=Severity.CRITICAL),
    _token("gitlab-token", "Token of GitLab", b"glpat-", rb"[A-Za-z0-9_-]{20}", 3.5),
    _token("gitlab-token", "Runner token of GitLab", b"glrt-", rb"[A-Za-z0-9_-]{20}", 3.5),
    _token("pypi-token", "Token of PyPI", b"pypi-AgEIcHlwaS5vcmc", rb"[A-Za-z0-9_-]{50,400}", 4.3,
           shown=5),
    _token("slack-token", "Token of Slack", b"xoxb-",
           rb"[0-9]{10,13}-[0-9]{10,13}-[A-Za-z0-9]{24}", 3.5),
    _token("slack-token", "Token of Slack", b"xoxp-",
           rb"[0-9]{10,13}-[0-9]{10,13}-[A-Za-z0-9-]{24,64}", 3.5),
    _rule("slack-webhook", "Webhook of Slack", b"hooks.slack.com/services/",
          rb"https://hooks\.slack\.com/services/(T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/[A-Za-z0-9]{24})",
          _random(3.8)),
    _token("google-key", "API key of Google", b"AIza", rb"[A-Za-z0-9_-]{35}", 4.0),
    _token("stripe-key", "Live key of Stripe", b"sk_live_", rb"[A-Za-z0-9]{24,99}", 3.8),
    _token("stripe-key", "Live key of Stripe", b"rk_live_", rb"[A-Za-z0-9]{24,99}", 3.8),
    _token("sendgrid-key", "Key of SendGrid", b"SG.",
           rb"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", 4.3),
    _token("openai-key", "Key of OpenAI", b"sk-proj-", rb"[A-Za-z0-9_-]{40,200}", 4.3),
    _token("anthropic-key", "Key of Anthropic", b"sk-ant-api03-", rb"[A-Za-z0-9_-]{93}AA", 4.5),
    _token("huggingface-token", "Token of Hugging Face", b"hf_", rb"[A-Za-z]{34}", 4.0),
    _token("digitalocean-token", "Token of DigitalOcean", b"dop_v1_", rb"[0-9a-f]{64}", 3.3),
    _token("shopify-token", "Token of Shopify", b"shpat_", rb"[0-9a-fA-F]{32}", 3.0),
    _token("databricks-token", "Token of Databricks", b"dapi", rb"[0-9a-f]{32}", 3.0),
    _token("vault-token", "Token of Vault", b"hvs.", rb"[A-Za-z0-9_-]{90,200}", 4.3),
    _token("age-key", "Secret key of age", b"AGE-SECRET-KEY-1", rb"[0-9A-Z]{58}", 4.0),
    _rule("azure-storage-key", "Key of an Azure storage account", b"AccountKey=",
          rb"AccountKey=([A-Za-z0-9+/]{86}==)", _random(4.5), severity=Severity.CRITICAL),
    _rule("web-token", "JSON Web Token", b"eyJ",
          _EDGE + rb"(eyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{20,1000})",
          _is_web_token, severity=Severity.MEDIUM),
    _rule("npm-login", "Login of npm", b"_authToken",
          rb"_authToken\s{0,3}=\s{0,3}\"?([A-Za-z0-9_.=/+-]{16,500})", _random(3.3)),
    _rule("url-password", "Password in an address", b"://",
          rb"://[A-Za-z0-9._~%-]{1,64}:([^\s\"'@/<>\\]{6,128})@[A-Za-z0-9][\w.-]{2,}",
          _is_password, severity=Severity.MEDIUM),
    _rule("kubernetes-key", "Key of a user of Kubernetes", b"client-key-data",
          rb"client-key-data:\s{0,3}[\"']?([A-Za-z0-9+/]{100,8000}={0,2})", _is_packed_key),
    _rule("netrc-password", "Password for a machine", b"machine ",
          rb"machine \S{1,200}\s{1,80}login \S{1,200}\s{1,80}password (\S{4,200})", _is_password),
)  # fmt: skip

# -- assignments

_ASSIGNMENT: Final = re.compile(
    rb"(?im)^\s{0,8}(?:export )?([A-Z][A-Z0-9_]{0,60}?(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY"
    rb"|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?))\s{0,3}=\s{0,3}[\"']?([^\s\"'#]{6,500})"
)
_HARMLESS_VALUE: Final = re.compile(rb"(?i)^(?:true|false|none|null|/|\./|file:|[0-9]{1,9}$)")


def assignments(content: bytes) -> Iterator[_Hit]:
    """Yield variables whose name says that their value is secret: of `.env` files and of ENV."""
    for match in _ASSIGNMENT.finditer(content):
        name, value = match[1].decode(), match[2]
        if _HARMLESS_VALUE.match(value) or is_placeholder(value) or entropy(value) < 2.0:
            continue
        yield _Hit(
            start=match.start(2),
            rule="variable",
            title=f"Secret in the variable {name}",
            severity=Severity.HIGH,
            evidence=f"{name}={_shown(value, 0)}",
        )


def in_variables(variables: list[str]) -> tuple[Weakness, ...]:
    """Return the secrets among the variables `NAME=value` of an image's config."""
    content = "\n".join(one.replace("\n", " ") for one in variables).encode(errors="replace")
    found = [*_hits(content, ""), *assignments(content)]
    by_place = {hit.start: hit for hit in reversed(found)}
    return tuple(
        Weakness(
            kind=WeaknessKind.SECRET,
            rule=hit.rule,
            title=hit.title,
            severity=hit.severity,
            evidence=hit.evidence,
            remedy="make it void where it is valid, and pass it at run time as a secret",
        )
        for hit in sorted(by_place.values(), key=_place)[:MAX_FOUND]
    )
