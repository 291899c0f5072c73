"""Identities of cosign: who a certificate names, and who said so.

Written `ISSUER SUBJECT`: `https://accounts.example alice@example.com`. The issuer is compared
whole. The subject is one of the certificate's alternative names, an address, a URI or a name of
Fulcio's own, compared whole too, or up to one `*` at its end: one workflow for every tag of a
repository is `https://ci.example https://git.example/acme/app/release.yml@refs/tags/*`. A star
alone, which would trust everybody whom a public authority certifies, is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography import x509

from seawall.core.errors import InvalidInputError
from seawall.trust.certificates import Certificate

MAX_CHARACTERS: Final = 1024
MIN_BEFORE_STAR: Final = 12

# Fulcio's extensions (fulcio/docs/oid-info.md): the old form is bare text, the new one DER.
_ISSUER_OLD: Final = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER: Final = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_OTHER_NAME: Final = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7")
_UTF8_STRING: Final = 0x0C


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A pattern of people: an issuer, and a subject that may end in a star."""

    issuer: str
    subject: str

    def is_match(self, person: Person) -> bool:
        """Tell whether the pattern covers the person."""
        if person.issuer != self.issuer:
            return False
        if self.subject.endswith("*"):
            return person.subject.startswith(self.subject[:-1])
        return person.subject == self.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom a certificate names."""

    issuer: str
    subject: str

    def __str__(self) -> str:
        return f"{self.subject} ({self.issuer})"


def parse(text: str) -> Identity:
    """Parse `ISSUER SUBJECT`. Raises InvalidInputError."""
    issuer, _, subject = text.partition(" ")
    before, star, behind = subject.partition("*")
    if (
        len(text) > MAX_CHARACTERS
        or not issuer
        or not subject
        or not text.isprintable()
        or " " in subject
        or behind
        or "*" in issuer
        or (star and len(before) < MIN_BEFORE_STAR)
    ):
        raise InvalidInputError(
            f"{text[:MAX_CHARACTERS]!r} is not an identity of cosign",
            remedy='write "ISSUER SUBJECT", such as "https://accounts.example alice@example.com"',
        )
    return Identity(issuer=issuer, subject=subject)


def person_of(certificate: Certificate) -> Person:
    """Return whom the certificate names. Raises InvalidInputError unless it is one person."""
    found = certificate.extension(x509.SubjectAlternativeName)
    names = [] if found is None else list(found[0])
    if len(names) != 1:
        raise InvalidInputError("the certificate does not name exactly one person")
    return Person(issuer=_issuer(certificate), subject=_subject(names[0]))


def _subject(name: x509.GeneralName) -> str:
    if isinstance(name, x509.RFC822Name | x509.UniformResourceIdentifier):
        return name.value
    if isinstance(name, x509.OtherName) and name.type_id == _OTHER_NAME:
        return _utf8_string(name.value)
    raise InvalidInputError("the certificate names nobody in a form of Fulcio's")


def _issuer(certificate: Certificate) -> str:
    """Return who vouched for the name; the two forms must agree where both stand."""
    found = {}
    for oid in (_ISSUER, _ISSUER_OLD):
        for extension in certificate.parsed.extensions:
            value = extension.value
            if extension.oid == oid and isinstance(value, x509.UnrecognizedExtension):
                found[oid] = value.value
    texts = {_utf8_string(raw) if oid == _ISSUER else _text(raw) for oid, raw in found.items()}
    if len(texts) != 1:
        raise InvalidInputError("the certificate does not say who vouched for the name")
    return texts.pop()


def _utf8_string(der: bytes) -> str:
    """Read a DER UTF8String of up to 255 bytes."""
    if len(der) < 2 or der[0] != _UTF8_STRING:
        raise InvalidInputError("an extension of the certificate is not a text")
    length, at = der[1], 2
    if length == 0x81 and len(der) > 2 and der[2] > 0x7F:
        length, at = der[2], 3
    elif length > 0x7F:
        raise InvalidInputError("an extension of the certificate is too long")
    if len(der) != at + length:
        raise InvalidInputError("an extension of the certificate has another length than it says")
    return _text(der[at:])


def _text(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError("an extension of the certificate is not UTF-8") from error
    if not text or len(text) > MAX_CHARACTERS or not text.isprintable():
        raise InvalidInputError("an extension of the certificate is not a printable text")
    return text
