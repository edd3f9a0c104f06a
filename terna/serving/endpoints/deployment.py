"""A deployment: one version that answers in this worker."""

import time
import weakref
from typing import Protocol

from terna.contracts.scoring import ScoringRequest
from terna.contracts.version import Version
from terna.predictor.compiled_predictor import COMPILED, PYFUNC, CompiledPredictor, Prediction
from terna.serving.inference_pool.calls import Call, Describe, Infer, Page, Predict
from terna.serving.inference_pool.process import START_SECONDS


class Pool(Protocol):
    """What a deployment needs of `inference_pool.pool.InferencePool`."""

    @property
    def is_ready(self) -> bool:
        """Whether a call would be answered at once."""

    def wait_until_loaded(self) -> None:
        """Return when a child has loaded the version, or none can."""

    def call(self, call: Call, deadline: float) -> Prediction:
        """Return the response to a call."""

    def close(self) -> None:
        """Take no call any more."""


class Deployment:
    """A version: its compiled model answers in this process, its pool whatever that one does not.

    Any thread may call it at any time. The pool is closed when nobody holds the deployment any
    more, so that a request in flight ends on the version that it began with.
    """

    def __init__(
        self, version: Version, pool: Pool, compiled: CompiledPredictor | None = None
    ) -> None:
        self.version = version
        self.backend = COMPILED if compiled else PYFUNC
        """Which one answers rows whose cells are strictly of their columns' types."""
        self._compiled = compiled
        self._pool = pool
        weakref.finalize(self, pool.close)

    @property
    def is_ready(self) -> bool:
        """Whether any request would be answered at once."""
        return self._pool.is_ready

    def wait_until_loaded(self) -> None:
        """Return when a child process has loaded the version, or none can."""
        self._pool.wait_until_loaded()

    def predict_compiled(
        self, request: ScoringRequest, max_rows: int | None = None
    ) -> Prediction | None:
        """Return the compiled model's response; None where pyfunc must predict.

        Args:
            max_rows: with more rows than this, None is returned at once.

        Raises:
            BadRequest: the content type says JSON and the body is none.
        """
        return self._compiled.predict(request, max_rows) if self._compiled else None

    def predict(self, request: ScoringRequest, deadline: float | None = None) -> Prediction:
        """Return what MLflow's scoring server responds.

        Args:
            deadline: the time of `time.monotonic` after which it is given up; None for as long as
                a child process may take to start.

        Raises:
            RequestError: any subclass.
        """
        if prediction := self.predict_compiled(request):
            return prediction
        deadline = deadline or time.monotonic() + START_SECONDS
        return self._pool.call(Predict(request.content_type, request.body), deadline)

    def infer(self, body: bytes, header_length: str, deadline: float) -> Prediction:
        """Return the response to a request of the Open Inference Protocol.

        Args:
            header_length: the HTTP header that says how many bytes of the body are JSON.
            deadline: as for `predict`.

        Raises:
            RequestError: any subclass.
        """
        return self._pool.call(Infer(body, header_length), deadline)

    def describe(self, page: Page, deadline: float) -> bytes:
        """Return a page about the model.

        Raises:
            RequestError: any subclass.
        """
        return self._pool.call(Describe(page), deadline).body
