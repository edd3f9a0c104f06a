"""Labels for the ERP's customers, asked over verified TLS."""

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

CUT_OFF = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
"""How a question ends on a kept connection that the endpoint was just closing."""

Customer = Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True)
class Predictions:
    """One label a customer, and the version that gave them."""

    labels: list[Any]
    model: str
    version: int


class Client:
    """A client of the serving endpoint; keeps its connection. Use it in a `with` block.

    Raises:
        SettingsError: there is no CA to verify the endpoint with.
    """

    def __init__(self, erp: Erp) -> None:
        self._endpoint = erp.endpoint
        self._client = httpx.Client(verify=_trusting(erp.ca), timeout=erp.timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, customers: Sequence[Customer]) -> Predictions:
        """A label for each customer.

        Args:
            customers: raw feature values in the signature's order, or by name.

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
        """The version that answers now; None while there is none.

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
            return self._ask_again_if_cut_off(method, url, content)
        except httpx.HTTPError as error:
            raise ServingUnreachable(
                f"{self._endpoint} does not answer ({type(error).__name__}). Is serving running?"
            ) from error

    def _ask_again_if_cut_off(self, method: str, url: str, content: str | None) -> httpx.Response:
        """Ask twice at most: a kept connection may just be ending, and labels stay the same."""
        try:
            return self._client.request(method, url, content=content, headers=JSON)
        except CUT_OFF:
            return self._client.request(method, url, content=content, headers=JSON)


def _trusting(ca: Path) -> ssl.SSLContext:
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
