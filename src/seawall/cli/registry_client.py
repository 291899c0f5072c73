"""A small registry client for `seawall sign` and `seawall verify` (OCI distribution-spec 1.1).

What it refuses: plain HTTP except to this machine, and only when asked; bodies larger than their
bound; content that differs from its digest; sending credentials anywhere but to the registry that
was named and to the token service that it named over TLS; uploads that are led to another host.
"""

from __future__ import annotations

import hashlib
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seawall.cli import registry_words
from seawall.cli._bearer import Challenge
from seawall.cli._registry_http import ERROR_MAX_BYTES, Answer, RegistryHttp, Sink
from seawall.cli._seen_content import SeenContent
from seawall.cli.registry_logins import Credentials
from seawall.core import limits, strictjson
from seawall.core.errors import (
    ConflictError,
    DeniedError,
    IntegrityError,
    InvalidInputError,
    LimitError,
    NotFoundError,
    UnavailableError,
)
from seawall.core.secret import Secret
from seawall.oci import manifests, media
from seawall.oci.digest import Digest, is_digest
from seawall.oci.manifests import Descriptor, Index
from seawall.oci.names import RepositoryName

TOKEN_MAX_BYTES: Final = 64 * limits.KIB
MAX_REDIRECTS: Final = 3
MAX_REFERRER_PAGES: Final = 20

_ACCEPT: Final = ", ".join(sorted(media.MANIFESTS | media.INDEXES))
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A manifest, its bytes held against its digest."""

    content: bytes
    media_type: str
    digest: Digest

    @property
    def descriptor(self) -> Descriptor:
        return Descriptor(media_type=self.media_type, digest=self.digest, size=len(self.content))


class RegistryClient:
    """Speaks to one registry. Close it, or use it in `with`."""

    def __init__(
        self,
        host: str,
        *,
        credentials: Credentials | None = None,
        bearer: Secret | None = None,
        ca_file: Path | None = None,
        is_plain_http: bool = False,
        is_for_pushing: bool = False,
    ) -> None:
        """`host` is `name[:port]`. Plain HTTP is refused unless `host` is this machine.

        `bearer` is a token that is shown without being asked for. Whoever will push as well as
        pull says so, and needs one token for both.
        """
        if is_plain_http and not is_loopback(host):
            raise DeniedError(
                f"plain HTTP to {host} would send everything in the clear",
                remedy="use TLS; plain HTTP is for this machine only",
            )
        self._host = host
        self._base = f"{'http' if is_plain_http else 'https'}://{host}"
        self._is_plain_http = is_plain_http
        self._credentials = credentials
        self._bearer = bearer
        self._authorization: dict[str, str] = {}  # by scope
        self._challenge: Challenge | None = None  # the newest one that asked for a bearer token
        self._is_for_pushing = is_for_pushing
        self._seen: SeenContent[Fetched | bytes] = SeenContent()
        self._http = RegistryHttp(host, ca_file=ca_file)

    def __enter__(self) -> RegistryClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def get_manifest(self, repository: RepositoryName, reference: str) -> Fetched:
        """Fetch by tag or digest. Raises NotFoundError, IntegrityError, UnavailableError …

        What this client has fetched or pushed under a digest is not fetched again: it would be the
        same bytes, or refused.
        """
        seen = self._seen.find(repository, reference)
        if isinstance(seen, Fetched):
            return seen
        try:
            answer = self._call(
                "GET",
                f"/v2/{repository}/manifests/{reference}",
                scope=f"repository:{repository}:pull",
                headers={"Accept": _ACCEPT},
                max_bytes=limits.MANIFEST_MAX_BYTES,
            )
        except NotFoundError as error:
            mark = "@" if is_digest(reference) else ":"
            raise NotFoundError(
                f"there is no image {self._host}/{repository}{mark}{reference}",
                remedy="look at the name and the tag, or push it first",
            ) from error
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        claimed = answer.headers.get("Docker-Content-Digest", "")
        digest = Digest.of(answer.body)
        if is_digest(reference):
            digest = Digest.parse(reference)
        elif is_digest(claimed):
            digest = Digest.parse(claimed)
        if not digest.is_of(answer.body):
            raise IntegrityError(f"the registry's manifest {reference} is not what {digest} names")
        found = Fetched(content=answer.body, media_type=media_type, digest=digest)
        self._seen.keep(repository, digest, found, len(answer.body))
        return found

    def find_manifest(self, repository: RepositoryName, reference: str) -> Fetched | None:
        """Like `get_manifest`; None when there is none."""
        try:
            return self.get_manifest(repository, reference)
        except NotFoundError:
            return None

    def put_manifest(
        self, repository: RepositoryName, reference: str, content: bytes, media_type: str
    ) -> bool:
        """Push a manifest; tell whether the registry listed it as a referrer of its subject."""
        answer = self._call(
            "PUT",
            f"/v2/{repository}/manifests/{reference}",
            scope=f"repository:{repository}:pull,push",
            headers={"Content-Type": media_type},
            body=content,
            max_bytes=ERROR_MAX_BYTES,
        )
        digest = Digest.of(content)
        pushed = Fetched(content=content, media_type=media_type, digest=digest)
        self._seen.keep(repository, digest, pushed, len(content))
        return bool(answer.headers.get("OCI-Subject"))

    def get_blob(self, repository: RepositoryName, digest: Digest, *, max_bytes: int) -> bytes:
        """Fetch a small blob whole, held against its digest. See `get_manifest`."""
        seen = self._seen.find(repository, digest)
        if isinstance(seen, bytes) and len(seen) <= max_bytes:
            return seen
        answer = self._call(
            "GET",
            f"/v2/{repository}/blobs/{digest}",
            scope=f"repository:{repository}:pull",
            max_bytes=max_bytes,
        )
        if not digest.is_of(answer.body):
            raise IntegrityError(f"the registry's blob is not what {digest} names")
        self._seen.keep(repository, digest, answer.body, len(answer.body))
        return answer.body

    def check_blob(self, repository: RepositoryName, digest: Digest, size: int) -> None:
        """Fetch a blob of any size, keep none of it, and hold it against its digest.

        Raises IntegrityError, LimitError for one that is longer than `size`, NotFoundError …
        """
        self.copy_blob(repository, digest, size, lambda piece: None)

    def copy_blob(self, repository: RepositoryName, digest: Digest, size: int, sink: Sink) -> None:
        """Give the pieces of a blob of any size to `sink`: they are right only after the return.

        Raises like `check_blob`.
        """
        seen = hashlib.new(digest.algorithm)

        def take(piece: bytes) -> None:
            seen.update(piece)
            sink(piece)

        self._call(
            "GET",
            f"/v2/{repository}/blobs/{digest}",
            scope=f"repository:{repository}:pull",
            max_bytes=size,
            sink=take,
        )
        if seen.hexdigest() != digest.hex:
            raise IntegrityError(f"the registry's blob is not what {digest} names")

    def put_blob(self, repository: RepositoryName, content: bytes) -> Digest:
        """Push a small blob and return its digest, in one request where the registry can do that.

        One that cannot has opened an upload instead (distribution-spec, "Single POST").
        """
        digest, scope = Digest.of(content), f"repository:{repository}:pull,push"
        if self._seen.find(repository, digest) is not None:
            return digest
        query = urllib.parse.urlencode({"digest": digest})
        begun = self._put_bytes(
            "POST", f"/v2/{repository}/blobs/uploads/?{query}", scope=scope, content=content
        )
        if begun.status != 201:
            location = urllib.parse.urljoin(self._base + "/", begun.headers.get("Location", ""))
            path = self._own_path(location)
            mark = "&" if "?" in path else "?"
            self._put_bytes("PUT", f"{path}{mark}{query}", scope=scope, content=content)
        self._seen.keep(repository, digest, content, len(content))
        return digest

    def find_referrers(
        self, repository: RepositoryName, digest: Digest
    ) -> tuple[Descriptor, ...] | None:
        """List the referrers of `digest`; None when the registry has no API for them."""
        path = f"/v2/{repository}/referrers/{digest}"
        found: list[Descriptor] = []
        for _ in range(MAX_REFERRER_PAGES):
            try:
                answer = self._call(
                    "GET",
                    path,
                    scope=f"repository:{repository}:pull",
                    max_bytes=limits.MANIFEST_MAX_BYTES,
                )
            except NotFoundError:
                return None
            page = manifests.parse(answer.body)
            if not isinstance(page, Index):
                raise InvalidInputError("the registry's list of referrers is not an index")
            found += page.manifests
            following = _next_page(answer.headers.get("Link", ""))
            if following is None:
                return tuple(found)
            path = self._own_path(urllib.parse.urljoin(self._base + path, following))
        raise LimitError(f"more than {MAX_REFERRER_PAGES} pages of referrers")

    def exchange(
        self,
        method: str,
        path: str,
        *,
        scope: str,
        max_bytes: int,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> bytes:
        """Send a request of another API at this origin and return the body of its answer.

        Raises NotFoundError, ConflictError for what the server refuses, DeniedError, LimitError,
        UnavailableError.
        """
        answer = self._call(
            method, path, scope=scope, max_bytes=max_bytes, headers=headers, body=body
        )
        return answer.body

    def call_api(
        self, method: str, path: str, *, max_bytes: int, scope: str = "", body: bytes | None = None
    ) -> bytes:
        """Call what Seawall offers beside the registry, below `/api/`. Raises NotFoundError …

        For a call without a scope, `sign_in` shows who is asking.
        """
        headers = {"Content-Type": "application/json"} if body is not None else {}
        answer = self._call(
            method, path, scope=scope, headers=headers, body=body, max_bytes=max_bytes
        )
        return answer.body

    def sign_in(self) -> None:
        """Have every call without a scope say who we are. Raises DeniedError, UnavailableError."""
        self._call("GET", "/v2/", scope="", max_bytes=ERROR_MAX_BYTES)

    def _put_bytes(self, method: str, path: str, *, scope: str, content: bytes) -> Answer:
        return self._call(
            method,
            path,
            scope=scope,
            headers={"Content-Type": "application/octet-stream"},
            body=content,
            max_bytes=ERROR_MAX_BYTES,
        )

    def _own_path(self, url: str) -> str:
        if not url.startswith(self._base + "/"):
            raise DeniedError(f"the registry {self._host} leads to another place")
        return url.removeprefix(self._base)

    def _call(
        self,
        method: str,
        path: str,
        *,
        scope: str,
        max_bytes: int,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        sink: Sink | None = None,
    ) -> Answer:
        sent = dict(headers or {})
        if self._is_for_pushing and scope.endswith(":pull"):
            scope += ",push"
        if scope not in self._authorization and scope and self._challenge is not None:
            # It will be asked for, in the same words as before.
            self._authorization[scope] = self._fetch_token(self._challenge, scope)
        if scope in self._authorization:
            sent["Authorization"] = self._authorization[scope]
        answer = self._http.send(method, self._base + path, sent, body, max_bytes, sink=sink)
        if answer.status == 401 and (granted := self._authorize(answer, scope)):
            sent["Authorization"] = self._authorization[scope] = granted
            answer = self._http.send(method, self._base + path, sent, body, max_bytes, sink=sink)
        for _ in range(MAX_REDIRECTS):
            if answer.status not in _REDIRECTS:
                break
            if method != "GET":
                raise DeniedError(f"the registry {self._host} redirects a {method}, refused")
            answer = self._follow(answer, max_bytes, sink)
        return self._checked(answer, path)

    def _follow(self, answer: Answer, max_bytes: int, sink: Sink | None) -> Answer:
        """Follow to where the bytes are, without credentials and never from TLS to none."""
        from seawall.cli import _redirects

        url = urllib.parse.urljoin(self._base, answer.headers.get("Location", ""))
        if not self._is_allowed(url) or _redirects.leads_inside(self._base, url):
            raise DeniedError(f"the registry {self._host} redirects to an unsafe address")
        return self._http.send("GET", url, {}, None, max_bytes, sink=sink)

    def _is_allowed(self, url: str) -> bool:
        parts = urllib.parse.urlsplit(url)
        is_local = self._is_plain_http and parts.scheme == "http" and is_loopback(parts.netloc)
        return parts.scheme == "https" or is_local

    def _authorize(self, answer: Answer, scope: str) -> str | None:
        """Return the Authorization that the challenge asks for; None when we have none."""
        challenge = Challenge.parse(answer.headers.get("WWW-Authenticate", ""))
        if challenge.scheme == "basic":
            return self._credentials.basic if self._credentials else None
        if challenge.scheme != "bearer":
            return None
        if self._bearer is not None:
            return f"Bearer {self._bearer.reveal()}"
        if not self._is_allowed(challenge.realm):
            raise DeniedError(f"the registry {self._host} names an unsafe token service")
        self._challenge = challenge
        return self._fetch_token(challenge, scope)

    def _fetch_token(self, challenge: Challenge, scope: str) -> str:
        mark = "&" if "?" in challenge.realm else "?"
        query = urllib.parse.urlencode({"service": challenge.service, "scope": scope})
        headers = {"Authorization": self._credentials.basic} if self._credentials else {}
        url = f"{challenge.realm}{mark}{query}"
        granted = self._http.send("GET", url, headers, None, TOKEN_MAX_BYTES)
        if granted.status != 200:
            raise DeniedError(
                f"the token service of {self._host} answers {granted.status}",
                remedy=_LOGIN_REMEDY,
            )
        document = strictjson.decode_object(granted.body, max_bytes=TOKEN_MAX_BYTES)
        token = document.get("token") or document.get("access_token")
        if not isinstance(token, str):
            raise UnavailableError(f"the token service of {self._host} gives no token")
        return f"Bearer {token}"

    def _checked(self, answer: Answer, path: str) -> Answer:
        what = f"{self._host}{path.partition('?')[0]}"
        match answer.status:
            case status if 200 <= status < 300:
                return answer
            case 404:
                raise NotFoundError(f"the registry has no {what}")
            case 401 | 403:
                raise DeniedError(
                    f"the registry {self._host} does not allow it", remedy=_LOGIN_REMEDY
                )
            case 400:
                raise ConflictError(
                    f"the registry refuses {what}{registry_words.told(answer.body)}"
                )
            case status:
                raise UnavailableError(
                    f"the registry answers {status} for {what}{registry_words.told(answer.body)}"
                )


_LOGIN_REMEDY: Final = "log in: docker login, or --user with --password-file"


def is_loopback(host: str) -> bool:
    """Tell whether `name[:port]` is this machine, by name or address."""
    import ipaddress

    name = urllib.parse.urlsplit(f"//{host}").hostname or ""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _next_page(link: str) -> str | None:
    target, _, parameters = link.partition(">")
    return target.strip()[1:] if target.startswith("<") and 'rel="next"' in parameters else None
