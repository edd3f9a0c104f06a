"""The ERP's client of the serving endpoint, over verified TLS."""

import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from terna.errors import BadRequest, ServingUnreachable, SettingsError
from terna.settings import Erp

JSON = {"content-type": "application/json"}

CONNECTION_LOST = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
"""What httpx raises when the server closes a kept connection just as a request is sent on it."""

Customer = Sequence[Any] | Mapping[str, Any]
"""Raw feature values in the order of the model's schema, or by name."""


@dataclass(frozen=True)
class Predictions:
    """One label a customer, and the version that gave them."""

    labels: list[Any]
    model: str
    version: int


class Client:
    """A client of the serving endpoint that keeps its connection. Use it in a `with` block."""

    def __init__(self, erp: Erp) -> None:
        """Read the CA. Connects to nothing yet.

        Raises:
            SettingsError: there is no CA to verify the endpoint with.
        """
        self._endpoint = erp.endpoint
        self._client = httpx.Client(verify=_tls_context(erp.ca), timeout=erp.timeout_seconds)

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._client.close()

    def predict(self, customers: Sequence[Customer]) -> Predictions:
        """Return a label for each customer.

        Raises:
            BadRequest: the endpoint does not take these values; the message says why.
            ServingUnreachable: no answer, or none with labels.
        """
        response = self._send("POST", self._endpoint, {"inputs": list(customers)})
        try:
            return _read(response)
        except (ValueError, KeyError, TypeError):  # another server, or a proxy's page
            raise ServingUnreachable(
                f"{self._endpoint} answers {response.status_code} without labels. Is it serving?"
            ) from None

    def version(self) -> int | None:
        """Return the number of the version that answers now; None while there is none.

        Raises:
            ServingUnreachable: nothing answers.
        """
        response = self._send("GET", str(httpx.URL(self._endpoint).copy_with(path="/ping")))
        number = response.headers.get("x-model-version")
        return int(number) if number else None

    def _send(self, method: str, url: str, request: object = None) -> httpx.Response:
        # Not httpx's own `json=`, which refuses the NaN of a missing value.
        content = None if request is None else json.dumps(request)
        try:
            return self._send_with_retry(method, url, content)
        except httpx.HTTPError as error:
            raise ServingUnreachable(
                f"{self._endpoint} does not answer ({type(error).__name__}). Is serving running?"
            ) from error

    def _send_with_retry(self, method: str, url: str, content: str | None) -> httpx.Response:
        """Send once more when the connection was just closed: a prediction may be asked twice."""
        try:
            return self._client.request(method, url, content=content, headers=JSON)
        except CONNECTION_LOST:
            return self._client.request(method, url, content=content, headers=JSON)


def _tls_context(ca: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca))
    except OSError as error:
        raise SettingsError(
            f"{ca} is no CA certificate that can be read: TERNA_ERP_CA names it."
        ) from error


def _read(response: httpx.Response) -> Predictions:
    if response.status_code == BadRequest.status:
        raise BadRequest(response.json()["message"])
    if response.status_code != httpx.codes.OK:
        raise ValueError(response.status_code)
    return Predictions(
        labels=response.json()["predictions"],
        model=response.headers["x-model-name"],
        version=int(response.headers["x-model-version"]),
    )
