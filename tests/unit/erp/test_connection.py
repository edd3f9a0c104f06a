"""What a client shows the endpoint, and which file is wrong where one cannot be read."""

from dataclasses import replace
from pathlib import Path

import pytest

from terna.erp.connection import Connection, authorization, tls_context
from terna.errors import SettingsError
from terna.security.ca import ensure_certificates

ENDPOINT = "https://localhost:8443/invocations"


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    ensure_certificates(tmp_path, tmp_path / "secrets", [])
    return tmp_path / "ca.crt"


def test_key_is_sent_as_it_is() -> None:
    sent = authorization(Connection(ENDPOINT, api_key="erp.key"))
    assert sent == {"authorization": "Bearer erp.key"}


def test_key_of_a_file_is_sent_without_its_newline(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("erp.key\n")
    sent = authorization(Connection(ENDPOINT, api_key_file=str(tmp_path / "key")))
    assert sent == {"authorization": "Bearer erp.key"}


def test_without_a_key_none_is_sent() -> None:
    assert authorization(Connection(ENDPOINT)) == {}


def test_key_is_not_shown() -> None:
    assert "erp.key" not in repr(Connection(ENDPOINT, api_key="erp.key"))


def test_missing_key_is_named_with_its_setting(tmp_path: Path) -> None:
    connection = Connection(ENDPOINT, api_key_file=tmp_path / "none")
    with pytest.raises(SettingsError, match=r"/none holds no API key .* TERNA_ERP_API_KEY_FILE"):
        authorization(connection)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_unreadable_ca_is_named_with_its_setting(tmp_path: Path, content: bytes | None) -> None:
    missing = tmp_path / "ca.crt"
    if content is not None:
        missing.write_bytes(content)

    with pytest.raises(SettingsError, match=r"ca\.crt is no CA certificate.*TERNA_ERP_CA"):
        tls_context(Connection(ENDPOINT, ca=missing))


def test_endpoint_is_verified_by_its_ca_alone(ca: Path) -> None:
    trusted = tls_context(Connection(ENDPOINT, ca=ca)).get_ca_certs()
    assert len(trusted) == 1


def test_certificate_that_cannot_be_read_is_named_with_its_setting(ca: Path) -> None:
    connection = Connection(ENDPOINT, ca=ca, certificate=ca, key=ca)
    for wrong in (connection, replace(connection, certificate=ca.with_name("none"))):
        with pytest.raises(SettingsError, match="TERNA_ERP_CERTIFICATE and TERNA_ERP_KEY"):
            tls_context(wrong)
