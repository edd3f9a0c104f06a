"""Serving is put together without touching anything, and refuses to start without its keys."""

from dataclasses import replace
from pathlib import Path

import pytest

from terna.errors import SettingsError
from terna.serving import server
from terna.settings import Serving, Settings

FILES = ("tls.crt", "tls.key", "signing.pub", "ca.crt")


def serving(root: Path) -> Serving:
    return Serving(
        cache_dir=root / "cache",
        certificate=root / "tls.crt",
        key=root / "tls.key",
        verify_key=root / "signing.pub",
        client_ca=root / "ca.crt",
        api_keys=root / "api-keys.json",
    )


def test_building_a_worker_reads_and_writes_nothing(tmp_path: Path) -> None:
    app = server.build(replace(Settings.load(), serving=serving(tmp_path)))
    app.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", FILES)
def test_missing_file_is_named_before_anything_starts(
    tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(server, "Supervisor", started.append)
    for name in {*FILES} - {missing}:
        (tmp_path / name).touch()

    with pytest.raises(SettingsError, match=f"{missing} is missing: `terna certificates`"):
        server.serve(serving(tmp_path))

    assert started == []


def test_missing_api_keys_are_named_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(server, "Supervisor", started.append)
    for name in FILES:
        (tmp_path / name).touch()

    with pytest.raises(SettingsError, match=r"api-keys\.json cannot be read .*`terna cert"):
        server.serve(serving(tmp_path))

    assert started == []
