"""Names of repositories, tags and images (OCI distribution-spec; Docker's reference grammar).

An image reference as people write it, `[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]`, becomes a
`Reference`. There is no default host: an image without a host is an image of *this* registry only
where the caller says so.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from seawall.core.errors import InvalidInputError
from seawall.oci.digest import Digest

_COMPONENT: Final = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_TAG: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", re.ASCII)
_HOST: Final = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*"
    r"|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?",
    re.ASCII,
)
REPOSITORY_MAX_CHARACTERS: Final = 200
"""Clients limit host + "/" + repository to 255 characters; this leaves room for the host."""

DEFAULT_TAG: Final = "latest"


class RepositoryName(str):
    """A repository name that cannot be malformed, such as `team/app`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> RepositoryName:
        """Raises InvalidInputError unless `text` follows the grammar of the distribution-spec."""
        if len(text) > REPOSITORY_MAX_CHARACTERS or _REPOSITORY.fullmatch(text) is None:
            raise InvalidInputError(
                f"{text[:220]!r} is not a repository name",
                remedy="use lower-case letters, digits, and single . _ - between them; / separates",
            )
        return cls(text)


class Tag(str):
    """A tag that cannot be malformed."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Tag:
        """Raises InvalidInputError unless `text` follows the grammar of the distribution-spec."""
        if _TAG.fullmatch(text) is None:
            raise InvalidInputError(f"{text[:140]!r} is not a tag")
        return cls(text)


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """An image as a person names it. At least one of `tag` and `digest` is set.

    When both are set the digest alone decides; the tag is for people.
    """

    host: str | None
    repository: RepositoryName
    tag: Tag | None
    digest: Digest | None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Parse `[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]`; a missing tag and digest mean `latest`.

        The first component is a host when it holds `.` or `:`, or is `localhost` (Docker's rule).
        Raises InvalidInputError.
        """
        rest, at, digest_text = text.partition("@")
        digest = Digest.parse(digest_text) if at else None
        host: str | None = None
        first, slash, remainder = rest.partition("/")
        if slash and ("." in first or ":" in first or first == "localhost"):
            if _HOST.fullmatch(first) is None:
                raise InvalidInputError(f"{first[:100]!r} is not a registry host")
            host, rest = first, remainder
        name, colon, tag_text = rest.partition(":")
        tag = Tag.parse(tag_text) if colon else None
        if tag is None and digest is None:
            tag = Tag(DEFAULT_TAG)
        return cls(host=host, repository=RepositoryName.parse(name), tag=tag, digest=digest)

    def with_digest(self, digest: Digest) -> Reference:
        """Return the same image, pinned."""
        return Reference(host=self.host, repository=self.repository, tag=self.tag, digest=digest)

    @property
    def target(self) -> str:
        """What to ask a registry for: the digest if there is one, else the tag."""
        return self.digest or self.tag or DEFAULT_TAG

    def __str__(self) -> str:
        host = f"{self.host}/" if self.host else ""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{host}{self.repository}{tag}{digest}"
