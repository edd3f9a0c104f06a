"""The ERP's client of the serving endpoint, over verified TLS."""

import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import httpx

from terna.errors import BadRequest, ServingRefused, ServingUnreachable, SettingsError
from terna.security import tls_errors
from terna.settings import Erp

JSON = {"content-type": "application/json"}

CONNECTION_LOST = (
    httpx.RemoteProtocolError,
    httpx.ReadError,
    httpx.WriteError,
    httpx.ConnectError,
)
"""What httpx raises when the server closes a kept connection just as a request is sent on it, or a
new one just as it begins, as a worker of serving does that ends."""

REFUSED = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN, httpx.codes.TOO_MANY_REQUESTS)

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
        """Read the CA, the certificate and the API key. Connects to nothing yet.

        Raises:
            SettingsError: one of them cannot be read.
        """
        self._erp = erp
        self._endpoint = erp.endpoint
        self._authorization = authorization(erp)
        self._client = httpx.Client(verify=tls_context(erp), timeout=erp.timeout_seconds)

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
            ServingRefused: it does not take the API key; the message says why.
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
            ServingRefused: it does not take the API key; the message says why.
            ServingUnreachable: nothing answers.
        """
        response = self._send("GET", str(httpx.URL(self._endpoint).copy_with(path="/v2/models")))
        number = response.headers.get("x-model-version")
        return int(number) if number else None

    def _send(self, method: str, url: str, request: object = None) -> httpx.Response:
        # Not httpx's own `json=`, which refuses the NaN of a missing value.
        content = None if request is None else json.dumps(request)
        try:
            response = self._send_with_retry(method, url, content)
            if response.status_code == httpx.codes.UNAUTHORIZED and self._read_key_again():
                response = self._send_with_retry(method, url, content)
        except httpx.HTTPError as error:
            raise ServingUnreachable(_why_no_answer(self._endpoint, error)) from error
        if response.status_code in REFUSED:
            raise ServingRefused(f"{self._endpoint} refuses: {_message(response)}")
        return response

    def _read_key_again(self) -> bool:
        """Return whether the API key is another one by now."""
        before, self._authorization = self._authorization, authorization(self._erp)
        return self._authorization != before

    def _send_with_retry(self, method: str, url: str, content: str | None) -> httpx.Response:
        """Send once more when the connection was just closed: a prediction may be asked twice."""
        headers = JSON | self._authorization
        try:
            return self._client.request(method, url, content=content, headers=headers)
        except CONNECTION_LOST:
            return self._client.request(method, url, content=content, headers=headers)


def tls_context(erp: Erp) -> ssl.SSLContext:
    """Return what verifies the endpoint, and shows it the client's certificate where it has one.

    Raises:
        SettingsError: a file cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=str(erp.ca))
    except OSError as error:
        raise SettingsError(
            f"{erp.ca} is no CA certificate that can be read: TERNA_ERP_CA names it."
        ) from error
    if erp.certificate.exists():
        try:
            context.load_cert_chain(erp.certificate, erp.key)
        except OSError as error:
            raise SettingsError(
                f"{erp.certificate} and {erp.key} are no certificate and its key that can be read:"
                " TERNA_ERP_CERTIFICATE and TERNA_ERP_KEY name them."
            ) from error
    return context


def authorization(erp: Erp) -> dict[str, str]:
    """Return the header with the API key.

    Raises:
        SettingsError: its file cannot be read.
    """
    try:
        return {"authorization": f"Bearer {erp.api_key_file.read_text().strip()}"}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{erp.api_key_file} holds no API key that can be read: TERNA_ERP_API_KEY_FILE names"
            " it, and `terna certificates` makes it."
        ) from error


def _why_no_answer(endpoint: str, error: httpx.HTTPError) -> str:
    if "CERTIFICATE_REQUIRED" in str(error).upper().replace(" ", "_"):
        return (
            f"{endpoint} asks for a client certificate: TERNA_ERP_CERTIFICATE and TERNA_ERP_KEY"
            " name it."
        )
    why = tls_errors.explain(error) or "Is serving running?"
    return f"{endpoint} does not answer ({type(error).__name__}). {why}"


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"status {response.status_code}."


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
