"""What serving answers, without HTTP."""

import asyncio
import gc
import json
import weakref
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from mlflow.version import VERSION

from terna.contracts.scoring import Table
from terna.errors import BadRequest, NoModel, PredictionFailed, UnsupportedMediaType
from terna.predictor.predictor import FEW_ROWS, Prediction, Predictor
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.http.mlflow_routes import FEW_BYTES, Handlers
from terna.serving.http.response import Response
from terna.settings import Serving
from tests.unit.workshop import NAME, Workshop

PYFUNC, COMPILED = (NAME, "1", "pyfunc"), (NAME, "1", "compiled")
"""Who answers, as the headers say."""
JSON = "application/json"


class Waiting(Predictor):
    """Answers when it is told to."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.asked, self.go_on = Event(), Event()

    def answer(self, content_type: str, body: bytes) -> Prediction:
        self.asked.set()
        assert self.go_on.wait(10)
        return super().answer(content_type, body)


class Failing(Predictor):
    def answer(self, *sent: Any) -> Prediction:
        raise PredictionFailed("The model failed on these rows.") from ValueError(sent)


@pytest.fixture
def slot() -> ActiveModel:
    return ActiveModel()


@pytest.fixture
def handlers(slot: ActiveModel) -> Iterator[Handlers]:
    handlers = Handlers(slot, Serving(threads=2))
    yield handlers
    handlers.close()


def body(workshop: Workshop, count: int = 3) -> bytes:
    return json.dumps({"inputs": workshop.rows()[:count]}).encode()


def who(answer: Response) -> tuple[str, ...]:
    return tuple(said for name, said in answer.headers("id") if name.startswith("x-model-"))


def invoke(handlers: Handlers, content: bytes, content_type: str = JSON) -> Response:
    return asyncio.run(handlers.invocations(content_type, content))


@pytest.mark.parametrize(
    "content_type", [JSON, "application/json; charset=utf-8", "application/json;charset=UTF-8"]
)
def test_a_label_a_row_and_the_version_that_gave_them(
    handlers: Handlers, slot: ActiveModel, workshop: Workshop, tmp_path: Path, content_type: str
) -> None:
    model = workshop.load(tmp_path / "model")
    slot.swap(model)

    answer = invoke(handlers, body(workshop, 20), content_type)

    assert json.loads(answer.body) == {"predictions": model.predict(Table(workshop.rows()[:20]))}
    assert (answer.status, answer.content_type, who(answer)) == (200, JSON, PYFUNC)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/jsonl", "json"])
def test_another_content_type_is_refused(
    handlers: Handlers, slot: ActiveModel, workshop: Workshop, tmp_path: Path, content_type: str
) -> None:
    slot.swap(workshop.load(tmp_path / "model"))

    with pytest.raises(UnsupportedMediaType, match="Send one of the content types"):
        invoke(handlers, body(workshop), content_type)


def test_what_the_model_refuses_reaches_the_client(
    handlers: Handlers, slot: ActiveModel, workshop: Workshop, tmp_path: Path
) -> None:
    slot.swap(workshop.load(tmp_path / "model"))

    with pytest.raises(BadRequest, match="Row 0 has 1 values"):
        invoke(handlers, b'{"inputs": [[1]]}')
    with pytest.raises(BadRequest, match="not valid JSON"):
        invoke(handlers, b"{")


def test_without_a_model_there_is_no_answer_but_mlflows_version(
    handlers: Handlers, workshop: Workshop
) -> None:
    with pytest.raises(NoModel):
        invoke(handlers, body(workshop))
    with pytest.raises(NoModel):
        asyncio.run(handlers.ping())

    answer = asyncio.run(handlers.version())

    assert (answer.status, answer.body.decode(), who(answer)) == (200, VERSION, ())


def test_ping_and_version_name_the_model_that_answers(
    handlers: Handlers, slot: ActiveModel, workshop: Workshop, tmp_path: Path
) -> None:
    slot.swap(workshop.load(tmp_path / "model"))

    ping, version = asyncio.run(handlers.ping()), asyncio.run(handlers.version())

    assert (ping.status, who(ping), who(version)) == (200, PYFUNC, PYFUNC)


def test_a_refusal_is_mlflows_error_with_its_status(handlers: Handlers) -> None:
    answer = handlers.refusal(BadRequest("Missing columns: minutes."))

    assert answer.status == 400
    assert json.loads(answer.body) == {
        "error_code": "BAD_REQUEST",
        "message": "Missing columns: minutes.",
    }


def test_a_request_in_flight_finishes_on_the_old_model_which_is_then_freed(
    handlers: Handlers, slot: ActiveModel, workshop: Workshop, tmp_path: Path
) -> None:
    old = workshop.load_as(Waiting, tmp_path / "old")
    new = workshop.load_as(Predictor, tmp_path / "new", number=2)
    slot.swap(old)

    async def swap_in_between(old: Waiting) -> tuple[Response, Response]:
        in_flight = asyncio.create_task(handlers.invocations(JSON, body(workshop)))
        await asyncio.to_thread(old.asked.wait, 10)
        slot.swap(new)
        second = await handlers.invocations(JSON, body(workshop))
        old.go_on.set()
        return await in_flight, second

    first, second = asyncio.run(swap_in_between(old))

    assert who(first) == PYFUNC
    assert who(second) == (NAME, "2", "pyfunc")
    assert json.loads(first.body) == json.loads(second.body)

    freed = weakref.ref(old)
    del old, first
    gc.collect()
    assert freed() is None


def test_a_model_that_failed_on_a_request_is_freed_too(
    handlers: Handlers, slot: ActiveModel, workshop: Workshop, tmp_path: Path
) -> None:
    slot.swap(workshop.load_as(Failing, tmp_path / "old"))
    old = weakref.ref(slot.take())
    with pytest.raises(PredictionFailed):
        invoke(handlers, body(workshop))

    slot.swap(workshop.load(tmp_path / "new"))
    gc.collect()

    assert old() is None


def test_a_prediction_does_not_keep_others_waiting(
    handlers: Handlers, slot: ActiveModel, workshop: Workshop, tmp_path: Path
) -> None:
    model = workshop.load_as(Waiting, tmp_path / "model")
    slot.swap(model)

    async def ping_in_between() -> Response:
        in_flight = asyncio.create_task(handlers.invocations(JSON, body(workshop)))
        await asyncio.to_thread(model.asked.wait, 10)
        answer = await handlers.ping()
        assert not in_flight.done()
        model.go_on.set()
        await in_flight
        return answer

    assert asyncio.run(ping_in_between()).status == 200


def test_few_rows_are_answered_by_the_compiled_model_without_a_thread(
    handlers: Handlers, slot: ActiveModel, workshop: Workshop, tmp_path: Path
) -> None:
    slot.swap(workshop.load(tmp_path / "model", program=workshop.program()))
    handlers.close()  # there are no threads any more

    answer = invoke(handlers, body(workshop, FEW_ROWS))

    assert who(answer) == COMPILED
    assert len(json.loads(answer.body)["predictions"]) == FEW_ROWS


@pytest.mark.parametrize("count", [FEW_ROWS + 1, 160])
def test_many_rows_are_answered_by_the_compiled_model_in_a_thread(
    handlers: Handlers, slot: ActiveModel, workshop: Workshop, tmp_path: Path, count: int
) -> None:
    program = workshop.program()
    slot.swap(workshop.load(tmp_path / "model", program=program))

    answer = invoke(handlers, body(workshop, count))

    assert (who(answer), program.rows) == (COMPILED, [count])
    assert len(json.loads(answer.body)["predictions"]) == count
    handlers.close()
    with pytest.raises(RuntimeError, match="shutdown"):
        invoke(handlers, body(workshop, count))


def test_a_large_body_is_not_even_parsed_in_the_event_loop(
    handlers: Handlers, slot: ActiveModel, workshop: Workshop, tmp_path: Path
) -> None:
    slot.swap(workshop.load(tmp_path / "model", program=workshop.program()))
    handlers.close()

    with pytest.raises(RuntimeError, match="shutdown"):
        invoke(handlers, body(workshop, 1) + b" " * FEW_BYTES)


def test_rows_that_the_compiled_model_leaves_alone_are_answered_by_pyfunc(
    handlers: Handlers, slot: ActiveModel, workshop: Workshop, tmp_path: Path
) -> None:
    slot.swap(workshop.load(tmp_path / "model", program=workshop.program()))

    answer = invoke(handlers, b'{"inputs": [["120.5", "basic", "3", 1]]}')

    assert (answer.status, who(answer)) == (200, COMPILED)  # by way of MLflow's parser
    assert answer.body == invoke(handlers, b'{"inputs": [[120.5, "basic", 3, true]]}').body
