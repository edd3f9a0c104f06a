"""What a worker and its child processes say to each other: MessagePack, never pickles.

A child runs a model's own code, so a worker decodes nothing of it that could run code in turn.
"""

from typing import Literal

import msgspec

from terna import errors
from terna.contracts.scoring import ScoringRequest
from terna.errors import InternalError, RequestError
from terna.predictor.compiled_predictor import Prediction

_KINDS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, RequestError) and kind is not RequestError
}

Page = Literal["metadata", "openapi", "docs"]


class Predict(msgspec.Struct, tag=True, array_like=True):
    """A request to `/invocations`."""

    content_type: str
    body: bytes

    def request(self) -> ScoringRequest:
        """Return it as the predictor takes it."""
        return ScoringRequest(self.content_type, self.body)


class Infer(msgspec.Struct, tag=True, array_like=True):
    """A request to `/v2/models/NAME/infer`."""

    body: bytes
    header_length: str


class Describe(msgspec.Struct, tag=True, array_like=True):
    """A request for a description of the model."""

    page: Page


Call = Predict | Infer | Describe


class Loaded(msgspec.Struct, tag=True, array_like=True):
    """The child has loaded its version."""


class TimeLimit(msgspec.Struct, tag=True, array_like=True):
    """The request in hand sets itself a shorter time limit."""

    seconds: float


class Done(msgspec.Struct, tag=True, array_like=True):
    """The response to a call."""

    prediction: Prediction
    has_grown: bool
    """Whether the child took much memory for it: another one should take its place."""


class Failed(msgspec.Struct, tag=True, array_like=True):
    """The error that a call, or loading, ended with."""

    kind: str
    message: str
    status: int = 500
    error_code: str = ""
    has_grown: bool = False

    def error(self) -> RequestError:
        """Return the error to raise in the worker."""
        kind = _KINDS.get(self.kind, InternalError)
        error = kind.__new__(kind, self.message)  # not all have a constructor of one argument
        error.status, error.error_code = self.status, self.error_code or kind.error_code
        return error


Reply = Loaded | TimeLimit | Done | Failed

encode = msgspec.msgpack.Encoder().encode
decode_call = msgspec.msgpack.Decoder(Call).decode
decode_reply = msgspec.msgpack.Decoder(Reply).decode


def failed(error: RequestError, has_grown: bool = False) -> Failed:
    """Return a request's error as a message."""
    return Failed(type(error).__name__, str(error), error.status, error.error_code, has_grown)
