"""Routes about the server itself: its metrics, and the description of the active model."""

from terna.contracts.scoring import JSON
from terna.serving import metrics
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.http.executors import Executors
from terna.serving.http.response import HTML, Response
from terna.serving.inference_pool.calls import Page


class ServerRoutes:
    """`/metrics`, `/docs` and `/openapi.json`."""

    def __init__(self, active: ActiveModel, executors: Executors) -> None:
        self._active = active
        self._executors = executors

    async def metrics(self) -> Response:
        """Return the metrics of all workers, in Prometheus' text format."""
        page = await self._executors.run(lambda _deadline: metrics.render())
        return Response(page, content_type=metrics.CONTENT_TYPE)

    async def openapi(self) -> Response:
        """Return the OpenAPI document, with the active model's schema and example."""
        return await self._page("openapi", JSON)

    async def docs(self) -> Response:
        """Return the same as an HTML page for people."""
        return await self._page("docs", HTML)

    async def _page(self, page: Page, content_type: str) -> Response:
        deployment = self._active.get()
        body = await self._executors.run(deployment.describe, page)
        return Response(body, content_type=content_type, deployment=deployment)
