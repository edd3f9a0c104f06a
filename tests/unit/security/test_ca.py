"""The platform's own certificates: real TLS on loopback, as Python 3.13 and curl verify it."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from terna.errors import SettingsError
from terna.security import ca
from terna.security.ca import Service, ensure_certificates

TRACKING = Service("tracking", ("localhost", "tracking", "127.0.0.1"))
SERVING = Service("serving", ("localhost", "serving", "::1"))


class Pki:
    """A folder of certificates, a folder of secrets, and their files."""

    def __init__(self, root: Path) -> None:
        self.certs, self.secrets = root / "certs", root / "secrets"
        self.ca_crt, self.ca_key = self.certs / "ca.crt", self.secrets / "ca" / "ca.key"
        self.crt = self.certs / "tracking" / "tls.crt"
        self.key = self.secrets / "tracking" / "tls.key"

    def make(self, *services: Service) -> list[Path]:
        return ensure_certificates(self.certs, self.secrets, services or (TRACKING,))

    def files(self) -> dict[Path, tuple[bytes, int]]:
        found = [p for root in (self.certs, self.secrets) for p in root.rglob("*")]
        return {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in found if p.is_file()}


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


def read(crt: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(crt.read_bytes())


def server_context(pki: Pki, service: str = "tracking") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    folder, secrets = pki.certs / service, pki.secrets / service
    context.load_cert_chain(folder / "tls.crt", secrets / "tls.key")
    return context


def client_context(ca: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


@contextmanager
def serve_once(context: ssl.SSLContext) -> Iterator[int]:
    """A TLS server on loopback that answers one request, or loses one client."""

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                with context.wrap_socket(connection, server_side=True) as tls:
                    tls.recv(4096)
                    tls.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            except OSError:
                pass  # the client refused this server, as some tests want

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()


def ask(server: ssl.SSLContext, client: ssl.SSLContext, host: str = "localhost") -> bytes:
    with (
        serve_once(server) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
        client.wrap_socket(connection, server_hostname=host) as tls,
    ):
        tls.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return tls.recv(4096)


def test_first_run_makes_the_ca_and_a_key_and_certificate_per_service(pki: Pki) -> None:
    made = pki.make(TRACKING, SERVING)

    assert sorted(str(p.relative_to(pki.certs.parent)) for p in made) == [
        "certs/ca.crt",
        "certs/serving/ca.crt",
        "certs/serving/tls.crt",
        "certs/tracking/ca.crt",
        "certs/tracking/tls.crt",
        "secrets/ca/ca.key",
        "secrets/serving/tls.key",
        "secrets/tracking/tls.key",
    ]
    assert set(pki.files()) == {*made, pki.secrets / "ca/.lock"}


def test_second_run_makes_nothing_and_touches_nothing(pki: Pki) -> None:
    pki.make(TRACKING, SERVING)
    before = pki.files()
    lock = pki.secrets / "ca/.lock"

    assert pki.make(TRACKING, SERVING) == []
    assert {**pki.files(), lock: before[lock]} == before


def test_new_service_gets_its_own_files_and_the_others_keep_theirs(pki: Pki) -> None:
    pki.make(TRACKING)
    made = pki.make(TRACKING, SERVING)

    assert {p.parent.name for p in made} == {"serving"}


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_only_the_owner_reads_keys_and_everybody_reads_certificates(pki: Pki, umask: int) -> None:
    previous = os.umask(umask)
    try:
        pki.make(TRACKING)
    finally:
        os.umask(previous)

    assert {p.stat().st_mode & 0o777 for p in (pki.key, pki.ca_key)} == {0o600}
    assert {p.stat().st_mode & 0o777 for p in pki.certs.rglob("*.crt")} == {0o644}
    folders = [pki.secrets, pki.ca_key.parent, pki.key.parent]
    assert {p.stat().st_mode & 0o777 for p in folders} == {0o700}


@pytest.mark.parametrize("host", ["localhost", "tracking", "127.0.0.1"])
def test_client_with_the_ca_trusts_the_service_under_each_of_its_names(pki: Pki, host: str) -> None:
    pki.make(TRACKING)

    answer = ask(server_context(pki), client_context(pki.certs / "tracking" / "ca.crt"), host)

    assert answer.endswith(b"hello")


def test_client_refuses_the_service_under_another_name(pki: Pki) -> None:
    pki.make(TRACKING)

    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        ask(server_context(pki), client_context(pki.ca_crt), "elsewhere")


def test_client_with_another_ca_refuses_the_service(pki: Pki, tmp_path: Path) -> None:
    pki.make(TRACKING)
    other = Pki(tmp_path / "other")
    other.make(TRACKING)

    with pytest.raises(ssl.SSLCertVerificationError):
        ask(server_context(pki), client_context(other.ca_crt))


def test_client_can_prove_to_another_who_it_is(pki: Pki) -> None:
    pki.make(TRACKING, replace(SERVING, is_client=True))
    server, client = server_context(pki, "tracking"), client_context(pki.ca_crt)
    server.verify_mode = ssl.CERT_REQUIRED
    server.verify_flags |= ssl.VERIFY_X509_STRICT
    server.load_verify_locations(pki.ca_crt)
    client.load_cert_chain(pki.certs / "serving" / "tls.crt", pki.secrets / "serving" / "tls.key")

    assert ask(server, client).endswith(b"hello")


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_trusts_the_service_with_the_ca_alone(pki: Pki) -> None:
    pki.make(TRACKING)
    with serve_once(server_context(pki)) as port:
        url = f"https://localhost:{port}/"
        curl = ["curl", "-sS", "--noproxy", "*", "-4", "--cacert", str(pki.ca_crt), url]
        done = subprocess.run(curl, capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("hello", "")


def test_server_that_is_no_client_cannot_connect_as_one(pki: Pki) -> None:
    pki.make(TRACKING, SERVING)
    server, client = server_context(pki, "tracking"), client_context(pki.ca_crt)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(pki.ca_crt)
    client.load_cert_chain(pki.certs / "serving" / "tls.crt", pki.secrets / "serving" / "tls.key")

    with pytest.raises(ssl.SSLError):
        ask(server, client)


def test_service_that_becomes_a_client_gets_another_certificate(pki: Pki) -> None:
    pki.make(TRACKING)
    assert pki.make(replace(TRACKING, is_client=True)) == [pki.crt]
    assert pki.make(TRACKING) == [pki.crt]


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
@pytest.mark.parametrize("purpose", ["sslserver", "sslclient"])
def test_openssl_verifies_the_certificate_strictly(pki: Pki, purpose: str) -> None:
    pki.make(replace(TRACKING, is_client=True))
    verify = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile"]
    done = subprocess.run([*verify, pki.ca_crt, pki.crt], capture_output=True, check=False)

    assert done.returncode == 0, done.stderr


def test_ca_lives_ten_years_and_issues_leaves_only(pki: Pki) -> None:
    pki.make(TRACKING)
    ca = read(pki.ca_crt)
    constraints = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = ca.extensions.get_extension_for_class(x509.KeyUsage)

    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    assert constraints.critical
    assert usage.critical
    assert usage.value.key_cert_sign
    assert ca.not_valid_after_utc - ca.not_valid_before_utc == timedelta(days=3652)


def test_certificate_lives_90_days_and_comes_without_the_ca(pki: Pki) -> None:
    pki.make(TRACKING)

    (leaf,) = x509.load_pem_x509_certificates(pki.crt.read_bytes())
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(days=90)


@pytest.mark.parametrize("days_left", [-2, 0, 44])
def test_certificate_past_half_of_its_life_is_made_anew_for_the_same_key(
    pki: Pki, monkeypatch: pytest.MonkeyPatch, days_left: int
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(ca, "CLOCK_SKEW", timedelta(days=5))
        patched.setattr(ca, "LEAF_VALIDITY", timedelta(days=5 + days_left))
        pki.make(TRACKING)
    key = pki.key.read_bytes()

    assert pki.make(TRACKING) == [pki.crt]
    assert read(pki.crt).not_valid_after_utc > datetime.now(UTC) + timedelta(days=89)
    assert pki.key.read_bytes() == key


def test_certificate_in_the_first_half_of_its_life_stays(
    pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(ca, "LEAF_VALIDITY", timedelta(days=46))
        pki.make(TRACKING)

    assert pki.make(TRACKING) == []


def test_service_that_gains_a_host_gets_a_certificate_with_it(pki: Pki) -> None:
    pki.make(TRACKING)

    assert pki.make(Service("tracking", (*TRACKING.hosts, "10.0.0.2"))) == [pki.crt]
    assert ask(server_context(pki), client_context(pki.ca_crt), "10.0.0.2")


def test_service_that_loses_a_host_keeps_its_certificate(pki: Pki) -> None:
    pki.make(TRACKING)

    assert pki.make(Service("tracking", ("localhost",))) == []


def test_new_ca_gives_every_service_a_new_certificate_and_its_copy_of_the_ca(
    pki: Pki,
) -> None:
    pki.make(TRACKING)
    pki.ca_crt.unlink()
    pki.ca_key.unlink()
    copy = pki.certs / "tracking" / "ca.crt"

    assert set(pki.make(TRACKING)) == {pki.ca_crt, pki.ca_key, pki.crt, copy}
    assert ask(server_context(pki), client_context(copy))


def test_lost_key_is_made_anew_with_a_certificate_that_fits_it(pki: Pki) -> None:
    pki.make(TRACKING)
    pki.key.unlink()

    assert pki.make(TRACKING) == [pki.key, pki.crt]
    assert ask(server_context(pki), client_context(pki.ca_crt))


def refused(pki: Pki, *services: Service) -> str:
    """The one line of the error."""
    with pytest.raises(SettingsError) as raised:
        pki.make(*services)
    assert str(raised.value).isprintable()
    return str(raised.value)


def test_ca_without_its_key_is_refused_with_what_to_do(pki: Pki) -> None:
    pki.make(TRACKING)
    pki.ca_key.unlink()
    before = set(pki.files())

    assert f"put the key back, or delete {pki.ca_crt}" in refused(pki)
    assert set(pki.files()) == before


def test_ca_key_without_its_certificate_is_refused_with_what_to_do(pki: Pki) -> None:
    pki.make(TRACKING)
    pki.ca_crt.unlink()

    assert f"put the certificate back, or delete {pki.ca_key}" in refused(pki)


def test_ca_with_the_key_of_another_is_refused(pki: Pki, tmp_path: Path) -> None:
    pki.make(TRACKING)
    other = Pki(tmp_path / "other")
    other.make(TRACKING)
    shutil.copy(other.ca_key, pki.ca_key)

    assert "is not the key of" in refused(pki)


def test_expired_ca_is_refused_with_what_to_do(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(ca, "CA_VALIDITY", timedelta(minutes=1))
        with pytest.raises(SettingsError):
            pki.make(TRACKING)

    assert f"{pki.ca_crt} has expired: delete it and {pki.ca_key}" in refused(pki)


@pytest.mark.parametrize("name", ["ca_crt", "ca_key", "crt", "key"])
def test_file_that_holds_something_else_is_refused_and_kept(pki: Pki, name: str) -> None:
    pki.make(TRACKING)
    file: Path = getattr(pki, name)
    file.write_text("something else\n")

    assert str(file) in refused(pki)
    assert file.read_text() == "something else\n"


def test_key_that_is_not_elliptic_curve_is_refused(pki: Pki) -> None:
    pki.make(TRACKING)
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pki.key.write_bytes(pem)

    assert "no elliptic-curve private key" in refused(pki)


@pytest.mark.parametrize("host", ["", "two words", "münchen.example", "a\nb"])
def test_host_that_fits_in_no_certificate_is_refused(pki: Pki, host: str) -> None:
    assert repr(host) in refused(pki, Service("erp", (host,)))


def test_service_without_hosts_is_refused(pki: Pki) -> None:
    assert "erp needs a host name" in refused(pki, Service("erp", ()))


def test_interrupted_run_leaves_no_half_a_file_and_the_next_one_finishes(
    pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    pki.make(TRACKING)
    pki.key.unlink()
    pki.crt.unlink()

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full_disk)
        assert "No space left on device" in refused(pki)
    assert not pki.key.exists()

    assert pki.make(TRACKING) == [pki.key, pki.crt]
    assert not list(pki.secrets.rglob("*.part"))
    assert ask(server_context(pki), client_context(pki.ca_crt))


def test_runs_at_once_make_every_file_once_and_all_fit(pki: Pki) -> None:
    code = (
        "import sys; from pathlib import Path; from terna.security.ca import *\n"
        "s = [Service(f's{i}', ('localhost',)) for i in range(5)]\n"
        "print(*ensure_certificates(Path(sys.argv[1]), Path(sys.argv[2]), s), sep='\\n')"
    )
    command = [sys.executable, "-c", code, str(pki.certs), str(pki.secrets)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    made = [line for run in runs for line in run.communicate()[0].split()]

    assert {run.returncode for run in runs} == {0}
    assert len(made) == len(set(made)) == 2 + 5 * 3
    assert ask(server_context(pki, "s4"), client_context(pki.ca_crt))
