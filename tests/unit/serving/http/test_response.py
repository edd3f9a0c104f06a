"""Responses: which headers go before the body."""

from pathlib import Path

import pytest

from terna.contracts.scoring import JSON
from terna.predictor.compiled_predictor import Prediction
from terna.serving.endpoints.deployment import Deployment
from terna.serving.http.response import Response, json_response, prediction_response
from tests.unit.workshop import NAME, Workshop


@pytest.fixture
def deployment(workshop: Workshop, tmp_path: Path) -> Deployment:
    return workshop.deploy(tmp_path / "model", compiled=workshop.compiled())


def test_response_without_model_has_content_type_id_and_extra_headers_only() -> None:
    response = Response(content_type="text/csv", extra_headers=(("allow", "GET"),))

    assert response.headers("id-1") == [
        ("content-type", "text/csv"),
        ("x-request-id", "id-1"),
        ("allow", "GET"),
    ]


def test_response_of_model_names_version_and_backend(deployment: Deployment) -> None:
    response = json_response({"ready": True}, deployment)

    assert (response.status, response.body) == (200, b'{"ready":true}')
    assert dict(response.headers("id-1")) == {
        "content-type": JSON,
        "x-request-id": "id-1",
        "x-model-name": NAME,
        "x-model-version": "1",
        "x-model-backend": "compiled",
    }


def test_prediction_names_the_backend_that_made_it(deployment: Deployment) -> None:
    response = prediction_response(Prediction(b"{}", "pyfunc", 3), deployment)

    assert dict(response.headers("id-1"))["x-model-backend"] == "pyfunc"
    assert (response.body, response.rows) == (b"{}", 3)
