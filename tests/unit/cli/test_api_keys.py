"""`terna api-keys`: what an operator types to let somebody call serving."""

from pathlib import Path

import pytest

from terna.security.api_keys import Scope, digest_of, read_keys
from tests.unit.cli.running import Terna


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "api-keys.json"
    monkeypatch.setenv("TERNA_SERVING_API_KEYS", str(path))
    return path


def test_added_key_is_printed_once_and_its_digest_kept(terna: Terna, keys: Path) -> None:
    done = terna("api-keys", "add", "clinic", "--requests-per-second", "50", "--scope", "metrics")

    (kept,) = read_keys(keys)
    assert digest_of(done.out.strip()).hex() == kept.digest
    assert (kept.name, kept.requests_per_second, kept.scope) == ("clinic", 50, Scope.METRICS)


def test_list_shows_names_ids_and_limits_and_no_key(terna: Terna, keys: Path) -> None:
    key = terna("api-keys", "add", "clinic", "--requests-per-second", "50").out.strip()

    listed = terna("api-keys", "list").out

    assert all(told in listed for told in ("clinic", read_keys(keys)[0].id, "models", "50"))
    assert key.partition(".")[2] not in listed


def test_removed_key_is_named_and_an_unknown_one_is_an_error(terna: Terna, keys: Path) -> None:
    terna("api-keys", "add", "clinic")
    kept = read_keys(keys)[0]

    assert terna("api-keys", "remove", "clinic").out == f"removed clinic {kept.id}\n"
    refused = terna("api-keys", "remove", "clinic")
    assert (refused.code, refused.out) == (1, "")
    assert "`terna api-keys list`" in refused.err
