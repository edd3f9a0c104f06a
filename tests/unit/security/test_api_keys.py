"""API keys: what is kept of them, and by which names they are found."""

import stat
from hashlib import sha256
from pathlib import Path

import pytest

from terna.errors import SettingsError
from terna.security.api_keys import Scope, add_key, ensure_key, read_keys, remove_keys


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "serving/api-keys.json"


def test_file_holds_the_digest_and_not_the_key(keys: Path) -> None:
    key = add_key(keys, "erp", Scope.METRICS, 20)
    (kept,) = read_keys(keys)
    assert (kept.name, kept.scope, kept.requests_per_second) == ("erp", Scope.METRICS, 20)
    assert kept.digest == sha256(key.encode()).hexdigest()
    assert key.partition(".")[2] not in keys.read_text()
    assert key.startswith("erp.")


def test_two_keys_are_never_the_same(keys: Path) -> None:
    assert add_key(keys, "erp") != add_key(keys, "erp")
    assert [key.name for key in read_keys(keys)] == ["erp", "erp"]


def test_file_is_private_and_keeps_the_rights_that_it_was_given(keys: Path) -> None:
    add_key(keys, "erp")
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    keys.chmod(0o640)
    add_key(keys, "clinic")
    assert stat.S_IMODE(keys.stat().st_mode) == 0o640


@pytest.mark.parametrize("name", ["", "Erp", "a.b", "a b", "-a", "a" * 33, "é", "a\n"])
def test_name_that_could_not_be_told_apart_is_refused(keys: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="is no name of a key"):
        add_key(keys, name)
    assert not keys.exists()


def test_negative_limit_is_refused(keys: Path) -> None:
    with pytest.raises(SettingsError, match="a positive number of requests a second"):
        add_key(keys, "erp", requests_per_second=-1)


def test_removed_key_is_gone_and_the_others_stay(keys: Path) -> None:
    for name in ("erp", "erp", "clinic"):
        add_key(keys, name)
    first, second, _ = read_keys(keys)

    assert remove_keys(keys, "erp", first.id) == [first]
    assert [key.name for key in read_keys(keys)] == ["erp", "clinic"]
    assert remove_keys(keys, "erp") == [second]
    with pytest.raises(SettingsError, match="`terna api-keys list`"):
        remove_keys(keys, "erp")


@pytest.mark.parametrize(
    "content",
    ["", "{}", '[{"name": "erp"}]', '[{"name": "erp", "digest": "00"}]', "[1]", "\udcff"],
)
def test_file_of_something_else_is_named_and_not_overwritten(keys: Path, content: str) -> None:
    keys.parent.mkdir()
    keys.write_bytes(content.encode(errors="surrogateescape"))
    before = keys.read_bytes()
    with pytest.raises(SettingsError, match=r"api-keys\.json holds no list of API keys"):
        add_key(keys, "erp")
    assert keys.read_bytes() == before


def test_caller_gets_its_key_once(keys: Path, tmp_path: Path) -> None:
    copy = tmp_path / "api-keys/erp"
    assert ensure_key(keys, copy, Scope.MODELS) == [copy]
    first = copy.read_text()
    assert ensure_key(keys, copy, Scope.MODELS) == []
    assert copy.read_text() == first
    assert [key.digest for key in read_keys(keys)] == [sha256(first.encode()).hexdigest()]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
