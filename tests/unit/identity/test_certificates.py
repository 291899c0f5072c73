"""Certificates that are fine: our servers', our users'."""

from __future__ import annotations

import datetime as dt
import shutil
import ssl
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from seawall import audit
from seawall.core import actor as actors
from seawall.core.errors import IntegrityError, InvalidInputError, NotFoundError
from seawall.identity import authorities
from seawall.identity.certificates import Certificates
from seawall.identity.users import Users
from seawall.store import Database
from seawall.testing.callers import cheap_passwords
from seawall.testing.clocks import FakeClock

OPERATOR = actors.operator("root")


@pytest.fixture
def certificates(database: Database, clock: FakeClock, tmp_path: Path) -> Certificates:
    users = Users(database, clock, hashing=cheap_passwords())
    users.create("alice", "correct horse battery", actor=OPERATOR)
    return Certificates(database, clock, tmp_path / "certificates")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_keys_are_private_and_authorities_are_two(
    certificates: Certificates, tmp_path: Path
) -> None:
    folder = tmp_path / "certificates"
    certificates.server_certificate(["localhost"])
    assert 0o700 == mode(folder)
    for name in ("client-ca.key.pem", "server-ca.key.pem", "server.pem"):
        assert 0o600 == mode(folder / name)
    assert (folder / "client-ca.pem").read_bytes() != (folder / "server-ca.pem").read_bytes()
    assert b"PRIVATE" not in (folder / "client-ca.pem").read_bytes()


def test_a_servers_certificate_is_kept_until_something_changes(
    certificates: Certificates, clock: FakeClock, tmp_path: Path, database: Database
) -> None:
    names = ["localhost", "127.0.0.1", "::1", "registry.test"]
    first = certificates.server_certificate(names).pair.read_bytes()
    again = Certificates(database, clock, tmp_path / "certificates")
    assert first == again.server_certificate(list(reversed(names))).pair.read_bytes()

    other = certificates.server_certificate([*names, "other.test"]).pair.read_bytes()
    assert other != first

    clock.advance(dt.timedelta(days=59))
    assert other == certificates.server_certificate([*names, "other.test"]).pair.read_bytes()
    clock.advance(dt.timedelta(days=2))
    assert other != certificates.server_certificate([*names, "other.test"]).pair.read_bytes()


def test_a_damaged_server_certificate_is_made_anew(certificates: Certificates) -> None:
    path = certificates.server_certificate(["localhost"]).pair
    path.write_bytes(b"damaged")
    certificates.server_certificate(["localhost"])
    assert authorities.parse_pair(path.read_bytes())


def test_a_servers_certificate_names_hosts_and_addresses(certificates: Certificates) -> None:
    path = certificates.server_certificate(["Registry.test", "10.0.0.1"]).pair
    pair = authorities.parse_pair(path.read_bytes())
    names = pair.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ["registry.test"] == names.get_values_for_type(x509.DNSName)
    assert ["10.0.0.1"] == [str(a) for a in names.get_values_for_type(x509.IPAddress)]


@pytest.mark.parametrize("names", [[], ["bad_name"], ["a..b"], ["-a"], ["*.test"], ["a b"], ["ä"]])
def test_refuses_what_names_no_server(certificates: Certificates, names: list[str]) -> None:
    with pytest.raises(InvalidInputError):
        certificates.server_certificate(names)


def test_a_client_certificate_proves_its_user(
    certificates: Certificates, database: Database
) -> None:
    pair = certificates.client_certificate("alice", dt.timedelta(hours=1), actor=OPERATOR)
    der = pair.certificate.public_bytes(Encoding.DER)
    assert actors.user("alice") == certificates.user_of(der)
    assert ["alice"] == [issued.user for issued in certificates.list()]
    with database.read() as connection:
        assert "ClientCertificateIssued" == audit.read(connection, newest_first=True)[0].kind


def test_a_client_certificate_needs_a_user_and_a_sane_life(certificates: Certificates) -> None:
    with pytest.raises(NotFoundError):
        certificates.client_certificate("nobody", actor=OPERATOR)
    with pytest.raises(InvalidInputError):
        certificates.client_certificate("alice", dt.timedelta(days=4000), actor=OPERATOR)
    with pytest.raises(NotFoundError):
        certificates.revoke("00", actor=OPERATOR)


def test_a_bundle_holds_what_the_docker_client_wants(
    certificates: Certificates, tmp_path: Path
) -> None:
    pair = certificates.client_certificate("alice", actor=OPERATOR)
    certificates.write_bundle(pair, tmp_path / "bundle")
    assert ["ca.pem", "cert.pem", "key.pem"] == sorted(
        path.name for path in (tmp_path / "bundle").iterdir()
    )
    assert {0o600} == {mode(path) for path in (tmp_path / "bundle").iterdir()}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(tmp_path / "bundle" / "ca.pem")
    context.load_cert_chain(tmp_path / "bundle" / "cert.pem", tmp_path / "bundle" / "key.pem")


def test_a_key_that_is_not_the_certificates_is_refused(certificates: Certificates) -> None:
    one = certificates.client_certificate("alice", actor=OPERATOR)
    two = certificates.client_certificate("alice", actor=OPERATOR)
    with pytest.raises(IntegrityError):
        authorities.parse_pair(one.key_pem() + two.certificate_pem())
    with pytest.raises(IntegrityError):
        authorities.parse_pair(b"")


@pytest.mark.interop
def test_openssl_accepts_our_chains_for_their_purpose_only(
    database: Database, tmp_path: Path
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs the program openssl")
    from seawall.core.clock import SystemClock

    users = Users(database, SystemClock(), hashing=cheap_passwords())
    users.create("alice", "correct horse battery", actor=OPERATOR)
    certificates = Certificates(database, SystemClock(), tmp_path)
    server = certificates.server_certificate(["localhost"])
    pair = certificates.client_certificate("alice", actor=OPERATOR)
    (tmp_path / "leaf.pem").write_bytes(pair.certificate_pem())

    def verdict(authority: Path, purpose: str, leaf: Path) -> int:
        command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile"]
        return subprocess.run(
            [*command, str(authority), str(leaf)], capture_output=True, check=False
        ).returncode

    assert 0 == verdict(server.authority, "sslserver", server.pair)
    assert 0 == verdict(certificates.client_authority, "sslclient", tmp_path / "leaf.pem")
    assert 0 != verdict(server.authority, "sslclient", server.pair)
    assert 0 != verdict(certificates.client_authority, "sslserver", tmp_path / "leaf.pem")
    assert 0 != verdict(certificates.client_authority, "sslserver", server.pair)
