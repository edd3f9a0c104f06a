"""What goes back to a client: a body, a status and headers."""

from typing import Any

import msgspec

from terna.contracts.scoring import JSON
from terna.predictor.compiled_predictor import Prediction
from terna.serving.endpoints.deployment import Deployment

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"

Headers = tuple[tuple[str, str], ...]


class Response(msgspec.Struct, frozen=True):
    """One response."""

    body: bytes = b"\n"
    status: int = 200
    content_type: str = JSON
    deployment: Deployment | None = None
    """The version that answers."""
    backend: str = ""
    """The backend that answered, if it is not the deployment's usual one."""
    rows: int = 0
    """How many rows were predicted."""
    extra_headers: Headers = ()
    """Headers that only this kind of response has."""

    def headers(self, request_id: str) -> list[tuple[str, str]]:
        """Return the headers: those of every response, of this kind, and of the model."""
        headers = [
            ("content-type", self.content_type),
            ("x-request-id", request_id),
            *self.extra_headers,
        ]
        if self.deployment:
            version = self.deployment.version
            headers += [
                ("x-model-name", version.name),
                ("x-model-version", str(version.number)),
                ("x-model-backend", self.backend or self.deployment.backend),
            ]
        return headers


def json_response(document: Any, deployment: Deployment | None = None) -> Response:
    """Return a response that holds a document as JSON."""
    return Response(msgspec.json.encode(document), deployment=deployment)


def prediction_response(prediction: Prediction, deployment: Deployment) -> Response:
    """Return the response that holds a prediction."""
    body, rows = prediction.body, prediction.rows
    return Response(body, deployment=deployment, backend=prediction.backend, rows=rows)
