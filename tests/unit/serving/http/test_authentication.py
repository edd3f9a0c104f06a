"""Which requests serving answers: those with a key that it knows, for what the key is for."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from terna.errors import Forbidden, TooManyRequests
from terna.security.api_keys import ApiKey, Scope, add_key, remove_keys
from terna.security.audit import AuditEvent, AuditLog
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.http.app import App
from terna.serving.http.authentication import BURST_SECONDS, Authenticator, Caller
from terna.settings import Serving
from tests.rsgi import KEY, METRICS_KEY, AppClient
from tests.unit.workshop import NAME, NoLoader, Workshop

ROW = {"inputs": [[120.5, "basic", 3, True]]}
ASKING = (
    *("GET /docs", "GET /openapi.json", "POST /invocations"),
    *("GET /v2/models", f"GET /v2/models/{NAME}", f"GET /v2/models/{NAME}/ready"),
    f"POST /v2/models/{NAME}/infer",
)
OPEN = ("/ping", "/health", "/version", "/v2", "/v2/health/live")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "api-keys.json"


@pytest.fixture
def authenticator(keys: Path, tmp_path: Path) -> Authenticator:
    return Authenticator(keys, AuditLog(tmp_path / "audit.jsonl"))


@pytest.fixture
def client(authenticator: Authenticator, workshop: Workshop, tmp_path: Path) -> Iterator[AppClient]:
    active = ActiveModel()
    active.swap(workshop.deploy(tmp_path / "model"))
    app = App(active, Serving(threads=1), NoLoader(), authenticator)
    yield AppClient(app)
    app.close()


@pytest.fixture
def ask(client: AppClient, authenticator: Authenticator) -> Callable[..., int]:
    """Ask with a key, and return the status."""

    def asked(key: str, path: str = "/invocations", method: str = "POST") -> int:
        authenticator.refresh()
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        return client.ask(method, path, json.dumps(ROW).encode(), headers).status

    return asked


@pytest.mark.parametrize("request_line", [*ASKING, "GET /metrics"])
@pytest.mark.parametrize("header", ["", "Bearer", f"Bearer {KEY}", "Basic x", "Bearer é.\ud800"])
def test_request_without_a_known_key_is_answered_401(
    client: AppClient, keys: Path, authenticator: Authenticator, request_line: str, header: str
) -> None:
    add_key(keys, "erp")
    authenticator.refresh()
    method, path = request_line.split()

    answer = client.ask(method, path, b"{}", {"authorization": header})

    document = json.loads(answer.body)
    assert answer.status == 401
    assert "Authorization: Bearer KEY" in (document.get("message") or document["error"])
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert not [name for name in answer.headers if name.startswith("x-model-")]


@pytest.mark.parametrize("path", OPEN)
def test_health_and_version_ask_for_no_key_and_name_no_model(client: AppClient, path: str) -> None:
    answer = client.ask("GET", path, headers={"authorization": ""})

    assert answer.status == 200
    assert NAME not in answer.body.decode() + str(answer.headers)


def test_known_key_is_answered(keys: Path, ask: Callable[..., int]) -> None:
    assert ask(add_key(keys, "erp")) == 200


def test_key_with_another_end_is_answered_401(keys: Path, ask: Callable[..., int]) -> None:
    key = add_key(keys, "erp")
    assert [ask(key + "x"), ask(key[:-1])] == [401, 401]


def test_scheme_is_read_in_any_case(
    client: AppClient, keys: Path, authenticator: Authenticator
) -> None:
    key = add_key(keys, "erp")
    authenticator.refresh()
    headers = {"authorization": f"bEARER {key}"}
    assert client.ask("GET", "/v2/models", headers=headers).status == 200


def test_two_keys_of_a_name_are_both_answered_until_one_is_removed(
    keys: Path, ask: Callable[..., int]
) -> None:
    first, second = add_key(keys, "erp"), add_key(keys, "erp")
    assert [ask(first), ask(second)] == [200, 200]

    first_id = msgspec.json.decode(keys.read_bytes(), type=list[ApiKey])[0].id
    remove_keys(keys, "erp", first_id)

    assert [ask(first), ask(second)] == [401, 200]


def test_key_for_metrics_asks_for_nothing_else(keys: Path, ask: Callable[..., int]) -> None:
    metrics, models = add_key(keys, "prometheus", Scope.METRICS), add_key(keys, "erp")
    assert [ask(metrics, "/metrics", "GET"), ask(metrics)] == [200, 403]
    assert [ask(models, "/metrics", "GET"), ask(models)] == [403, 200]


def test_keys_that_cannot_be_read_leave_those_before_in_force(
    keys: Path, ask: Callable[..., int], caplog: pytest.LogCaptureFixture
) -> None:
    key = add_key(keys, "erp")
    assert ask(key) == 200

    keys.write_text("[{")
    assert ask(key) == 200
    assert "holds no list of API keys" in caplog.text

    keys.unlink()
    assert ask(key) == 200


def test_key_over_its_limit_is_answered_429_while_another_is_answered(
    keys: Path, ask: Callable[..., int], client: AppClient
) -> None:
    slow, other = add_key(keys, "slow", requests_per_second=2), add_key(keys, "erp")
    answers = [ask(slow) for _ in range(12)]
    assert answers.count(200) >= 2
    assert answers[-1] == 429
    assert ask(other) == 200

    refused = client.ask("GET", "/v2/models", headers={"authorization": f"Bearer {slow}"})
    assert refused.headers["retry-after"] == "1"
    assert "may send 2 requests a second" in refused.body.decode()


def test_limit_takes_its_rate_and_a_second_of_it_at_once() -> None:
    caller, times = Caller(ApiKey("erp", "00" * 32, requests_per_second=10)), range(1000)

    def taken(now: float) -> int:
        try:
            caller.check(Scope.MODELS, now)
        except TooManyRequests:
            return 0
        return 1

    assert sum(taken(5 + second / 100) for second in times) == pytest.approx(
        10 * (10 + BURST_SECONDS), abs=2
    )


def test_refused_scope_does_not_count_towards_the_limit() -> None:
    caller = Caller(ApiKey("erp", "00" * 32, requests_per_second=1))
    for _ in range(10):
        with pytest.raises(Forbidden):
            caller.check(Scope.METRICS, 1.0)
    caller.check(Scope.MODELS, 1.0)


def test_use_of_keys_is_in_the_audit_log_by_name_without_any_value(
    keys: Path, ask: Callable[..., int], authenticator: Authenticator, tmp_path: Path
) -> None:
    key = add_key(keys, "erp")
    for sent in (key, key, "erp.guessed", METRICS_KEY):
        ask(sent)
    authenticator.close()

    lines = (tmp_path / "audit.jsonl").read_bytes().splitlines()
    events = [msgspec.json.decode(line, type=AuditEvent) for line in lines]
    assert {(each.who, each.what, each.where, each.outcome) for each in events} == {
        ("erp", "2 requests", "127.0.0.1", "ok"),
        ("unknown", "2 requests", "127.0.0.1", "refused"),
    }
    assert all(sent.encode() not in b"".join(lines) for sent in (key, "guessed", METRICS_KEY))
