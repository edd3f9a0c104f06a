"""Settings name the same as a connection does."""

from pathlib import Path

from terna.erp.connection import Connection
from terna.erp.from_settings import connection_of
from terna.settings import Erp


def test_connection_is_what_the_settings_say(tmp_path: Path) -> None:
    (tmp_path / "tls.crt").touch()
    settings = Erp(
        endpoint="https://serving:8124/invocations",
        ca=tmp_path / "ca.crt",
        api_key_file=tmp_path / "key",
        certificate=tmp_path / "tls.crt",
        key=tmp_path / "tls.key",
        timeout_seconds=3,
    )
    assert connection_of(settings) == Connection(**settings.model_dump(exclude={"customers"}))


def test_certificate_that_is_not_there_is_not_shown(tmp_path: Path) -> None:
    connection = connection_of(Erp(certificate=tmp_path / "none", key=tmp_path / "tls.key"))
    assert (connection.certificate, connection.key) == (None, None)
