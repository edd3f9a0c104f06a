"""Requests that the compiled model leaves to pyfunc, which child processes answer."""

import csv
import io
import json

import httpx

from bench import memory
from bench.memory import Memory
from bench.systems import JSON, System
from terna.errors import TernaError

TIMES = 20
"""How often each is asked before memory is read."""


def memory_after(system: System) -> Memory:
    """Ask each request several times, and return the memory of the worker that took them.

    Raises:
        TernaError: one is answered by a status that says that the server failed.
    """
    with system.client() as client:
        for _ in range(TIMES):
            for request in _requests(system):
                if client.send(request).is_server_error:
                    raise TernaError(f"{system.name} fails on {request.url.path}.")
    return memory.of(system)


def csv_request(system: System) -> httpx.Request:
    """Return the first customer as CSV."""
    text = io.StringIO()
    csv.writer(text).writerows([system.model.columns, system.model.customers[0]])
    return httpx.Request(
        "POST", system.url, content=text.getvalue(), headers={"content-type": "text/csv"}
    )


def _requests(system: System) -> list[httpx.Request]:
    """CSV, a missing value, a body without rows, and the Open Inference Protocol."""
    first, columns = system.model.customers[0], system.model.columns
    missing = system.model.body([[None, *first[1:]]])
    url = httpx.URL(system.url)
    infer = url.copy_with(path=f"/v2/models/{system.model.name}/infer")
    tensors = [
        {"name": name, "shape": [1], "datatype": _datatype(cell), "data": [cell]}
        for name, cell in zip(columns, first, strict=True)
    ]
    return [
        csv_request(system),
        httpx.Request("POST", url, content=missing, headers=JSON),
        httpx.Request("POST", url, content=b"{}", headers=JSON),
        httpx.Request("POST", infer, content=json.dumps({"inputs": tensors}), headers=JSON),
    ]


def _datatype(cell: object) -> str:
    return {str: "BYTES", bool: "BOOL", int: "INT64"}.get(type(cell), "FP64")
