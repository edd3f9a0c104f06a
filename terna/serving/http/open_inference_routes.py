"""The Open Inference Protocol's routes, below `/v2`. No HTTP here: a handler decides."""

from collections.abc import Callable

from msgspec.structs import replace

from terna import __version__
from terna.contracts import open_inference
from terna.contracts.open_inference import HEADER_LENGTH
from terna.errors import NotFound, NotReady, RequestError
from terna.serving.agent.heartbeat import Heartbeat
from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.endpoints.deployment import Deployment
from terna.serving.http.executors import Executors
from terna.serving.http.response import Response, json_response, prediction_response

BINARY = "application/octet-stream"


class OpenInferenceRoutes:
    """The server's and the active model's routes."""

    def __init__(self, active: ActiveModel, executors: Executors, agent: Heartbeat) -> None:
        """
        Args:
            agent: by which the server sees that the agent works.
        """
        self._active = active
        self._executors = executors
        self._agent = agent

    async def server(self) -> Response:
        """Return the server's name, major version and protocol extensions."""
        version = __version__.partition(".")[0]  # the exact one tells strangers what is unpatched
        extensions = list(open_inference.EXTENSIONS)
        return json_response({"name": "terna", "version": version, "extensions": extensions})

    async def live(self) -> Response:
        """Return 200 while the server runs."""
        return json_response({"live": True})

    async def ready(self) -> Response:
        """Return 200 while a model is active, any request to it is answered, and the agent works.

        Raises:
            NotReady: no process of the inference pool has loaded the model, or the agent hangs.
        """
        deployment = self._active.get()
        if not deployment.is_ready:
            raise NotReady(
                "No child process has loaded the model yet: ask again, or see the server's log."
            )
        if not self._agent.is_recent():
            raise NotReady("The agent hangs, so no new version is served until it is restarted.")
        return json_response({"ready": True}, deployment)

    async def models(self) -> Response:
        """Return the names of the models here: one, or none yet."""
        deployment = self._active.deployment
        names = [deployment.version.name] if deployment else []
        return json_response({"models": names}, deployment)

    async def metadata(self, name: str, version: str | None) -> Response:
        """Return the tensors that the model takes and returns, and its backend."""
        deployment = self._get(name, version)
        page = await self._executors.run(deployment.describe, "metadata")
        return Response(page, deployment=deployment)

    async def model_ready(self, name: str, version: str | None) -> Response:
        """Return 200 while this model is active."""
        deployment = self._get(name, version)
        return json_response({"name": deployment.version.name, "ready": True}, deployment)

    async def infer(
        self,
        name: str,
        version: str | None,
        header_length: str,
        body: bytes,
        time_limit: Callable[[], float | None] = lambda: None,
    ) -> Response:
        """Return the model's predictions as tensors.

        Args:
            time_limit: returns the seconds that the client waits at most, if it says so.

        Raises:
            RequestError: any subclass.
        """
        deployment = self._get(name, version)
        prediction = await self._executors.run(
            deployment.infer, body, header_length, size=len(body), seconds=time_limit()
        )
        response = prediction_response(prediction, deployment)
        if prediction.json_length is None:
            return response
        length = (HEADER_LENGTH, str(prediction.json_length))
        return replace(response, content_type=BINARY, extra_headers=(length,))

    def _get(self, name: str, version: str | None) -> Deployment:
        deployment = self._active.get()
        if name != deployment.version.name:
            raise NotFound("There is no such model here: GET /v2/models names it.")
        if version is not None and version != str(deployment.version.number):
            raise NotFound(f"Version {deployment.version.number} is in production, not that one.")
        return deployment


def error_response(error: RequestError) -> Response:
    """Return an error's status, and one line for a person."""
    body = open_inference.render_error(str(error))
    return Response(body, error.status, extra_headers=error.headers)
