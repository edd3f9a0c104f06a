"""The platform's own certificate authority, and the TLS certificates that it issues.

Profile: RFC 5280, as far as `ssl.VERIFY_X509_STRICT` asks for it (the default of Python 3.13).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from terna.errors import SettingsError
from terna.files import locked, write_private, write_public

CA_VALIDITY = timedelta(days=3652)
LEAF_VALIDITY = timedelta(days=90)  # the longest that Mozilla's modern list accepts
RENEW_BEFORE = LEAF_VALIDITY / 2  # so that there are weeks in which to notice that nothing renews
CLOCK_SKEW = timedelta(hours=1)


@dataclass(frozen=True)
class Service:
    """A service that gets a certificate for its DNS names and IP addresses."""

    name: str
    hosts: tuple[str, ...]
    is_client: bool = False
    """Whether its certificate lets it connect to servers that ask for one: serving's port."""


@dataclass(frozen=True)
class _Ca:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def ensure_certificates(certs: Path, secrets: Path, services: Sequence[Service]) -> list[Path]:
    """Make the CA and every service's certificate and key where missing; return what was made.

    Existing keys stay as they are. A `tls.crt` is replaced, for the same key, when half of its
    validity is over, it lacks a host
    or a purpose, belongs to another key or was not issued by this CA; a
    service's copy of `ca.crt` is replaced when it differs. Safe to interrupt, and to run twice at
    once.

    Raises:
        SettingsError: the CA has lost its key or certificate, or has expired; a file that exists
            cannot be read; a file cannot be written; a host fits in no certificate.
    """
    try:
        secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(secrets / "ca"):  # the CA's alone, as who renews may write there only
            return list(_ensure(certs, secrets, services))
    except OSError as error:
        raise SettingsError(f"cannot make certificates: {error}") from error


def _ensure(certs: Path, secrets: Path, services: Sequence[Service]) -> Iterator[Path]:
    ca_crt, ca_key = certs / "ca.crt", secrets / "ca" / "ca.key"
    yield from _ensure_ca(ca_crt, ca_key)
    ca = _read_ca(ca_crt, ca_key)
    for service in services:
        crt, key = certs / service.name / "tls.crt", secrets / service.name / "tls.key"
        yield from _ensure_key(key)
        yield from _ensure_leaf(crt, read_key(key), service, ca)
        yield from _ensure_copy(ca_crt, certs / service.name / "ca.crt")


def _ensure_ca(crt: Path, key: Path) -> Iterator[Path]:
    if crt.exists() and not key.exists():
        raise SettingsError(
            f"{crt} has lost its key {key}: put the key back, or delete {crt} and run again for "
            "a new CA, whose ca.crt every client then needs"
        )
    if key.exists() and not crt.exists():
        raise SettingsError(
            f"{key} has lost its certificate {crt}: put the certificate back, or delete {key} and "
            "run again for a new CA, whose ca.crt every client then needs"
        )
    if not crt.exists():
        yield from _ensure_key(key)
        write_public(crt, _ca_certificate(read_key(key)).public_bytes(Encoding.PEM))
        yield crt


def _ensure_key(path: Path) -> Iterator[Path]:
    if not path.exists():
        write_private(path, new_key())
        yield path


def _ensure_leaf(
    path: Path, key: ec.EllipticCurvePrivateKey, service: Service, ca: _Ca
) -> Iterator[Path]:
    if not (path.exists() and _is_current(_read_certificate(path), key, service, ca)):
        write_public(path, _leaf_certificate(key, service, ca).public_bytes(Encoding.PEM))
        yield path


def _ensure_copy(original: Path, copy: Path) -> Iterator[Path]:
    if not copy.exists() or copy.read_bytes() != original.read_bytes():
        write_public(copy, original.read_bytes())
        yield copy


def _is_current(
    leaf: x509.Certificate, key: ec.EllipticCurvePrivateKey, service: Service, ca: _Ca
) -> bool:
    return (
        leaf.not_valid_after_utc - datetime.now(UTC) > RENEW_BEFORE
        and leaf.public_key() == key.public_key()
        and set(_names(service)) <= _names_of(leaf)
        and _purposes(service) == _purposes_of(leaf)
        and _is_issued_by(ca, leaf)
    )


def _is_issued_by(ca: _Ca, leaf: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(ca.certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _names_of(leaf: x509.Certificate) -> set[x509.GeneralName]:
    try:
        return set(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except (ValueError, x509.ExtensionNotFound):
        return set()


def _purposes(service: Service) -> list[x509.ObjectIdentifier]:
    server, client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
    return [server, client] if service.is_client else [server]


def _purposes_of(leaf: x509.Certificate) -> list[x509.ObjectIdentifier]:
    try:
        return [*leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value]
    except (ValueError, x509.ExtensionNotFound):
        return []


def _names(service: Service) -> list[x509.GeneralName]:
    if not service.hosts:
        raise SettingsError(f"{service.name} needs a host name or an IP address for a certificate")
    return [_name(host) for host in service.hosts]


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return _dns_name(host)


def _dns_name(host: str) -> x509.DNSName:
    if not host or not host.isascii() or not host.isprintable() or " " in host:
        raise SettingsError(f"{host!r} is no DNS name or IP address (write an IDN as xn--…)")
    return x509.DNSName(host)


def _ca_certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _common_name("Terna CA")
    builder = _builder(name, name, key.public_key(), key.public_key(), CA_VALIDITY)
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )


def _leaf_certificate(
    key: ec.EllipticCurvePrivateKey, service: Service, ca: _Ca
) -> x509.Certificate:
    subject, issuer = _common_name(service.name), ca.certificate.subject
    names = x509.SubjectAlternativeName(_names(service))
    builder = _builder(subject, issuer, key.public_key(), ca.key.public_key(), LEAF_VALIDITY)
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(_purposes(service)), critical=False)
        .add_extension(names, critical=False)
        .sign(ca.key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    subject_key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    validity: timedelta,
) -> x509.CertificateBuilder:
    start = datetime.now(UTC) - CLOCK_SKEW
    subject_id = x509.SubjectKeyIdentifier.from_public_key(subject_key)
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key)
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=subject_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + validity)
        .add_extension(subject_id, critical=False)
        .add_extension(issuer_id, critical=False)
    )


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _read_ca(crt: Path, key: Path) -> _Ca:
    ca = _Ca(_read_certificate(crt), read_key(key))
    if ca.certificate.public_key() != ca.key.public_key():
        raise SettingsError(f"{key} is not the key of {crt}: put the pair back, or delete both")
    if ca.certificate.not_valid_after_utc < datetime.now(UTC):
        raise SettingsError(f"{crt} has expired: delete it and {key}, and run again for a new CA")
    return ca


def _read_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        raise SettingsError(f"{path} is no PEM certificate: put it back, or delete it") from error


def read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read an elliptic-curve private key in PEM that has no password.

    Raises:
        SettingsError: the file holds something else.
        OSError: the file cannot be read.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise SettingsError(
            f"{path} is no elliptic-curve private key in PEM without a password: "
            "put the right one back, or delete it"
        )
    return key


def new_key() -> bytes:
    """Return a new P-256 private key in PEM (PKCS #8)."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
