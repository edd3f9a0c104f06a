"""The tracking server's listener and MLflow's variables, from settings."""

import configparser
import ssl
from pathlib import Path

import pytest

from terna.errors import SettingsError
from terna.security.audit import AuditLog
from terna.security.ca import Service, ensure_certificates
from terna.settings import Tracking
from terna.tracking import logins, server


@pytest.fixture
def tracking(tmp_path: Path) -> Tracking:
    """Settings with a certificate and a key."""
    certs, secrets = tmp_path / "with a space/certs", tmp_path / "secrets"
    ensure_certificates(certs, secrets, [Service("tracking", ("localhost",))])
    return Tracking(
        host="0.0.0.0",
        port=5001,
        certificate=certs / "tracking/tls.crt",
        key=secrets / "tracking/tls.key",
        auth_database_uri="postgresql://auth:p%40ss@localhost/auth",
    )


async def nothing(scope: object, receive: object, send: object) -> None:
    """Answer nothing."""


def test_listener_is_that_of_the_settings_and_takes_tls_1_3_alone(tracking: Tracking) -> None:
    config = server.build_server(nothing, tracking).config
    assert (config.host, config.port) == ("0.0.0.0", 5001)
    assert config.ssl
    assert config.ssl.minimum_version == ssl.TLSVersion.TLSv1_3


def test_nobody_may_say_in_a_header_from_where_he_asks(tracking: Tracking) -> None:
    assert not server.build_server(nothing, tracking).config.proxy_headers


@pytest.mark.parametrize("missing", ["certificate", "key"])
def test_missing_key_or_certificate_is_named_and_nothing_starts(
    tracking: Tracking, tmp_path: Path, missing: str
) -> None:
    getattr(tracking, missing).unlink()
    with pytest.raises(SettingsError, match="is missing: `terna certificates`"):
        server.serve(tracking, AuditLog(tmp_path / "audit.jsonl"))
    assert not (tmp_path / "audit.jsonl").exists()


def test_mlflows_configuration_has_the_database_and_is_private(tracking: Tracking) -> None:
    config = logins.write_config(tracking.auth_database_uri)
    parser = configparser.ConfigParser()
    parser.read(config)
    assert parser["mlflow"]["database_uri"] == tracking.auth_database_uri
    assert parser["mlflow"]["default_permission"] == "NO_PERMISSIONS"
    assert config.parent.stat().st_mode & 0o077 == 0
