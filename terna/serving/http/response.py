"""What goes back to a client: a body, a status and headers."""

from typing import Any, NamedTuple

import msgspec

from terna.contracts.scoring import JSON
from terna.predictor.predictor import Prediction, Predictor

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"

Headers = tuple[tuple[str, str], ...]


class Response(NamedTuple):
    """One response."""

    body: bytes = b"\n"
    status: int = 200
    content_type: str = JSON
    predictor: Predictor | None = None
    """The version that answers."""
    backend: str = ""
    """The backend that answered, if it is not the predictor's usual one."""
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
        if self.predictor:
            version = self.predictor.version
            headers += [
                ("x-model-name", version.name),
                ("x-model-version", str(version.number)),
                ("x-model-backend", self.backend or self.predictor.backend),
            ]
        return headers


def json_response(document: Any, predictor: Predictor | None = None) -> Response:
    """Return a response that holds a document as JSON."""
    return Response(msgspec.json.encode(document), predictor=predictor)


def prediction_response(prediction: Prediction, predictor: Predictor) -> Response:
    """Return the response that holds a prediction."""
    body, backend, rows, _ = prediction
    return Response(body, predictor=predictor, backend=backend, rows=rows)
