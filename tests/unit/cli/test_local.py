"""The commands for this machine."""

from pathlib import Path

import pytest

from terna.security import secrets
from tests.unit.cli.running import Terna


def test_certificates_names_what_it_made_and_makes_it_once(terna: Terna, tmp_path: Path) -> None:
    first, second = terna("certificates"), terna("certificates")

    assert (first.code, second.code) == (0, 0)
    made = [Path(line.removeprefix("made ")) for line in first.out.splitlines()]
    assert tmp_path / "certs/ca.crt" in {tmp_path / path for path in made}
    assert all(path.is_file() for path in made)
    assert second.out == ""


def test_json_in_a_missing_folder_is_refused_before_anything_starts(
    terna: Terna, tmp_path: Path
) -> None:
    done = terna("demo", "--json", "missing/out.json")

    expected = "error: There is no folder missing for --json to write to.\n"
    assert (done.code, done.err) == (1, expected)
    assert not (tmp_path / ".terna").exists()


def test_init_secrets_makes_them_in_the_folders_given(
    terna: Terna, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[tuple[Path, Path]] = []
    monkeypatch.setattr(secrets, "ensure_all", lambda *given: folders.append(given))

    assert terna("init-secrets", "/certs", "/secrets").code == 0
    assert folders == [(Path("/certs"), Path("/secrets"))]
