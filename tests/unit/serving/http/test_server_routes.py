"""Routes about the server itself: metrics and the active model's description."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from terna.predictor.predictor import Predictor
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.http.app import App
from terna.settings import Serving
from tests.rsgi import Answered, AppClient, callers
from tests.unit.workshop import NAME, NoLoader, Workshop, deployed


@pytest.fixture
def active() -> ActiveModel:
    return ActiveModel()


@pytest.fixture
def client(active: ActiveModel) -> Iterator[AppClient]:
    app = App(active, Serving(threads=2), NoLoader(), callers())
    yield AppClient(app)
    app.close()


@pytest.fixture
def model(workshop: Workshop, tmp_path: Path) -> Predictor:
    return workshop.load(tmp_path / "model")


def test_metrics_count_each_request(
    client: AppClient, active: ActiveModel, model: Predictor
) -> None:
    def count(page: Answered) -> float:
        sample = 'terna_requests_total{route="/invocations",status="200"}'
        found = re.search(rf"^{re.escape(sample)} (\S+)$", page.body.decode(), re.MULTILINE)
        return float(found[1]) if found else 0

    before = count(client.get("/metrics"))
    active.swap(deployed(model))
    client.post("/invocations", {"inputs": [[120.5, "basic", 3, True]]})
    page = client.get("/metrics")

    assert count(page) == before + 1
    assert page.headers["content-type"].startswith("text/plain; version=")
    for name in (
        "request_seconds_bucket",
        "request_rows_bucket",
        "requests_in_flight",
        "swaps_total",
    ):
        assert f"terna_{name}" in page.body.decode()


def test_description_is_of_the_active_model(
    client: AppClient, active: ActiveModel, model: Predictor
) -> None:
    active.swap(deployed(model))

    page, document = client.get("/docs"), client.get("/openapi.json")

    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f"<title>{NAME}</title>" in page.body.decode()
    assert (document.headers["x-model-version"], document.headers["content-type"]) == (
        "1",
        "application/json",
    )
    assert json.loads(document.body)["info"] | {"description": ""} == {
        "title": NAME,
        "version": "1",
        "description": "",
    }


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_description_without_model_is_answered_503(client: AppClient, path: str) -> None:
    status, code, _ = client.get(path).error

    assert (status, code) == (503, "TEMPORARILY_UNAVAILABLE")
