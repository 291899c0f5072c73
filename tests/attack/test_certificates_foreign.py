"""Client certificates that must not work."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seawall.core import actor as actors
from seawall.identity import authorities
from seawall.identity.authorities import Authority, KeyPair
from seawall.identity.certificates import Certificates
from seawall.identity.errors import InvalidCredentialsError
from seawall.identity.users import Users
from seawall.store import Database
from seawall.testing.callers import cheap_passwords
from seawall.testing.clocks import FakeClock

OPERATOR = actors.operator("root")
HOUR = dt.timedelta(hours=1)


class House:
    def __init__(self, database: Database, clock: FakeClock, folder: Path) -> None:
        self.folder = folder
        self.users = Users(database, clock, hashing=cheap_passwords())
        self.users.create("alice", "correct horse battery", actor=OPERATOR)
        self.certificates = Certificates(database, clock, folder)
        self.pair = self.certificates.client_certificate("alice", HOUR, actor=OPERATOR)

    def authority(self) -> KeyPair:
        return authorities.parse_pair((self.folder / "client-ca.key.pem").read_bytes())

    def refuses(self, certificate: x509.Certificate | bytes) -> None:
        der = (
            certificate
            if isinstance(certificate, bytes)
            else certificate.public_bytes(Encoding.DER)
        )
        with pytest.raises(InvalidCredentialsError):
            self.certificates.user_of(der)


@pytest.fixture
def house(database: Database, clock: FakeClock, tmp_path: Path) -> House:
    return House(database, clock, tmp_path / "certificates")


def test_refuses_a_revoked_certificate_for_ever(house: House) -> None:
    house.certificates.revoke(house.certificates.list()[0].serial, actor=OPERATOR)
    house.certificates.revoke(house.certificates.list()[0].serial, actor=OPERATOR)
    house.refuses(house.pair.certificate)
    assert house.certificates.list()[0].revoked is not None


def test_refuses_the_certificates_of_a_disabled_user(house: House) -> None:
    house.users.disable("alice", actor=OPERATOR)
    house.refuses(house.pair.certificate)
    house.users.enable("alice", actor=OPERATOR)
    assert house.certificates.user_of(house.pair.certificate.public_bytes(Encoding.DER))


def test_refuses_an_expired_and_a_future_certificate(house: House, clock: FakeClock) -> None:
    clock.advance(HOUR + dt.timedelta(seconds=1))
    house.refuses(house.pair.certificate)
    clock.advance(-2 * HOUR)
    house.refuses(house.pair.certificate)


def test_refuses_a_certificate_from_another_authority_of_the_same_name(
    house: House, clock: FakeClock, tmp_path: Path
) -> None:
    other = Authority.open(tmp_path / "other", name="Seawall client authority", clock=clock)
    assert other.certificate.subject == house.authority().certificate.subject
    house.refuses(other.issue_for_client("alice", HOUR).certificate)


def test_refuses_a_servers_certificate_in_place_of_a_clients(house: House) -> None:
    path = house.certificates.server_certificate(["alice"]).pair
    house.refuses(authorities.parse_pair(path.read_bytes()).certificate)


def test_refuses_what_our_authority_signed_but_never_recorded(
    house: House, clock: FakeClock
) -> None:
    authority = Authority.open(house.folder / "client-ca.key.pem", name="", clock=clock)
    house.refuses(authority.issue_for_client("alice", HOUR).certificate)
    house.refuses(authority.issue_for_server(["alice"], HOUR).certificate)
    house.refuses(authority.certificate)


def test_refuses_another_certificate_under_a_recorded_serial(house: House) -> None:
    ours, signer = house.pair.certificate, house.authority()
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(ours.subject)
        .issuer_name(ours.issuer)
        .public_key(key.public_key())
        .serial_number(ours.serial_number)
        .not_valid_before(ours.not_valid_before_utc)
        .not_valid_after(ours.not_valid_after_utc)
    )
    for extension in ours.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    house.refuses(builder.sign(signer.key, hashes.SHA256()))


def test_refuses_a_certificate_that_a_client_signed_with_its_own(house: House) -> None:
    child = Authority(house.pair, FakeClock())
    house.refuses(child.issue_for_client("alice", HOUR).certificate)


def test_refuses_a_version_that_x509_does_not_know(house: House) -> None:
    der = house.pair.certificate.public_bytes(Encoding.DER)
    version = bytes.fromhex("a003020102")
    assert version in der
    house.refuses(der.replace(version, bytes.fromhex("a003020103"), 1))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_refuses_a_certificate_with_one_byte_changed(house: House, data: st.DataObject) -> None:
    der = bytearray(house.pair.certificate.public_bytes(Encoding.DER))
    der[data.draw(st.integers(0, len(der) - 1))] ^= data.draw(st.integers(1, 255))
    house.refuses(bytes(der))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(der=st.binary(max_size=64))
def test_refuses_any_other_bytes(house: House, der: bytes) -> None:
    house.refuses(der)


def test_refuses_bytes_without_end(house: House) -> None:
    house.refuses(house.pair.certificate.public_bytes(Encoding.DER) + bytes(20_000))
