"""MLflow's routes: what its scoring server answers. No HTTP here: a handler decides."""

from collections.abc import Callable
from importlib.metadata import version

from terna.contracts.scoring import ScoringRequest, render_error
from terna.errors import RequestError, UnsupportedMediaType
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.http.executors import Executors
from terna.serving.http.response import TEXT, Response, prediction_response

MAX_INLINE_BYTES = 16_384
"""Bytes of the largest body parsed in the event loop: a thread would cost more, 30 to 50 µs."""

MAX_INLINE_ROWS = 16
"""Rows that a compiled model predicts in the event loop, at most, for the same reason."""


class MLflowRoutes:
    """`/invocations`, `/ping`, `/health` and `/version` for the active model."""

    def __init__(self, active: ActiveModel, executors: Executors) -> None:
        self._active = active
        self._executors = executors

    async def invocations(
        self,
        content_type: str,
        body: bytes,
        time_limit: Callable[[], float | None] = lambda: None,
    ) -> Response:
        """Return what MLflow's scoring server answers.

        Args:
            time_limit: returns the seconds that the client waits at most, if it says so.

        Raises:
            RequestError: any subclass.
        """
        deployment = self._active.get()
        request = ScoringRequest(content_type, body)
        if len(body) <= MAX_INLINE_BYTES:
            prediction = deployment.predict_compiled(request, MAX_INLINE_ROWS)
            if prediction:
                return prediction_response(prediction, deployment)
        prediction = await self._executors.run(
            deployment.predict, request, size=len(body), seconds=time_limit()
        )
        return prediction_response(prediction, deployment)

    async def ping(self) -> Response:
        """Return 200 while a model is active; not which: strangers may ask.

        Raises:
            NoModel: there is none.
        """
        self._active.get()
        return Response()

    async def version(self) -> Response:
        """Return MLflow's major version: the exact one would tell strangers what is unpatched."""
        return Response(version("mlflow-skinny").partition(".")[0].encode())


def error_response(error: RequestError) -> Response:
    """Return an error's status, MLflow's error code, and one line for a person."""
    if isinstance(error, UnsupportedMediaType):
        return Response(str(error).encode(), error.status, TEXT, extra_headers=error.headers)
    body = render_error(error.error_code, str(error))
    return Response(body, error.status, extra_headers=error.headers)
