"""What is asked of serving, and what its answers mean; nothing here sends, receives or waits.

A call is a generator: it yields each request, is sent what came of it, and returns the result.
`Client` and `AsyncClient` carry it out (https://sans-io.readthedocs.io).
"""

import json
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any, TypeVar

import httpx

from terna.erp.connection import Connection, authorization
from terna.erp.predictions import Predictions, read_labels, read_probabilities
from terna.errors import (
    BadRequest,
    InternalError,
    InvalidParameter,
    PayloadTooLarge,
    ServingRefused,
    ServingUnavailable,
    ServingUnreachable,
    TernaError,
    TimedOut,
)
from terna.security import tls_errors

JSON = {"content-type": "application/json"}

PROBABILITIES = {"params": {"predict_method": "predict_proba"}}
"""What asks for probabilities in place of labels."""

CONNECTION_LOST = (
    httpx.RemoteProtocolError,
    httpx.ReadError,
    httpx.WriteError,
    httpx.ConnectError,
)
"""What httpx raises when the server closes a kept connection just as a request is sent on it, or a
new one just as it begins, as a worker of serving does that ends."""

REFUSED = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
BUSY = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)

PAUSE = 1.0
"""Seconds until a busy server is asked again that does not say how many."""
SHORTEST_PAUSE = 0.1
"""Seconds that are waited even for one that says less."""

BY_STATUS: Mapping[int, type[BadRequest | PayloadTooLarge | InternalError | TimedOut]] = {
    error.status: error for error in (BadRequest, PayloadTooLarge, InternalError, TimedOut)
}
"""Errors of serving that come of what was sent: nobody asks the same again."""

Customer = Sequence[Any] | Mapping[str, Any]
"""Raw feature values in the order of the model's schema, or by name."""


@dataclass(frozen=True)
class Request:
    """A request to send."""

    method: str
    url: str
    content: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    after: float = 0
    """Seconds to wait before it is sent."""


Outcome = httpx.Response | httpx.HTTPError
"""What came of a request."""

Result = TypeVar("Result")
Call = Generator[Request, Outcome, Result]


class Exchange:
    """The calls that a client makes."""

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.monotonic) -> None:
        """Read the API key.

        Args:
            clock: tells seconds, from any beginning.

        Raises:
            SettingsError: the key cannot be read.
        """
        self._connection = connection
        self._endpoint = connection.endpoint
        self._authorization = authorization(connection)
        self._clock = clock

    def predict(
        self, customers: Sequence[Customer], probabilities: bool, ids: Sequence[str] | None = None
    ) -> Call[Predictions]:
        """Ask for each customer's label, and for the probabilities by the same version.

        Raises:
            ValueError: there are `ids` that no table of these customers can have.
        """
        deadline = self._clock() + self._connection.deadline_seconds
        body, rows = _body(customers, ids), len(customers)
        while True:
            labels = yield from self._ask(body, rows, read_labels, deadline)
            if not probabilities:
                return labels
            also = yield from self._ask(body | PROBABILITIES, rows, read_probabilities, deadline)
            if also.version == labels.version:
                return replace(labels, probabilities=also.rows)
            if self._clock() >= deadline:
                raise ServingUnavailable(
                    f"{self._endpoint} goes over to another version. Ask again.", PAUSE
                )

    def version(self) -> Call[int | None]:
        """Ask for the number of the version that answers now."""
        url = str(httpx.URL(self._endpoint).copy_with(path="/v2/models"))
        response = yield from self._send(Request("GET", url))
        if response.status_code in (*REFUSED, httpx.codes.TOO_MANY_REQUESTS):
            raise self._error(response)
        number = response.headers.get("x-model-version")
        return int(number) if number else None

    def description(self) -> Call[dict[str, Any]]:
        """Ask for the OpenAPI document of the version that answers now."""
        url = str(httpx.URL(self._endpoint).copy_with(path="/openapi.json"))
        response = yield from self._send(Request("GET", url))
        if response.status_code != httpx.codes.OK:
            raise self._error(response)
        document = _document(response)
        if not document:
            raise self._no_labels(response)
        return document

    def _ask(
        self,
        body: Mapping[str, Any],
        rows: int,
        read: Callable[[httpx.Response, int], Result],
        deadline: float,
    ) -> Call[Result]:
        """Ask, and again when a busy server wants to be asked, as long as there is time."""
        # Not httpx's own `json=`, which refuses the NaN of a missing value.
        request = Request("POST", self._endpoint, json.dumps(body))
        response = yield from self._send(request)
        while response.status_code in BUSY:
            pause = max(SHORTEST_PAUSE, retry_after(response))
            if self._clock() + pause > deadline:
                break
            response = yield from self._send(replace(request, after=pause))
        if response.status_code != httpx.codes.OK:
            raise self._error(response)
        try:
            return read(response, rows)
        except (ValueError, KeyError, TypeError):  # another server, or a proxy's page
            raise self._no_labels(response) from None

    def _send(self, request: Request) -> Call[httpx.Response]:
        """Send with the API key, and again where that is another one by now."""
        used = self._authorization
        response = yield from self._send_twice(replace(request, headers=JSON | used))
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self._authorization = authorization(self._connection)
            if self._authorization != used:
                again = replace(request, headers=JSON | self._authorization, after=0)
                response = yield from self._send_twice(again)
        return response

    def _send_twice(self, request: Request) -> Call[httpx.Response]:
        """Send, and again when the connection was just closed: a prediction may be asked twice."""
        outcome = yield request
        if isinstance(outcome, CONNECTION_LOST):
            outcome = yield replace(request, after=0)
        if isinstance(outcome, httpx.HTTPError):
            raise ServingUnreachable(_why_no_answer(self._endpoint, outcome)) from outcome
        return outcome

    def _error(self, response: httpx.Response) -> TernaError:
        content = _texts(response)
        message = content.get("message", f"status {response.status_code}.")
        if response.status_code in REFUSED:
            return ServingRefused(f"{self._endpoint} refuses: {message}")
        if response.status_code in BUSY:
            return ServingUnavailable(
                f"{self._endpoint} answers {response.status_code}: {message}", retry_after(response)
            )
        if "message" not in content or response.status_code not in BY_STATUS:
            return self._no_labels(response)
        if content.get("error_code") == InvalidParameter.error_code:
            return InvalidParameter(message)
        return BY_STATUS[response.status_code](message)

    def _no_labels(self, response: httpx.Response) -> ServingUnreachable:
        return ServingUnreachable(
            f"{self._endpoint} answers {response.status_code} without labels. Is it serving?"
        )


def _body(customers: Sequence[Customer], ids: Sequence[str] | None) -> dict[str, Any]:
    """Return what is sent of customers: with ids, a table whose index they are."""
    if ids is None:
        return {"inputs": list(customers)}
    if len(ids) != len(customers):
        raise ValueError(f"{len(ids)} ids for {len(customers)} customers: give one for each.")
    return {"dataframe_split": _table(customers) | {"index": list(ids)}}


def _table(customers: Sequence[Customer]) -> dict[str, Any]:
    """Return customers as rows, with the names of columns where the customers have names."""
    named = [each for each in customers if isinstance(each, Mapping)]
    if not named:
        return {"data": list(customers)}
    if len(named) < len(customers):
        raise ValueError("Give all customers by name, or all in the order of the model's schema.")
    columns = list(dict.fromkeys(name for each in named for name in each))
    return {"columns": columns, "data": [[each.get(name) for name in columns] for each in named]}


def retry_after(response: httpx.Response) -> float:
    """Return the seconds that the server wants to be left alone, by its header `retry-after`."""
    value = response.headers.get("retry-after", "")
    try:
        seconds = float(value) if value else PAUSE
    except ValueError:  # a date
        seconds = _seconds_until(value)
    return max(0.0, seconds) if isfinite(seconds) else PAUSE


def _seconds_until(date: str) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except ValueError:
        return PAUSE


def _why_no_answer(endpoint: str, error: httpx.HTTPError) -> str:
    if "CERTIFICATE_REQUIRED" in str(error).upper().replace(" ", "_"):
        return (
            f"{endpoint} asks for a client certificate: `certificate` and `key` of the connection,"
            " or TERNA_ERP_CERTIFICATE and TERNA_ERP_KEY, name it."
        )
    why = tls_errors.explain(error) or "Is serving running?"
    return f"{endpoint} does not answer ({type(error).__name__}). {why}"


def _document(response: httpx.Response) -> dict[str, Any]:
    """Return the JSON object in a body; an empty one where there is none, as in a proxy's page."""
    try:
        content = response.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _texts(response: httpx.Response) -> dict[str, str]:
    """Return the fields of an error's body, as texts."""
    return {name: str(value) for name, value in _document(response).items()}
