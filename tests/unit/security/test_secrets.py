"""The certificates, keys and passwords of the replica's containers."""

import os
import stat
from pathlib import Path

import pytest
import yaml
from cryptography.fernet import Fernet

from terna.contracts.version import RELEASE_FILE
from terna.security import signing
from terna.security.secrets import (
    ERP_KEYS,
    ERP_USERS,
    FORMER,
    GROUPS,
    SERVICES,
    ensure_all,
    renew_certificates,
)
from tests.checkout import ROOT


@pytest.fixture
def owners(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    """The user and group that each file was given to, as only root may give files away."""
    given: dict[str, tuple[int, int]] = {}
    monkeypatch.setattr(os, "chown", lambda path, *owner: given.update({str(path): owner}))
    return given


@pytest.fixture
def made(tmp_path: Path, owners: dict[str, tuple[int, int]]) -> Path:  # noqa: ARG001
    for folder in ("certs", "secrets"):
        (tmp_path / folder).mkdir()
    ensure_all(tmp_path / "certs", tmp_path / "secrets")
    return tmp_path


def content(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("owners")
def test_second_run_changes_nothing(made: Path) -> None:
    before = content(made)
    ensure_all(made / "certs", made / "secrets")
    assert content(made) == before


def test_each_service_can_read_its_own_folder_only(
    made: Path, owners: dict[str, tuple[int, int]]
) -> None:
    for service, group in GROUPS.items():
        folder = made / "secrets" / service
        assert {owners[str(path)][1] for path in (folder, *folder.rglob("*"))} == {group}
    modes = {stat.S_IMODE(path.stat().st_mode) & 0o007 for path in (made / "secrets").rglob("*/*")}
    assert modes == {0}


def test_certificates_and_public_keys_can_be_read_by_who_logs_in_to_the_training_server(
    made: Path,
) -> None:
    folder = made / "certs/training"
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert (stat.S_IMODE(folder.stat().st_mode), modes) == (0o755, {0o644})


def test_every_file_made_belongs_to_the_checkouts_owner(
    made: Path, owners: dict[str, tuple[int, int]]
) -> None:
    roots = (made / "certs", made / "secrets")
    assert owners.keys() == {str(path) for root in roots for path in root.rglob("*")}
    assert {owner for owner, _ in owners.values()} == {made.stat().st_uid}


def test_ssh_key_can_be_read_by_its_owner_only(made: Path) -> None:
    assert stat.S_IMODE((made / "secrets/ssh/id_ed25519").stat().st_mode) == 0o600
    assert (made / "secrets/training/people/analyst.pub").read_text().startswith("ssh-ed25519 ")


@pytest.mark.usefixtures("owners")
def test_first_person_is_made_again_only_where_there_is_nobody(made: Path) -> None:
    people = made / "secrets/training/people"
    (people / "analyst.pub").rename(people / "anna.pub")
    ensure_all(made / "certs", made / "secrets")
    assert [path.name for path in people.glob("*.pub")] == ["anna.pub"]


@pytest.mark.usefixtures("owners")
def test_keys_of_an_older_release_are_taken_over(tmp_path: Path) -> None:
    certs, secrets = tmp_path / "certs", tmp_path / "secrets"
    certs.mkdir()
    signing.ensure_signing_keys(secrets / "training/signing.key", certs / "training/signing.pub")
    (secrets / "training/authorized_keys").write_text('from="10.0.0.1" ssh-ed25519 AAAA me\n')
    before = (secrets / "training/signing.key").read_bytes()
    ensure_all(certs, secrets)
    assert (secrets / "signer/signing.key").read_bytes() == before
    assert (secrets / "training/people/analyst.pub").read_text().endswith("AAAA me\n")
    assert not (secrets / "training/signing.key").exists()
    assert not (secrets / "training/authorized_keys").exists()


def test_signing_key_of_the_signer_fits_public_key_of_serving(made: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "MLmodel").write_text("flavors: {}")
    signing.sign(model, made / "secrets/signer/signing.key")
    signing.verify(model, made / "certs/serving/signing.pub")


def test_release_key_can_be_read_by_its_owner_only(
    made: Path, owners: dict[str, tuple[int, int]]
) -> None:
    key = made / "secrets/release/release.key"
    assert (stat.S_IMODE(key.stat().st_mode), owners[str(key)][1]) == (0o600, made.stat().st_gid)
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700


def mounts() -> dict[str, list[str]]:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return {
        name: [volume.split(":")[0] for volume in service.get("volumes", [])]
        for name, service in services.items()
    }


def test_no_container_mounts_the_release_key() -> None:
    found = mounts()
    makes_it = found.pop("init-secrets")
    assert "./secrets" in makes_it
    folders = {each for volumes in found.values() for each in volumes}
    assert folders.isdisjoint({"./secrets", "./secrets/release"})


def test_only_the_signer_mounts_the_signing_key() -> None:
    holders = {name for name, folders in mounts().items() if "./secrets/signer" in folders}
    assert holders == {"signer"}


def test_renewing_container_has_the_keys_of_the_certificates_and_none_that_signs() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    of_services = {f"./secrets/{each.name}:/secrets/{each.name}:ro" for each in SERVICES}
    assert set(services["renew"]["volumes"]) == {
        "./certs:/certs",
        "./secrets/ca:/secrets/ca",
        *of_services,
    }


def test_renewal_gives_certificates_to_their_services_and_writes_no_secret(
    made: Path, owners: dict[str, tuple[int, int]]
) -> None:
    certificate, before = made / "certs/proxy/tls.crt", content(made / "secrets")
    certificate.unlink()
    owners.clear()

    renew_certificates(made / "certs", made / "secrets")

    assert stat.S_IMODE(certificate.stat().st_mode) == 0o644
    assert owners[str(certificate)][1] == GROUPS["proxy"]
    assert not [path for path in owners if path.startswith(str(made / "secrets"))]
    assert content(made / "secrets") == before


@pytest.mark.parametrize("service", ["serving", "training"])
def test_release_key_fits_its_public_keys(made: Path, tmp_path: Path, service: str) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "MLmodel").write_text("flavors: {}")
    signing.sign(model, made / "secrets/release/release.key", RELEASE_FILE)
    assert signing.is_release_signed(model, made / "certs" / service / "release.pub")
    assert not signing.is_release_signed(model, made / "certs" / service / "signing.pub")


def test_every_password_is_another_one(made: Path) -> None:
    passwords = [path.read_text() for path in (made / "secrets/postgres").glob("*.password")]
    assert len(passwords) == len(set(passwords)) == 3
    assert min(map(len, passwords)) > 30


def test_erp_has_a_key_for_each_use_and_a_password_for_each_of_its_users(made: Path) -> None:
    folder = made / "secrets/erp"
    Fernet((folder / "identity.key").read_bytes())
    assert {path.name for path in (folder / "users").iterdir()} == set(ERP_USERS)
    found = [
        (folder / name).read_bytes() for name in (*ERP_KEYS, *(f"users/{u}" for u in ERP_USERS))
    ]
    assert len(set(found)) == len(ERP_KEYS) + len(ERP_USERS)
    assert min(map(len, found)) > 30


def test_container_of_the_erp_has_its_own_copy_of_the_api_key(made: Path) -> None:
    secrets = made / "secrets"
    assert (secrets / "erp/api-key").read_text() == (secrets / "api-keys/erp").read_text()


def test_tracking_has_neither_the_root_of_the_object_store_nor_training_a_superuser(
    made: Path, owners: dict[str, tuple[int, int]]
) -> None:
    held = [made / "secrets" / name for name in FORMER]
    for path in held:  # as earlier versions made them
        path.write_text("root")
    ensure_all(made / "certs", made / "secrets")
    assert owners
    assert not any(path.exists() for path in held)
    root = (made / "secrets/object-store/password").read_text()
    assert all(root not in path.read_text() for path in (made / "secrets/tracking").glob("*.*"))


def test_containers_run_as_the_groups_that_own_their_files() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert set(GROUPS) <= set(services)
    for service, group in GROUPS.items():
        image = services[service]["image"].removeprefix("terna/").partition(":")[0]
        assert f"--uid {group}" in (ROOT / "services" / image / "Dockerfile").read_text()


def test_no_container_has_a_secret_in_its_environment() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            secret = any(word in variable for word in ("PASSWORD", "SECRET", "TOKEN"))
            assert not secret or str(value).startswith("/secrets/"), f"{name}: {variable}"
