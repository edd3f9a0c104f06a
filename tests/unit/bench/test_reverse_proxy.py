"""The copy of the repository's nginx/ that the bench runs."""

from pathlib import Path

import pytest

from bench import machine, reverse_proxy
from terna.errors import TernaError


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """All of the copy, for an nginx of Debian 12."""
    monkeypatch.setattr(machine, "nginx_version", lambda: (1, 22, 1))
    folder = tmp_path / "nginx"
    reverse_proxy.copy(
        reverse_proxy.NGINX,
        folder,
        reverse_proxy.substitutions(folder, Path("C"), Path("S"), 1111, 2222, 333),
    )
    return "".join(file.read_text() for file in sorted(folder.rglob("*.conf")))


def test_copied_configuration_finds_its_files_and_its_server(copied: str) -> None:
    for said in (
        "C/tls.crt",
        "S/tls.key",
        "listen 127.0.0.1:1111 ssl",
        "set $serving 127.0.0.1:333;",
    ):
        assert said in copied
    assert " /certs/" not in copied
    assert " /secrets/" not in copied


def test_openssl_of_debian_12_can_read_the_groups(copied: str) -> None:
    assert "ssl_ecdh_curve X25519:" in copied
    assert "?" not in "".join(line for line in copied.splitlines() if "ssl_ecdh_curve" in line)


def test_rate_limit_is_on_and_beyond_any_load(copied: str) -> None:
    assert "limit_req zone=per_client" in copied
    assert "rate=1000000r/s" in copied


def test_log_with_the_server_time_is_still_written(copied: str) -> None:
    assert '"upstream_seconds":"$upstream_response_time"' in copied
    line = b'{"status":200,"upstream_status":"200","upstream_seconds":"0.012"}'
    assert reverse_proxy.UPSTREAM_SECONDS.findall(line) == [b"0.012"]


def test_changed_folder_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "nginx"
    source.mkdir()
    (source / "nginx.conf").write_text("listen 8443;\n")
    with pytest.raises(TernaError, match="rate="):
        reverse_proxy.copy(
            source, tmp_path / "copy", {r"listen 8443": "listen 1", r"rate=\d+r/s": "x"}
        )


def test_missing_program_error_has_the_line_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "program", lambda _: None)
    monkeypatch.setattr(machine, "STREAM_MODULE", Path("/nowhere"))
    with pytest.raises(TernaError, match="sudo apt install wrk nginx libnginx-mod-stream"):
        machine.check_programs()
