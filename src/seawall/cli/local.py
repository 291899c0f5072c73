"""What the commands about this machine's installation share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seawall.core.actor import Actor, operator
from seawall.core.errors import InvalidInputError, NotFoundError
from seawall.oci.names import Reference

if TYPE_CHECKING:
    from seawall.app.rooms import House
    from seawall.config import Settings
    from seawall.oci.digest import Digest


def who(settings: Settings) -> Actor:
    """Return the person at the shell, as the log names them."""
    return operator(settings.home.login)


def own_image(text: str, settings: Settings) -> Reference:
    """Parse the name of an image of this installation; the host may be left out.

    Raises InvalidInputError for an image of another registry.
    """
    reference = Reference.parse(text)
    if reference.host is not None and reference.host not in settings.registry_hosts:
        raise InvalidInputError(
            f"{text} is an image of {reference.host}, not of this installation",
            remedy=f"push it to {settings.registry_hosts[0]}/… first",
        )
    return reference


def find(reference: Reference, house: House) -> Digest:
    """Return the digest of an image of this installation. Raises NotFoundError."""
    try:
        return house.registry.resolve(reference.repository, reference.target)
    except NotFoundError as error:
        where = f"{house.settings.registry_hosts[0]}/{reference.repository}"
        raise NotFoundError(error.message, remedy=f"push it to {where}") from error


def printable(text: str, limit: int = 200) -> str:
    """Return hostile text as one bounded line."""
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
