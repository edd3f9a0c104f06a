"""The client with which any ERP asks for labels, over verified TLS. It needs httpx alone.

`Client` and `AsyncClient` send what `terna.erp.exchange` asks, each in its own way.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Self

import httpx

from terna.erp.connection import Connection, tls_context
from terna.erp.exchange import Call, Customer, Exchange, Outcome, Request, Result
from terna.erp.predictions import Prediction, Predictions

__all__ = ["AsyncClient", "Client", "Connection", "Customer", "Prediction", "Predictions"]

BATCH = 500
"""Customers in one request."""


class Client:
    """A client that keeps its connection. Use it in a `with` block; threads may share it."""

    def __init__(self, connection: Connection) -> None:
        """Read the CA, the certificate and the API key. Connects to nothing yet.

        Raises:
            SettingsError: one of them cannot be read.
        """
        self._exchange = Exchange(connection)
        self._http = httpx.Client(**_options(connection))

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._http.close()

    def predict(
        self,
        customers: Sequence[Customer],
        probabilities: bool = False,
        ids: Sequence[str] | None = None,
    ) -> Predictions:
        """Return a label for each customer, all by one version.

        They are sent in one request; with `probabilities` in two, which are repeated where
        another version answers the second.

        Args:
            ids: a text for each customer, which stands for it outside of the ERP; it is sent as
                the row's name, the `index` of MLflow's `dataframe_split`, and changes no label.
                The columns then are all names that a customer has, null where another has none;
                customers that are lists are sent without names.

        Raises:
            ValueError: as many `ids` as customers are needed, and customers that are either all
                lists or all have names.
            RequestError: the endpoint does not take these values, or fails on them; its subclass
                and its message say why.
            ServingRefused: it does not take the API key; the message says why.
            ServingUnavailable: it was busy until the deadline.
            ServingUnreachable: no answer, or none with labels.
        """
        return self._carry_out(self._exchange.predict(customers, probabilities, ids))

    def predict_in_batches(
        self,
        customers: Iterable[Customer],
        probabilities: bool = False,
        size: int = BATCH,
        ids: Iterable[str] | None = None,
    ) -> Iterator[Predictions]:
        """Yield the labels of so many customers at a time, in their order; a version each time.

        The next ones are asked for when the caller wants them.

        Raises:
            As `predict`.
        """
        for batch, names in _batches(customers, ids, size):
            yield self.predict(batch, probabilities, names)

    def version(self) -> int | None:
        """Return the number of the version that answers now; None while there is none.

        Raises:
            ServingRefused: it does not take the API key; the message says why.
            ServingUnreachable: nothing answers.
        """
        return self._carry_out(self._exchange.version())

    def description(self) -> dict[str, Any]:
        """Return the OpenAPI document of the version that answers now.

        Raises:
            ServingRefused: it does not take the API key; the message says why.
            ServingUnavailable: there is no version yet.
            ServingUnreachable: no answer, or none that is such a document.
        """
        return self._carry_out(self._exchange.description())

    def _carry_out(self, call: Call[Result]) -> Result:
        try:
            request = next(call)
            while True:
                request = call.send(self._send(request))
        except StopIteration as end:
            result: Result = end.value
            return result

    def _send(self, request: Request) -> Outcome:
        time.sleep(request.after)
        try:
            return self._http.request(**_sent(request))
        except httpx.HTTPError as error:
            return error


class AsyncClient:
    """The same for asyncio. Use it in an `async with` block; tasks may share it."""

    def __init__(self, connection: Connection) -> None:
        """Read the same files as `Client` does, and raise the same."""
        self._exchange = Exchange(connection)
        self._http = httpx.AsyncClient(**_options(connection))

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connection."""
        await self._http.aclose()

    async def predict(
        self,
        customers: Sequence[Customer],
        probabilities: bool = False,
        ids: Sequence[str] | None = None,
    ) -> Predictions:
        """Return what `Client.predict` does, and raise the same."""
        return await self._carry_out(self._exchange.predict(customers, probabilities, ids))

    async def predict_in_batches(
        self,
        customers: Iterable[Customer],
        probabilities: bool = False,
        size: int = BATCH,
        ids: Iterable[str] | None = None,
    ) -> AsyncIterator[Predictions]:
        """Yield what `Client.predict_in_batches` does, and raise the same."""
        for batch, names in _batches(customers, ids, size):
            yield await self.predict(batch, probabilities, names)

    async def version(self) -> int | None:
        """Return what `Client.version` does, and raise the same."""
        return await self._carry_out(self._exchange.version())

    async def description(self) -> dict[str, Any]:
        """Return what `Client.description` does, and raise the same."""
        return await self._carry_out(self._exchange.description())

    async def _carry_out(self, call: Call[Result]) -> Result:
        try:
            request = next(call)
            while True:
                request = call.send(await self._send(request))
        except StopIteration as end:
            result: Result = end.value
            return result

    async def _send(self, request: Request) -> Outcome:
        await asyncio.sleep(request.after)
        try:
            return await self._http.request(**_sent(request))
        except httpx.HTTPError as error:
            return error


def _options(connection: Connection) -> dict[str, Any]:
    return {"verify": tls_context(connection), "timeout": connection.timeout_seconds}


def _sent(request: Request) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.url,
        "content": request.content,
        "headers": request.headers,
    }


def _batches(
    customers: Iterable[Customer], ids: Iterable[str] | None, size: int
) -> Iterator[tuple[list[Customer], list[str] | None]]:
    left, names = iter(customers), None if ids is None else iter(ids)
    while batch := list(islice(left, size)):
        yield batch, None if names is None else list(islice(names, len(batch)))
