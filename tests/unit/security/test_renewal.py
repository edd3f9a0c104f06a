"""Renewal: what is said of each certificate, and how a server notices a new one."""

import logging
import shutil
import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from terna.errors import SettingsError
from terna.security import ca, renewal
from terna.security.ca import Service, ensure_certificates
from terna.security.renewal import CertificateFiles, days_left, renew_repeatedly

SERVICES = [Service("erp", ("localhost",)), Service("serving", ("localhost",))]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    ensure_certificates(tmp_path, tmp_path, SERVICES)
    return tmp_path


@pytest.fixture
def files(root: Path) -> CertificateFiles:
    return CertificateFiles(root / "erp/tls.crt", root / "erp/tls.key")


class Over(Exception):
    """The test has seen enough."""


def times(count: int) -> Callable[[float], None]:
    """A clock's `sleep` that does not wait, and ends what sleeps more often than that."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > count:
            raise Over

    return sleep


def renewed(root: Path) -> None:
    (root / "erp/tls.crt").unlink()
    ensure_certificates(root, root, SERVICES)


def test_days_left_are_those_of_the_certificate(root: Path) -> None:
    assert 89.9 < days_left(root / "erp/tls.crt") < 90


def test_every_certificate_is_logged_and_a_warning_when_little_is_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(ca, "LEAF_VALIDITY", timedelta(days=29))
        ensure_certificates(tmp_path, tmp_path, SERVICES[:1])
    ensure_certificates(tmp_path, tmp_path, SERVICES[1:])
    (tmp_path / "other").mkdir()
    (tmp_path / "other/tls.crt").write_text("no certificate")

    with caplog.at_level(logging.INFO):
        renewal.log_days_left(tmp_path)

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", f"{tmp_path}/ca.crt is valid for 3651 more days"),
        ("WARNING", f"{tmp_path}/erp/tls.crt is valid for 28 more days"),
        ("ERROR", f"{tmp_path}/other/tls.crt cannot be read (ValueError)"),
        ("INFO", f"{tmp_path}/serving/tls.crt is valid for 89 more days"),
    ]


def test_renewal_goes_on_after_one_that_failed(
    root: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", times(1))
    asked: list[bool] = []

    def renew() -> None:
        asked.append(True)
        if len(asked) == 1:
            raise SettingsError("the disk is full")
        renewed(root)

    before = (root / "erp/tls.crt").read_bytes()
    with pytest.raises(Over):
        renew_repeatedly(renew, root)

    assert len(asked) == 2
    assert "nothing is renewed: the disk is full" in caplog.text
    assert (root / "erp/tls.crt").read_bytes() != before


def test_renewed_files_are_noticed_once(files: CertificateFiles, root: Path) -> None:
    assert not files.were_renewed()
    renewed(root)
    assert files.were_renewed()
    assert not files.were_renewed()


def test_missing_files_are_no_renewal(files: CertificateFiles) -> None:
    files.certificate.unlink()
    assert not files.were_renewed()


def test_certificate_of_another_key_is_no_renewal_and_logged_once(
    files: CertificateFiles, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(root / "serving/tls.crt", files.certificate)
    assert [files.were_renewed(), files.were_renewed()] == [False, False]
    assert caplog.text.count(f"{files.certificate} is not used: ") == 1


def test_server_that_follows_its_files_loads_the_new_ones(
    files: CertificateFiles, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[bytes] = []

    class Context(ssl.SSLContext):
        def load_cert_chain(self, certfile: Path, *_: object) -> None:  # type: ignore[override]
            loaded.append(Path(certfile).read_bytes())

    renewed(root)
    monkeypatch.setattr("time.sleep", times(2))
    with pytest.raises(Over):
        renewal.follow(files, Context(ssl.PROTOCOL_TLS_SERVER))
    assert loaded == [files.certificate.read_bytes()]
