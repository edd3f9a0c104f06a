"""MLflow's routes, without HTTP."""

import asyncio
import gc
import json
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from terna.contracts.scoring import Table
from terna.errors import BadRequest, NoModel, PredictionFailed, UnsupportedMediaType
from terna.predictor.compiled_predictor import Prediction
from terna.predictor.predictor import Predictor
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.http.executors import Executors
from terna.serving.http.mlflow_routes import (
    MAX_INLINE_BYTES,
    MAX_INLINE_ROWS,
    MLflowRoutes,
    error_response,
)
from terna.serving.http.response import Response
from terna.settings import Serving
from tests.unit.workshop import NAME, Waiting, Workshop, deployed

PYFUNC, COMPILED = (NAME, "1", "pyfunc"), (NAME, "1", "compiled")
"""Who answers, as the headers say."""
JSON = "application/json"


class Failing(Predictor):
    def predict(self, *sent: Any) -> Prediction:
        raise PredictionFailed("The model failed on these rows.") from ValueError(sent)


@pytest.fixture
def active() -> ActiveModel:
    return ActiveModel()


@pytest.fixture
def executors() -> Iterator[Executors]:
    executors = Executors(Serving(threads=2))
    yield executors
    executors.close()


@pytest.fixture
def routes(active: ActiveModel, executors: Executors) -> MLflowRoutes:
    return MLflowRoutes(active, executors)


def body(workshop: Workshop, count: int = 3) -> bytes:
    return json.dumps({"inputs": workshop.rows()[:count]}).encode()


def who(answer: Response) -> tuple[str, ...]:
    return tuple(value for name, value in answer.headers("id") if name.startswith("x-model-"))


def invoke(routes: MLflowRoutes, content: bytes, content_type: str = JSON) -> Response:
    return asyncio.run(routes.invocations(content_type, content))


@pytest.mark.parametrize(
    "content_type", [JSON, "application/json; charset=utf-8", "application/json;charset=UTF-8"]
)
def test_each_row_gets_a_label_and_headers_name_the_version(
    routes: MLflowRoutes, active: ActiveModel, workshop: Workshop, tmp_path: Path, content_type: str
) -> None:
    model = workshop.load(tmp_path / "model")
    active.swap(deployed(model))

    answer = invoke(routes, body(workshop, 20), content_type)

    assert json.loads(answer.body) == {
        "predictions": model.predict_table(Table(workshop.rows()[:20]))
    }
    assert (answer.status, answer.content_type, who(answer)) == (200, JSON, PYFUNC)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/jsonl", "json"])
def test_other_content_type_is_rejected(
    routes: MLflowRoutes, active: ActiveModel, workshop: Workshop, tmp_path: Path, content_type: str
) -> None:
    active.swap(workshop.deploy(tmp_path / "model"))

    with pytest.raises(UnsupportedMediaType, match="Send one of the content types"):
        invoke(routes, body(workshop), content_type)


def test_errors_of_the_model_reach_the_client(
    routes: MLflowRoutes, active: ActiveModel, workshop: Workshop, tmp_path: Path
) -> None:
    active.swap(workshop.deploy(tmp_path / "model"))

    with pytest.raises(BadRequest, match="Row 0 has 1 values"):
        invoke(routes, b'{"inputs": [[1]]}')
    with pytest.raises(BadRequest, match="not valid JSON"):
        invoke(routes, b"{")


def test_without_a_model_only_mlflow_version_is_answered(
    routes: MLflowRoutes, workshop: Workshop
) -> None:
    with pytest.raises(NoModel):
        invoke(routes, body(workshop))
    with pytest.raises(NoModel):
        asyncio.run(routes.ping())

    answer = asyncio.run(routes.version())

    assert (answer.status, answer.body.decode(), who(answer)) == (200, "3", ())


def test_ping_and_version_tell_strangers_nothing_of_the_active_model(
    routes: MLflowRoutes, active: ActiveModel, workshop: Workshop, tmp_path: Path
) -> None:
    active.swap(workshop.deploy(tmp_path / "model"))

    ping, version = asyncio.run(routes.ping()), asyncio.run(routes.version())

    assert (ping.status, who(ping), who(version)) == (200, (), ())


def test_error_response_has_mlflow_code_and_status() -> None:
    answer = error_response(BadRequest("Missing columns: minutes."))

    assert answer.status == 400
    assert json.loads(answer.body) == {
        "error_code": "BAD_REQUEST",
        "message": "Missing columns: minutes.",
    }


def test_request_in_flight_finishes_on_old_model_which_is_freed(
    routes: MLflowRoutes, active: ActiveModel, workshop: Workshop, tmp_path: Path
) -> None:
    old = workshop.load_as(Waiting, tmp_path / "old")
    new = workshop.load_as(Predictor, tmp_path / "new", number=2)
    active.swap(deployed(old))

    async def swap_in_between(old: Waiting) -> tuple[Response, Response]:
        in_flight = asyncio.create_task(routes.invocations(JSON, body(workshop)))
        await asyncio.to_thread(old.asked.wait, 10)
        active.swap(deployed(new))
        second = await routes.invocations(JSON, body(workshop))
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


def test_model_that_failed_on_a_request_is_freed_too(
    routes: MLflowRoutes, active: ActiveModel, workshop: Workshop, tmp_path: Path
) -> None:
    active.swap(deployed(workshop.load_as(Failing, tmp_path / "old")))
    old = weakref.ref(active.get())
    with pytest.raises(PredictionFailed):
        invoke(routes, body(workshop))

    active.swap(workshop.deploy(tmp_path / "new"))
    gc.collect()

    assert old() is None


def test_prediction_in_a_thread_does_not_block_ping(
    routes: MLflowRoutes, active: ActiveModel, workshop: Workshop, tmp_path: Path
) -> None:
    model = workshop.load_as(Waiting, tmp_path / "model")
    active.swap(deployed(model))

    async def ping_in_between() -> Response:
        in_flight = asyncio.create_task(routes.invocations(JSON, body(workshop)))
        await asyncio.to_thread(model.asked.wait, 10)
        answer = await routes.ping()
        assert not in_flight.done()
        model.go_on.set()
        await in_flight
        return answer

    assert asyncio.run(ping_in_between()).status == 200


def test_few_rows_are_predicted_without_a_thread(
    routes: MLflowRoutes,
    executors: Executors,
    active: ActiveModel,
    workshop: Workshop,
    tmp_path: Path,
) -> None:
    active.swap(workshop.deploy(tmp_path / "model", compiled=workshop.compiled()))
    executors.close()  # there are no threads any more

    answer = invoke(routes, body(workshop, MAX_INLINE_ROWS))

    assert who(answer) == COMPILED
    assert len(json.loads(answer.body)["predictions"]) == MAX_INLINE_ROWS


@pytest.mark.parametrize("count", [MAX_INLINE_ROWS + 1, 160])
def test_many_rows_are_predicted_in_a_thread(
    routes: MLflowRoutes,
    executors: Executors,
    active: ActiveModel,
    workshop: Workshop,
    tmp_path: Path,
    count: int,
) -> None:
    compiled = workshop.compiled()
    active.swap(workshop.deploy(tmp_path / "model", compiled=compiled))

    answer = invoke(routes, body(workshop, count))

    assert (who(answer), compiled.rows) == (COMPILED, [count])
    assert len(json.loads(answer.body)["predictions"]) == count
    executors.close()
    with pytest.raises(RuntimeError, match="shutdown"):
        invoke(routes, body(workshop, count))


def test_large_body_is_parsed_in_a_thread(
    routes: MLflowRoutes,
    executors: Executors,
    active: ActiveModel,
    workshop: Workshop,
    tmp_path: Path,
) -> None:
    active.swap(workshop.deploy(tmp_path / "model", compiled=workshop.compiled()))
    executors.close()

    with pytest.raises(RuntimeError, match="shutdown"):
        invoke(routes, body(workshop, 1) + b" " * MAX_INLINE_BYTES)


def test_rows_not_strictly_typed_are_coerced_by_mlflow(
    routes: MLflowRoutes, active: ActiveModel, workshop: Workshop, tmp_path: Path
) -> None:
    active.swap(workshop.deploy(tmp_path / "model", compiled=workshop.compiled()))

    answer = invoke(routes, b'{"inputs": [["120.5", "basic", "3", 1]]}')

    assert (answer.status, who(answer)) == (200, COMPILED)  # by way of MLflow's parser
    assert answer.body == invoke(routes, b'{"inputs": [[120.5, "basic", 3, true]]}').body
