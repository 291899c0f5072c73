"""Bearer tokens of the registry: JWT (RFC 7519) signed with ES256, by us, for us, for minutes.

A token is accepted when, in this order:

1. it is of a bounded length and has three parts;
2. its header is byte for byte the one that we write — which pins algorithm, type and key, and
   leaves nothing to `alg: none`, HMAC confusion, `jwk`, `x5u` or `crit`;
3. the signature is right;
4. its claims parse strictly into the ones that we write;
5. issuer and audience are ours;
6. it has begun and has not expired, with a small leeway, and does not live longer than we allow;
7. it was not seen expired before (a clock that is set back does not revive it);
8. it was not ended early: user disabled, password changed, grant revoked.

Steps 1 to 5 are remembered per token; 6 to 8 are asked again every time.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from seawall.core import actor as actors
from seawall.core import files, ids, strictjson
from seawall.core.actor import Actor, ActorKind
from seawall.core.clock import Clock
from seawall.core.errors import InvalidInputError, LimitError
from seawall.identity.errors import InvalidCredentialsError
from seawall.identity.model import Action
from seawall.identity.standing import TOKEN_LONGEST_LIFE, Standing
from seawall.oci.names import RepositoryName

ALGORITHM: Final = "ES256"
LIFETIME: Final = dt.timedelta(seconds=300)
LEEWAY: Final = dt.timedelta(seconds=5)
TOKEN_MAX_BYTES: Final = 8 * 1024
"""Has to fit into one header field of a request."""
CACHED_TOKENS: Final = 4_096

_INVALID: Final = "the token is not valid"


class _Access(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    name: str
    actions: list[str]


class _Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    iss: str
    sub: str
    aud: str
    exp: float
    nbf: float
    iat: float
    jti: str
    access: list[_Access]
    administrator: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    text: str
    issued: dt.datetime
    lifetime: dt.timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedToken:
    """What a valid token says."""

    actor: Actor
    is_administrator: bool
    access: Mapping[str, frozenset[Action]]
    issued: dt.datetime
    expires: dt.datetime


class SigningKey:
    """The P-256 key that signs tokens, with the one header that goes with it."""

    def __init__(self, key: ECKey) -> None:
        self.key = key
        self.header = {"alg": ALGORITHM, "kid": key.thumbprint(), "typ": "JWT"}
        self.header_segment, _, _ = jws.serialize_compact(
            self.header, b"{}", key, [ALGORITHM]
        ).partition(".")

    @classmethod
    def open(cls, path: Path) -> SigningKey:
        """Read the key at `path`; create it, readable by its owner alone, when it is missing."""
        pem = files.read_or_create_private(
            path, lambda: ECKey.generate_key("P-256").as_pem(private=True)
        )
        return cls(ECKey.import_key(pem))


class Tokens:
    """Issues and verifies tokens. Thread-safe."""

    def __init__(
        self, *, key: SigningKey, issuer: str, audience: str, standing: Standing, clock: Clock
    ) -> None:
        self._key = key
        self._issuer = issuer
        self._audience = audience
        self._standing = standing
        self._clock = clock
        self._seen: OrderedDict[str, VerifiedToken | None] = OrderedDict()
        self._lock = threading.Lock()

    def issue(
        self,
        actor: Actor,
        access: Mapping[RepositoryName, frozenset[Action]],
        *,
        is_administrator: bool = False,
        lifetime: dt.timedelta = LIFETIME,
    ) -> IssuedToken:
        """Return a token that says that it is `actor` who may do what `access` lists.

        Raises LimitError when the list is too long for a header field.
        """
        if not dt.timedelta(0) < lifetime <= TOKEN_LONGEST_LIFE:
            raise InvalidInputError(f"a token cannot live for {lifetime}")
        now = self._clock.now()
        claims = _Claims(
            iss=self._issuer,
            sub=_subject(actor),
            aud=self._audience,
            exp=(now + lifetime).timestamp(),
            nbf=now.timestamp(),
            iat=now.timestamp(),
            jti=ids.new_id(),
            access=[
                _Access(type="repository", name=str(name), actions=sorted(map(str, actions)))
                for name, actions in sorted(access.items())
                if actions
            ],
            administrator=is_administrator,
        )
        text = jws.serialize_compact(
            self._key.header, msgspec.json.encode(claims), self._key.key, [ALGORITHM]
        )
        if len(text) > TOKEN_MAX_BYTES:
            raise LimitError(
                f"the token would list {len(access)} repositories, too many for one header",
                remedy="ask for fewer repositories at once",
            )
        return IssuedToken(text=text, issued=now, lifetime=lifetime)

    def mint_pull_token(self, repository: RepositoryName, lifetime: dt.timedelta = LIFETIME) -> str:
        """Return a token with which an engine can pull `repository` and do nothing else."""
        access = {repository: frozenset({Action.PULL})}
        return self.issue(actors.SYSTEM, access, lifetime=lifetime).text

    def verify(self, text: str) -> VerifiedToken:
        """Return what `text` says. Raises InvalidCredentialsError unless it is valid now."""
        with self._lock:
            is_seen = text in self._seen
            token = self._seen.get(text)
            if is_seen:
                self._seen.move_to_end(text)
        if not is_seen:
            token = self._read(text)
            self._remember(text, token)
        if token is None:
            raise InvalidCredentialsError(_INVALID)  # 7
        self._check_now(text, token)
        return token

    def _read(self, text: str) -> VerifiedToken:
        header, _, rest = text.partition(".")
        if len(text) > TOKEN_MAX_BYTES or rest.count(".") != 1 or not text.isascii():  # 1
            raise InvalidCredentialsError(_INVALID)
        if header != self._key.header_segment:  # 2
            raise InvalidCredentialsError(_INVALID)
        try:
            payload = jws.deserialize_compact(text, self._key.key, [ALGORITHM]).payload  # 3
            strictjson.decode_object(payload, max_bytes=TOKEN_MAX_BYTES)  # 4
            claims = msgspec.json.decode(payload, type=_Claims)
            if (claims.iss, claims.aud) != (self._issuer, self._audience):  # 5
                raise InvalidCredentialsError(_INVALID)
            return _verified(claims)
        # The signature library raises plain ValueErrors for some malformed base64.
        except (JoseError, ValueError, InvalidInputError, LimitError) as error:
            raise InvalidCredentialsError(_INVALID) from error

    def _check_now(self, text: str, token: VerifiedToken) -> None:
        now = self._clock.now()
        if token.expires + LEEWAY <= now:
            self._remember(text, None)
            raise InvalidCredentialsError("the token has expired")
        is_too_early = token.issued > now + LEEWAY
        is_too_long = token.expires - token.issued > TOKEN_LONGEST_LIFE
        if is_too_early or is_too_long:
            raise InvalidCredentialsError(_INVALID)
        if self._standing.is_void(token.actor, token.issued):  # 8
            raise InvalidCredentialsError(_INVALID)

    def _remember(self, text: str, token: VerifiedToken | None) -> None:
        with self._lock:
            self._seen[text] = token
            self._seen.move_to_end(text)
            while len(self._seen) > CACHED_TOKENS:
                self._seen.popitem(last=False)


def _verified(claims: _Claims) -> VerifiedToken:
    return VerifiedToken(
        actor=_actor(claims.sub),
        is_administrator=claims.administrator,
        access={
            entry.name: frozenset(map(Action, entry.actions))
            for entry in claims.access
            if entry.type == "repository"
        },
        # Whichever of the two beginnings is later counts.
        issued=_moment(max(claims.iat, claims.nbf)),
        expires=_moment(claims.exp),
    )


def _moment(seconds: float) -> dt.datetime:
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (OverflowError, OSError) as error:
        raise InvalidInputError("a moment outside of all time") from error


def _subject(actor: Actor) -> str:
    """The claim `sub`: empty for nobody, as the registry's clients expect. No user's name holds
    a colon."""
    match actor.kind:
        case ActorKind.ANONYMOUS:
            return ""
        case ActorKind.USER:
            return actor.name
        case ActorKind.OPERATOR | ActorKind.SYSTEM:
            return f"{actor.kind}:{actor.name}"


def _actor(subject: str) -> Actor:
    if not subject:
        return actors.ANONYMOUS
    kind, colon, name = subject.partition(":")
    return Actor(kind=ActorKind(kind), name=name) if colon else actors.user(subject)
