"""What crosses between a worker and its children comes out as it went in."""

import pytest

from terna.errors import (
    InternalError,
    InvalidParameter,
    PayloadTooLarge,
    PredictionFailed,
    RequestError,
    TimedOut,
)
from terna.predictor.compiled_predictor import Prediction
from terna.serving.inference_pool import calls
from terna.serving.inference_pool.calls import Call, Describe, Done, Infer, Predict


@pytest.mark.parametrize(
    "call", [Predict("text/csv", b"a\n1\n"), Infer(b"{}", "2"), Describe("metadata")]
)
def test_call_is_decoded_as_it_was_encoded(call: Call) -> None:
    assert calls.decode_call(calls.encode(call)) == call


def test_response_is_decoded_as_it_was_encoded() -> None:
    done = Done(Prediction(b"\x00{}", "compiled", 3, 2), has_grown=True)

    assert calls.decode_reply(calls.encode(done)) == done


@pytest.mark.parametrize(
    "error",
    [
        InvalidParameter("Row 0: 'calls' must be a whole number."),
        PredictionFailed("The model failed.", 422, "MY_OWN_CODE"),
        PayloadTooLarge("Send fewer rows."),
        InternalError("It failed."),
        TimedOut("late"),
    ],
)
def test_error_is_raised_as_the_same_kind_with_status_and_code(error: RequestError) -> None:
    failed = calls.decode_reply(calls.encode(calls.failed(error)))

    assert isinstance(failed, calls.Failed)
    raised = failed.error()
    assert (type(raised), str(raised)) == (type(error), str(error))
    assert (raised.status, raised.error_code) == (error.status, error.error_code)


@pytest.mark.parametrize("kind", ["SystemExit", "TernaError", "RequestError", ""])
def test_kind_that_is_no_error_of_a_request_becomes_an_internal_error(kind: str) -> None:
    assert type(calls.Failed(kind, "text").error()) is InternalError
