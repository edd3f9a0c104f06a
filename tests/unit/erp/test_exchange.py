"""What is asked, how often and after which waits: no server, and a clock that only waits move."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from terna.erp.connection import Connection
from terna.erp.exchange import (
    PAUSE,
    SHORTEST_PAUSE,
    Call,
    Exchange,
    Outcome,
    Request,
    Result,
    retry_after,
)
from terna.erp.predictions import Predictions
from terna.errors import (
    BadRequest,
    InternalError,
    InvalidParameter,
    PayloadTooLarge,
    RequestError,
    ServingRefused,
    ServingUnavailable,
    ServingUnreachable,
    TimedOut,
)

ENDPOINT = "https://localhost:8443/invocations"
CUSTOMERS = [[1], [2]]
LABELS = {"predictions": ["no", "yes"]}
CHANCES = {"predictions": [[0.9, 0.1], [0.2, 0.8]], "classes": ["no", "yes"]}


def answer(content: Any = LABELS, version: int | None = 7, status: int = 200) -> httpx.Response:
    headers = {"x-model-name": "churn", "x-model-version": str(version)} if version else {}
    body = content if isinstance(content, bytes) else json.dumps(content)
    return httpx.Response(status, headers=headers, content=body)


def refusal(status: int, code: str = "X", retry_after: str | None = None) -> httpx.Response:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    content = json.dumps({"error_code": code, "message": "So it is."})
    return httpx.Response(status, headers=headers, content=content)


class Serving:
    """Answers each request with the next of the answers, and the last one for ever."""

    def __init__(self, *answers: Outcome, deadline: float = 30, **key: Any) -> None:
        self._answers = list(answers)
        self._seconds = 100.0
        self.sent: list[Request] = []
        connection = Connection(ENDPOINT, deadline_seconds=deadline, **key)
        self.exchange = Exchange(connection, lambda: self._seconds)

    def predict(self, probabilities: bool = False) -> Predictions:
        return self.carry_out(self.exchange.predict(CUSTOMERS, probabilities))

    def carry_out(self, call: Call[Result]) -> Result:
        try:
            request = next(call)
            while True:
                request = call.send(self._answer(request))
        except StopIteration as end:
            result: Result = end.value
            return result

    def _answer(self, request: Request) -> Outcome:
        self._seconds += request.after
        self.sent.append(request)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    @property
    def waits(self) -> Sequence[float]:
        return [request.after for request in self.sent]

    @property
    def bodies(self) -> Sequence[Mapping[str, Any]]:
        return [json.loads(request.content or "null") for request in self.sent]


# ---- labels and probabilities -------------------------------------------------------------------


def test_labels_are_asked_for_once() -> None:
    serving = Serving(answer(), api_key="erp.key")
    assert serving.predict() == Predictions(["no", "yes"], "churn", 7)
    (request,) = serving.sent
    assert (request.method, request.url, request.after) == ("POST", ENDPOINT, 0)
    assert request.headers["authorization"] == "Bearer erp.key"
    assert serving.bodies == [{"inputs": CUSTOMERS}]


def test_probabilities_are_asked_for_after_the_labels() -> None:
    serving = Serving(answer(), answer(CHANCES))
    found = serving.predict(probabilities=True)
    assert [(each.label, each.probability) for each in found] == [("no", 0.9), ("yes", 0.8)]
    params = {"predict_method": "predict_proba"}
    assert serving.bodies == [{"inputs": CUSTOMERS}, {"inputs": CUSTOMERS, "params": params}]


@pytest.mark.parametrize(
    ("customers", "table"),
    [
        ([[1], (2,)], {"data": [[1], [2]]}),
        (
            [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
            {"columns": ["a", "b"], "data": [[1, "x"], [2, "y"]]},
        ),
        ([{"a": 1}, {"b": "y", "a": 2}], {"columns": ["a", "b"], "data": [[1, None], [2, "y"]]}),
    ],
    ids=["lists", "names", "names that some have"],
)
def test_ids_are_the_index_of_labels_and_probabilities(customers: Any, table: Any) -> None:
    serving = Serving(answer(), answer(CHANCES))
    call = serving.exchange.predict(customers, True, ["one", "two"])
    found = serving.carry_out(call)
    assert [(each.label, each.probability) for each in found] == [("no", 0.9), ("yes", 0.8)]
    body = {"dataframe_split": table | {"index": ["one", "two"]}}
    params = {"predict_method": "predict_proba"}
    assert serving.bodies == [body, body | {"params": params}]


@pytest.mark.parametrize("ids", [[], ["one"], ["one", "two", "three"]], ids=len)
def test_ids_of_another_number_than_customers_are_refused(ids: list[str]) -> None:
    serving = Serving(answer())
    with pytest.raises(ValueError, match=f"^{len(ids)} ids for 2 customers"):
        serving.carry_out(serving.exchange.predict(CUSTOMERS, False, ids))
    assert serving.sent == []


def test_customers_of_whom_some_have_names_are_no_table() -> None:
    serving = Serving(answer())
    with pytest.raises(ValueError, match="all customers by name, or all in the order"):
        serving.carry_out(serving.exchange.predict([[1], {"a": 2}], False, ["one", "two"]))
    assert serving.sent == []


def test_labels_and_probabilities_are_of_one_version() -> None:
    others = {"predictions": ["no", "no"]}
    serving = Serving(answer(), answer(CHANCES, 8), answer(others, 8), answer(CHANCES, 8))
    found = serving.predict(probabilities=True)
    assert (found.labels, found.version, len(serving.sent)) == (["no", "no"], 8, 4)


def test_versions_that_go_on_changing_are_given_up_at_the_deadline() -> None:
    serving = Serving(answer(), answer(CHANCES, 8), deadline=0)
    with pytest.raises(ServingUnavailable, match="another version"):
        serving.predict(probabilities=True)


# ---- a busy server ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
def test_busy_server_is_asked_again_when_it_says(status: int) -> None:
    serving = Serving(refusal(status, retry_after="3"), refusal(status), answer())
    assert serving.predict().version == 7
    assert serving.waits == [0, 3, PAUSE]


def test_busy_server_is_not_asked_after_the_deadline() -> None:
    serving = Serving(refusal(503, retry_after="10"))
    with pytest.raises(ServingUnavailable, match=r"answers 503: So it is\.") as refused:
        serving.predict()
    assert refused.value.retry_after == 10
    assert serving.waits == [0, 10, 10, 10]


def test_deadline_is_that_of_labels_and_probabilities_together() -> None:
    busy = refusal(503, retry_after="20")
    serving = Serving(busy, answer(), busy)
    with pytest.raises(ServingUnavailable):
        serving.predict(probabilities=True)
    assert serving.waits == [0, 20, 0]


def test_server_that_is_always_busy_is_not_asked_without_a_pause() -> None:
    serving = Serving(refusal(503, retry_after="0"), deadline=1)
    with pytest.raises(ServingUnavailable):
        serving.predict()
    assert set(serving.waits) == {0, SHORTEST_PAUSE}
    assert len(serving.sent) <= 1 + 1 / SHORTEST_PAUSE


def test_server_that_wants_longer_than_there_is_time_is_asked_once() -> None:
    serving = Serving(refusal(503, retry_after="31"))
    with pytest.raises(ServingUnavailable):
        serving.predict()
    assert serving.waits == [0]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("0", 0), ("2.5", 2.5), ("-1", 0), *((each, PAUSE) for each in ("", "soon", "nan", "inf"))],
)
def test_retry_after_in_seconds(header: str, seconds: float) -> None:
    assert retry_after(refusal(503, retry_after=header)) == seconds


def test_retry_after_as_a_date() -> None:
    past, future = (
        retry_after(refusal(503, retry_after=format_datetime(datetime.now(UTC) + distance, True)))
        for distance in (timedelta(hours=-1), timedelta(hours=1))
    )
    assert past == 0
    assert 1800 < future <= 3600


# ---- a lost connection --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lost", [httpx.ConnectError, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError]
)
def test_lost_connection_is_made_anew_once(lost: type[httpx.TransportError]) -> None:
    assert Serving(lost("gone"), answer()).predict().version == 7
    with pytest.raises(ServingUnreachable, match=lost.__name__):
        Serving(lost("gone"), lost("gone"), answer()).predict()


def test_lost_connection_is_made_anew_without_waiting_again() -> None:
    serving = Serving(refusal(503, retry_after="3"), httpx.ReadError("gone"), answer())
    serving.predict()
    assert serving.waits == [0, 3, 0]


@pytest.mark.parametrize("late", [httpx.ReadTimeout, httpx.ConnectTimeout, httpx.PoolTimeout])
def test_server_that_takes_too_long_is_not_asked_again(late: type[httpx.TransportError]) -> None:
    serving = Serving(late("late"))
    with pytest.raises(ServingUnreachable, match=late.__name__) as unreachable:
        serving.predict()
    assert isinstance(unreachable.value.__cause__, late)
    assert len(serving.sent) == 1


# ---- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (refusal(400), BadRequest),
        (refusal(400, "INVALID_PARAMETER_VALUE"), InvalidParameter),
        (refusal(413), PayloadTooLarge),
        (refusal(500), InternalError),
        (refusal(504), TimedOut),
    ],
)
def test_error_that_comes_of_the_request_has_its_type_and_is_not_asked_again(
    response: httpx.Response, error: type[RequestError]
) -> None:
    serving = Serving(response)
    with pytest.raises(error, match=r"^So it is\.$") as refused:
        serving.predict()
    assert type(refused.value) is error
    assert len(serving.sent) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_refused_key_is_not_sent_again(status: int) -> None:
    serving = Serving(refusal(status), api_key="erp.key")
    with pytest.raises(ServingRefused, match=r"refuses: So it is\."):
        serving.predict()
    assert len(serving.sent) == 1


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (502, b"<html>Bad Gateway</html>"),
        (404, b"{}"),
        (400, b"<html>The plain HTTP request was sent to HTTPS port</html>"),
        (504, b"<html>Gateway Time-out</html>"),
        (200, b"<html>Welcome to nginx!</html>"),
        (200, b'{"something": "else"}'),
        (200, b'{"predictions": ["no"]}'),
        (200, b"[]"),
    ],
)
def test_answer_without_labels_is_one_line_with_the_status(status: int, content: bytes) -> None:
    serving = Serving(answer(content, status=status))
    with pytest.raises(ServingUnreachable, match=f"/invocations answers {status} without labels"):
        serving.predict()
    assert len(serving.sent) == 1


def test_labels_without_the_models_name_are_refused() -> None:
    with pytest.raises(ServingUnreachable, match="without labels"):
        Serving(answer(version=None)).predict()


# ---- the API key --------------------------------------------------------------------------------


def test_key_is_read_again_when_it_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("erp.first")
    serving = Serving(refusal(401), answer(), api_key_file=file)
    file.write_text("erp.second")
    serving.predict()
    serving.predict()
    keys = [request.headers["authorization"] for request in serving.sent]
    assert keys == ["Bearer erp.first", "Bearer erp.second", "Bearer erp.second"]


def test_key_that_another_thread_has_read_meanwhile_is_used(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("erp.first")
    serving = Serving(refusal(401), answer(), api_key_file=file)
    late = serving.exchange.predict(CUSTOMERS, False)
    assert next(late).headers["authorization"] == "Bearer erp.first"
    file.write_text("erp.second")
    serving.predict()
    assert late.send(refusal(401)).headers["authorization"] == "Bearer erp.second"


# ---- the version --------------------------------------------------------------------------------


def test_version_is_that_of_the_model_that_serves() -> None:
    serving = Serving(answer())
    assert serving.carry_out(serving.exchange.version()) == 7
    (request,) = serving.sent
    assert (request.method, request.url) == ("GET", "https://localhost:8443/v2/models")


@pytest.mark.parametrize("response", [answer(version=None), refusal(503), refusal(502)])
def test_version_is_none_while_no_model_answers(response: httpx.Response) -> None:
    serving = Serving(response)
    assert serving.carry_out(serving.exchange.version()) is None
    assert len(serving.sent) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(401, ServingRefused), (403, ServingRefused), (429, ServingUnavailable)]
)
def test_version_is_not_told_to_who_is_refused(status: int, error: type[Exception]) -> None:
    serving = Serving(refusal(status))
    with pytest.raises(error):
        serving.carry_out(serving.exchange.version())
