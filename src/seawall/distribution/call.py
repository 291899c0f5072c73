"""One request, after its path was parsed and its caller is known to have the right."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from seawall.core.errors import InvalidInputError
from seawall.distribution.paths import Target
from seawall.ingress.access import Authenticator, Caller
from seawall.ingress.refusals import RefusedError, Shape
from seawall.oci.digest import Digest
from seawall.oci.names import RepositoryName
from seawall.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    request: web.Request
    target: Target
    caller: Caller
    registry: Registry
    authenticator: Authenticator

    @property
    def repository(self) -> RepositoryName:
        return self.target.name

    @property
    def url(self) -> str:
        """The path of this repository, to which locations are appended."""
        return f"/v2/{self.target.name}"

    def digest(self) -> Digest:
        """Return the digest in the path. Raises RefusedError."""
        return parse_digest(self.target.item)

    def query(self, name: str) -> str | None:
        """Return a query parameter. Raises InvalidInputError when it is given twice."""
        values = self.request.query.getall(name, [])
        if len(values) > 1:
            raise InvalidInputError(f"query parameter {name!r} is given more than once")
        return values[0] if values else None


def parse_digest(text: str) -> Digest:
    """Parse a digest from outside. Raises RefusedError."""
    try:
        return Digest.parse(text)
    except InvalidInputError as error:
        shape = Shape(400, "DIGEST_INVALID")
        raise RefusedError(error.message, shape, remedy=error.remedy) from error
