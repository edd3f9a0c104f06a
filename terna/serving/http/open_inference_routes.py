"""The Open Inference Protocol's routes, below `/v2`. No HTTP here: a handler decides."""

from importlib.metadata import version

from terna.contracts import open_inference
from terna.contracts.open_inference import HEADER_LENGTH
from terna.errors import NotFound, NotReady, RequestError
from terna.predictor.predictor import Prediction, Predictor
from terna.serving.agent.heartbeat import Heartbeat
from terna.serving.endpoints.active_model import ActiveModel
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
        """Return the server's name, version and protocol extensions."""
        extensions = list(open_inference.EXTENSIONS)
        return json_response(
            {"name": "terna", "version": version("terna"), "extensions": extensions}
        )

    async def live(self) -> Response:
        """Return 200 while the server runs."""
        return json_response({"live": True})

    async def ready(self) -> Response:
        """Return 200 while a model is active and the agent works."""
        predictor = self._active.get()
        if not self._agent.is_recent():
            raise NotReady("The agent hangs, so no new version is served: restart this server.")
        return json_response({"ready": True}, predictor)

    async def models(self) -> Response:
        """Return the names of the models here: one, or none yet."""
        predictor = self._active.predictor
        return json_response({"models": [predictor.version.name] if predictor else []})

    async def metadata(self, name: str, version: str | None) -> Response:
        """Return the tensors that the model takes and returns, and its backend."""
        return await self._executors.run(0, _metadata, self._get(name, version))

    async def model_ready(self, name: str, version: str | None) -> Response:
        """Return 200 while this model is active."""
        predictor = self._get(name, version)
        return json_response({"name": predictor.version.name, "ready": True}, predictor)

    async def infer(
        self, name: str, version: str | None, header_length: str, body: bytes
    ) -> Response:
        """Return the model's predictions as tensors.

        Raises:
            RequestError: any subclass.
        """
        predictor = self._get(name, version)
        prediction = await self._executors.run(len(body), _infer, predictor, body, header_length)
        response = prediction_response(prediction, predictor)
        if prediction.json_length is None:
            return response
        length = (HEADER_LENGTH, str(prediction.json_length))
        return response._replace(content_type=BINARY, extra_headers=(length,))

    def _get(self, name: str, version: str | None) -> Predictor:
        predictor = self._active.get()
        if name != predictor.version.name:
            raise NotFound("There is no such model here: GET /v2/models names it.")
        if version is not None and version != str(predictor.version.number):
            raise NotFound(f"Version {predictor.version.number} is in production, not that one.")
        return predictor


def error_response(error: RequestError) -> Response:
    """Return an error's status, and one line for a person."""
    body = open_inference.render_error(str(error))
    return Response(body, error.status, extra_headers=error.headers)


def _infer(predictor: Predictor, body: bytes, header_length: str) -> Prediction:
    return predictor.infer(open_inference.parse(body, header_length))


def _metadata(predictor: Predictor) -> Response:
    from terna.predictor import tensors  # imports MLflow and pandas, which takes seconds

    metadata = predictor.pyfunc().metadata
    document = {
        "name": predictor.version.name,
        "versions": [str(predictor.version.number)],
        "platform": "mlflow",
        "inputs": tensors.describe_inputs(metadata.get_input_schema()),
        "outputs": tensors.describe_outputs(metadata.get_output_schema()),
        "parameters": {"backend": predictor.backend},
    }
    return json_response(document, predictor)
