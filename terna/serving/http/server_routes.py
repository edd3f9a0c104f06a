"""Routes about the server itself: its metrics, and the description of the active model."""

from terna.predictor.predictor import Predictor
from terna.serving import metrics
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.http.executors import Executors
from terna.serving.http.response import HTML, Response


class ServerRoutes:
    """`/metrics`, `/docs` and `/openapi.json`."""

    def __init__(self, active: ActiveModel, executors: Executors) -> None:
        self._active = active
        self._executors = executors

    async def metrics(self) -> Response:
        """Return the metrics of all workers, in Prometheus' text format."""
        page = await self._executors.run(0, metrics.render)
        return Response(page, content_type=metrics.CONTENT_TYPE)

    async def openapi(self) -> Response:
        """Return the OpenAPI document, with the active model's schema and example."""
        return await self._executors.run(0, _document, self._active.get())

    async def docs(self) -> Response:
        """Return the same as an HTML page for people."""
        return await self._executors.run(0, _page, self._active.get())


# `openapi` imports MLflow and pandas, which takes seconds: it is imported in a thread.


def _document(predictor: Predictor) -> Response:
    from terna.serving.http import openapi

    return Response(openapi.document(predictor), predictor=predictor)


def _page(predictor: Predictor) -> Response:
    from terna.serving.http import openapi

    return Response(openapi.page(predictor), content_type=HTML, predictor=predictor)
