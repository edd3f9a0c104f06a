"""Rotation: both sides have the new one, and in an order in which they fit each other."""

from pathlib import Path

import pytest

from terna.errors import SettingsError
from terna.security.api_keys import Scope, add_key, digest_of, ensure_key, read_keys
from terna.security.rotation import rotatable, rotate
from terna.security.secrets import DATABASES, LOGINS, ensure_all


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The replica's secrets, as `init-secrets` makes them."""
    monkeypatch.setattr("os.chown", lambda *_: None)  # it runs as root in its container
    (tmp_path / "certs").mkdir()
    ensure_all(tmp_path / "certs", tmp_path / "secrets")
    return tmp_path / "secrets"


def files(secrets: Path) -> dict[str, bytes]:
    found = {str(p.relative_to(secrets)): p for p in secrets.rglob("*") if p.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if ".lock" not in name}


def test_passwords_of_logins_and_databases_and_api_keys_are_rotated(secrets: Path) -> None:
    assert set(rotatable(secrets)) == {
        *(f"tracking/logins/{login}" for login in LOGINS),
        *(f"{server}/{name}.password" for server, names in DATABASES.items() for name in names),
        "object-store/password",
        "api-keys/erp",
        "api-keys/monitoring",
    }


@pytest.mark.parametrize(
    ("name", "copy"),
    [
        ("postgres/tracking.password", "tracking/terna_tracking_backend_store_uri"),
        ("postgres/auth.password", "tracking/terna_tracking_auth_database_uri"),
        ("postgres/optuna.password", "training/terna_training_optuna_storage"),
        ("erp-database/erp.password", "erp/terna_erp_database"),
        ("tracking/logins/health", "tracking/terna_tracking_password"),
        ("tracking/logins/serving", "serving/terna_tracking_password"),
        ("tracking/logins/training", "training/terna_tracking_password"),
        ("tracking/logins/promoting", "training/terna_tracking_promoting_password"),
    ],
)
def test_password_is_another_one_in_both_files_and_nothing_else_changes(
    secrets: Path, name: str, copy: str
) -> None:
    before, mode = files(secrets), (secrets / name).stat().st_mode

    rotate(secrets, name, 0)

    after = files(secrets)
    assert {file for file in after if after[file] != before[file]} == {name, copy}
    assert after[copy] == before[copy].replace(before[name], after[name])
    assert len(after[name]) == len(before[name])
    assert (secrets / name).stat().st_mode == mode


def test_password_that_is_sent_is_changed_before_the_one_that_is_checked(
    secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def note(path: Path, content: bytes) -> None:
        written.append(path.name)
        path.write_bytes(content)

    monkeypatch.setattr("terna.security.rotation.rewrite", note)
    rotate(secrets, "tracking/logins/serving", 0)
    assert written == ["terna_tracking_password", "serving"]


def test_api_key_works_beside_its_successor_until_the_overlap_is_over(tmp_path: Path) -> None:
    digests, own = tmp_path / "serving/api-keys.json", tmp_path / "api-keys/erp"
    ensure_key(digests, own, Scope.MODELS, 50)
    add_key(digests, "other")
    seen: list[tuple[float, int, bool]] = []
    first = own.read_text()

    def sleep(seconds: float) -> None:
        known = {key.digest for key in read_keys(digests) if key.name == "erp"}
        assert digest_of(first).hex() in known
        seen.append((seconds, len(known), own.read_text() != first))

    rotate(tmp_path, "api-keys/erp", 60, sleep)

    assert seen == [(3, 2, False), (60, 2, True)]  # serving knows the new one before it is sent
    other, left = read_keys(digests)
    assert (other.name, left.digest) == ("other", digest_of(own.read_text()).hex())
    assert (left.name, left.scope, left.requests_per_second) == ("erp", Scope.MODELS, 50)


def test_container_of_a_caller_gets_its_new_api_key(secrets: Path) -> None:
    before = (secrets / "erp/api-key").read_text()
    rotate(secrets, "api-keys/erp", 0, lambda _: None)
    after = (secrets / "erp/api-key").read_text()
    assert before != after == (secrets / "api-keys/erp").read_text()


def test_api_key_that_serving_does_not_know_is_refused(tmp_path: Path) -> None:
    digests, own = tmp_path / "serving/api-keys.json", tmp_path / "api-keys/erp"
    ensure_key(digests, own, Scope.MODELS)
    own.rename(own.with_name("clinic"))
    with pytest.raises(SettingsError, match="Serving knows no API key clinic"):
        rotate(tmp_path, "api-keys/clinic", 0)


def test_what_is_not_rotated_is_refused_with_what_is(secrets: Path) -> None:
    before = files(secrets)
    for name in ("training/signing.key", "../secrets/api-keys/erp", "ca/ca.key", ""):
        with pytest.raises(SettingsError, match=r"cannot be rotated\. What can be is: api-keys"):
            rotate(secrets, name, 0)
    assert files(secrets) == before


def test_folder_that_cannot_be_written_is_named_with_what_to_do(
    secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("terna.security.rotation.rewrite", refuse)
    with pytest.raises(SettingsError, match=r"not rotated \(Operation not .* as root"):
        rotate(secrets, "tracking/logins/serving", 0)
