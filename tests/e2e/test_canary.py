"""No value of one customer leaves server 1: two customers with unmistakable values show it.

One is among the training rows, one is held out. A number that identifies them is learned from, too.
"""

import gzip
import io
import json
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from tests.e2e.canary import Canary, table_with
from tests.e2e.stacks.compose import trusting
from tests.e2e.stacks.local import LocalStack
from tests.e2e.stacks.stack import Stack

MODEL = "canary"
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Served:
    """A stack whose model has learned from one canary and was judged by the other."""

    stack: Stack
    canaries: tuple[Canary, Canary]
    printed: str

    def found_in(self, content: bytes) -> list[str]:
        return [column for canary in self.canaries for column in canary.found_in(content)]

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        erp = self.stack.settings.erp
        url = httpx.URL(erp.endpoint).join(path)
        return httpx.request(method, url, verify=trusting(erp.ca), timeout=60, **request)


@pytest.fixture(scope="module")
def served(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Served:
    canaries = Canary.hatch(), Canary.hatch()
    file = tmp_path_factory.mktemp("canary") / "customers.csv"
    table_with(*canaries).to_csv(file, index=False)
    stack.serve(MODEL)
    about = ("--target", "left", "--holdout", "201-400", "--allow-identifier", "customer_id")
    data = stack.bring(file)
    printed = "".join(stack.train("--data", data, *about) for _ in "12")  # the second is compared
    stack.wait_for_version(2)
    return Served(stack, canaries, printed)


def test_all_columns_but_the_addresses_are_learned_from(served: Served) -> None:
    described = served.ask("GET", f"/v2/models/{MODEL}").json()
    columns = {tensor["name"] for tensor in described["inputs"]}
    assert columns == served.canaries[0].values.keys() - {"email"}
    assert "left out email: e-mail addresses" in served.printed


def test_no_value_of_a_canary_is_kept_outside_server_1(served: Served) -> None:
    kept = dict(served.stack.kept_outside_server_1())
    assert len(kept) > 5
    assert not {
        place: found for place, content in kept.items() if (found := served.found_in(content))
    }


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", f"/v2/models/{MODEL}"])
def test_no_value_of_a_canary_is_in_what_serving_tells(served: Served, path: str) -> None:
    told = served.ask("GET", path)
    assert told.status_code == 200
    assert not served.found_in(told.content)


def test_no_value_of_a_canary_is_printed(served: Served) -> None:
    assert "prepared" in served.printed
    assert not served.found_in(served.printed.encode())


def test_no_value_of_a_canary_that_is_asked_about_is_kept(served: Served) -> None:
    """In requests that are answered, by the compiled model or by pyfunc, and in those that fail."""
    asked = Canary.hatch()
    row, text = asked.values, json.dumps(asked.values)
    broken = {**row, "calls": row["surname"]}
    for path, body in (
        ("/invocations", {"dataframe_records": [row]}),
        ("/invocations", {"dataframe_records": [{**row, "calls": str(row["calls"])}]}),
        ("/invocations", {"dataframe_records": [broken]}),
        ("/invocations", {"dataframe_records": [{**row, str(row["surname"]): 1}]}),
        (f"/invocations?name={row['surname']}", {"inputs": text}),
        (f"/v2/models/{MODEL}/infer", {"inputs": [{"name": row["surname"], "data": text}]}),
        (f"/v2/models/{MODEL}/infer?name={row['surname']}", {"id": "1", "inputs": []}),
    ):
        served.ask("POST", path, content=json.dumps(body), headers=JSON)
        served.ask("POST", path, content=json.dumps(body).ljust(300_000), headers=JSON)
        served.ask("POST", path, content=json.dumps(body)[:-2], headers=JSON)
    kept = served.stack.kept_outside_server_1()
    assert not {place: found for place, content in kept if (found := asked.found_in(content))}


@pytest.mark.only_on("local")
def test_files_of_the_local_servers_are_their_owners_own(local_stack: LocalStack) -> None:
    kept = [local_stack.root / ".terna", *(local_stack.root / ".terna").rglob("*")]
    open_to_others = {
        str(path): oct(stat.S_IMODE(path.stat().st_mode))
        for path in kept
        if path.stat().st_mode & 0o077
    }
    assert len(kept) > 10
    assert not open_to_others


# ---- the search itself --------------------------------------------------------------------------


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("part", content)
    return file.getvalue()


def as_arrays(table: pd.DataFrame) -> bytes:
    return b"".join(np.asarray(column).tobytes() for _, column in table.items())


@pytest.mark.only_on("local")
@pytest.mark.parametrize(
    "write",
    [
        lambda table: table.to_csv().encode(),
        lambda table: table.to_json().encode(),
        lambda table: table.to_parquet(),
        lambda table: gzip.compress(table.to_csv().encode()),
        lambda table: zipped(zipped(table.to_csv().encode())),
    ],
    ids=["csv", "json", "parquet", "gzip", "zip in zip"],
)
def test_search_finds_every_value_of_a_canary(write: Callable[[pd.DataFrame], bytes]) -> None:
    canary = Canary.hatch()
    content = write(table_with(canary, Canary.hatch()))
    assert canary.found_in(content) == list(canary.values)
    assert not Canary.hatch().found_in(content)


@pytest.mark.only_on("local")
def test_search_finds_numbers_of_an_array() -> None:
    canary = Canary.hatch()
    numbers = table_with(canary, Canary.hatch())[["minutes", "calls"]]
    assert canary.found_in(zipped(as_arrays(numbers))) == ["minutes", "calls"]
