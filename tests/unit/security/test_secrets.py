"""What the replica's servers must have before they start."""

import os
import stat
from pathlib import Path

import pytest
import yaml

from terna.security import signing
from terna.security.secrets import GROUPS, ensure_all
from tests.checkout import ROOT


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    """To whom each file was given, as only root may give files away."""
    given: dict[str, tuple[int, int]] = {}
    monkeypatch.setattr(os, "chown", lambda path, *owner: given.update({str(path): owner}))
    return given


@pytest.fixture
def made(tmp_path: Path, handed: dict[str, tuple[int, int]]) -> Path:  # noqa: ARG001
    for folder in ("certs", "secrets"):
        (tmp_path / folder).mkdir()
    ensure_all(tmp_path / "certs", tmp_path / "secrets")
    return tmp_path


def content(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("handed")
def test_second_run_changes_nothing(made: Path) -> None:
    before = content(made)
    ensure_all(made / "certs", made / "secrets")
    assert content(made) == before


def test_each_service_reads_its_own_folder_and_nobody_reads_anothers(
    made: Path, handed: dict[str, tuple[int, int]]
) -> None:
    for service, group in GROUPS.items():
        folder = made / "secrets" / service
        assert {handed[str(path)][1] for path in (folder, *folder.iterdir())} == {group}
    modes = {stat.S_IMODE(path.stat().st_mode) & 0o007 for path in (made / "secrets").glob("*/*")}
    assert modes == {0}


def test_everything_that_was_made_is_handed_to_the_checkouts_owner(
    made: Path, handed: dict[str, tuple[int, int]]
) -> None:
    roots = (made / "certs", made / "secrets")
    assert handed.keys() == {str(path) for root in roots for path in root.rglob("*")}
    assert {owner for owner, _ in handed.values()} == {made.stat().st_uid}


def test_key_that_opens_the_training_server_is_its_owners_alone(made: Path) -> None:
    assert stat.S_IMODE((made / "secrets/ssh/id_ed25519").stat().st_mode) == 0o600
    assert (made / "secrets/training/authorized_keys").read_text().startswith("ssh-ed25519 ")


def test_what_training_signs_serving_verifies(made: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "MLmodel").write_text("flavors: {}")
    signing.sign(model, made / "secrets/training/signing.key")
    signing.verify(model, made / "certs/serving/signing.pub")


def test_every_password_is_its_own(made: Path) -> None:
    passwords = [path.read_text() for path in (made / "secrets/postgres").glob("*.password")]
    assert len(passwords) == len(set(passwords)) == 4
    assert min(map(len, passwords)) > 30


def test_containers_run_as_the_users_that_the_keys_are_handed_to() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert set(GROUPS) <= set(services)
    for service, group in GROUPS.items():
        assert f"--uid {group}" in (ROOT / "services" / service / "Dockerfile").read_text()


def test_no_container_holds_a_secret_in_its_environment() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            secret = any(word in variable for word in ("PASSWORD", "SECRET", "TOKEN"))
            assert not secret or str(value).startswith("/secrets/"), f"{name}: {variable}"
