"""Trusted identities of notation: `x509.subject: C=US, ST=WA, O=acme, CN=release`.

A certificate fits when its subject holds every part that the identity names, with the same value;
it may hold more. Country, state and organisation must be named ("Trust policy", trusted
identities). Refused: a kind of attribute twice, in the identity or in the certificate, and
attributes in one set (`+`): two readers could take another one each.

`*` stands for every certificate of the authority; it must be written out.
"""

from __future__ import annotations

import re
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from seawall.core.errors import InvalidInputError
from seawall.trust.certificates import Certificate

ANY: Final = "*"
PREFIX: Final = "x509.subject:"
MAX_CHARACTERS: Final = 512

_NAMES: Final = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "S": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "STREET": NameOID.STREET_ADDRESS,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
    "DC": NameOID.DOMAIN_COMPONENT,
    "UID": NameOID.USER_ID,
    "SERIALNUMBER": NameOID.SERIAL_NUMBER,
}
_MANDATORY: Final = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "O": NameOID.ORGANIZATION_NAME,
}
# One part: a name, and a value in which a backslash takes the meaning from the next character.
_PART: Final = re.compile(
    r"\s*(?P<name>[A-Za-z]+)\s*=\s*(?P<value>(?:[^\\,+\"<>;=]|\\[ \\,+\"<>;=#])+)"
)


def check(identity: str) -> None:
    """Raises InvalidInputError unless `identity` is one that can be trusted."""
    if identity != ANY:
        _parts(identity)


def is_match(identity: str, certificate: Certificate) -> bool:
    """Tell whether the certificate's subject fits the identity. Raises InvalidInputError."""
    if identity == ANY:
        return True
    subject: dict[x509.ObjectIdentifier, str] = {}
    for part in certificate.parsed.subject:
        if part.oid in subject or not isinstance(part.value, str):
            return False
        subject[part.oid] = part.value
    return all(subject.get(oid) == value for oid, value in _parts(identity).items())


def parse_subject(text: str) -> x509.Name:
    """Parse `C=US, ST=WA, O=acme, CN=release` as a name for a new certificate.

    Raises InvalidInputError.
    """
    try:
        return x509.Name(
            [x509.NameAttribute(oid, value) for oid, value in _attributes(text).items()]
        )
    except ValueError as error:
        raise InvalidInputError(f"{text[:MAX_CHARACTERS]!r} is not a subject: {error}") from error


def _parts(identity: str) -> dict[x509.ObjectIdentifier, str]:
    if not identity.startswith(PREFIX):
        raise InvalidInputError(
            f"{identity[:MAX_CHARACTERS]!r} is not an identity of notation",
            remedy=f'write "{PREFIX} C=…, ST=…, O=…, CN=…"',
        )
    return _attributes(identity.removeprefix(PREFIX))


def _attributes(text: str) -> dict[x509.ObjectIdentifier, str]:
    if len(text) > MAX_CHARACTERS:
        raise InvalidInputError(f"a subject of more than {MAX_CHARACTERS} characters")
    found: dict[x509.ObjectIdentifier, str] = {}
    at = 0
    while True:
        part = _PART.match(text, at)
        oid = _NAMES.get(part["name"].upper()) if part else None
        if part is None or oid is None or oid in found:
            raise InvalidInputError(
                f"{text!r} is not a subject: names are {', '.join(_NAMES)}, each once",
                remedy="write C=…, ST=…, O=…, CN=…, with a backslash before special characters",
            )
        found[oid] = re.sub(r"\\(.)", r"\1", part["value"].strip())
        at = part.end()
        if at == len(text):
            break
        if text[at] != ",":
            raise InvalidInputError(f"{text!r} is not a subject: unexpected {text[at]!r}")
        at += 1
    for name, oid in _MANDATORY.items():
        if oid not in found:
            raise InvalidInputError(f"{text!r} is not a subject: it names no {name}")
    return found
