"""Columns with lists, objects and maps in them, and columns of moments."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from tests.integration.differential.corpus.case import CSV, PARQUET, SECRET, Case, as_json, parquet

ADA: dict[str, Any] = {
    "name": "Ada",
    "history": [1.5, 2, 0.1],
    "address": {"city": "Köln", "number": 7, "tags": ["a", "b"]},
    "usage": {"mail": 1.5, "web": 2.5},
    "orders": [{"item": "x", "count": 1}, {"item": "y", "count": 2}],
}
BOB: dict[str, Any] = {"name": "Bob", "history": [], "address": {"city": "Bonn"}}

NESTED: dict[str, dict[str, Any]] = {
    "every column": {},
    "no optional column": {"usage": None, "orders": None},
    "an empty list": {"history": []},
    "ints in a list of doubles": {"history": [1, 2, 3]},
    "a null in a list of doubles": {"history": [1.5, None]},
    "a text in a list of doubles": {"history": [1.5, SECRET]},
    "truths in a list of doubles": {"history": [True, False]},
    "lists in a list of doubles": {"history": [[1.5], [2.5]]},
    "a double for a list": {"history": 1.5},
    "a text for a list": {"history": SECRET},
    "a null for a list": {"history": None},
    "an object without what is optional": {"address": {"city": "Bonn"}},
    "an object without what is required": {"address": {"number": 7}},
    "an object with more than is known": {"address": {"city": "Bonn", "who": SECRET}},
    "an object with a text for a long": {"address": {"city": "Bonn", "number": SECRET}},
    "an object with a double for a long": {"address": {"city": "Bonn", "number": 7.5}},
    "an object with an int for a text": {"address": {"city": 7}},
    "an object with a null for a text": {"address": {"city": None}},
    "an object with a text for a list": {"address": {"city": "Bonn", "tags": SECRET}},
    "a list for an object": {"address": ["Bonn", 7]},
    "a text for an object": {"address": SECRET},
    "a null for an object": {"address": None},
    "an empty map": {"usage": {}},
    "a map of ints": {"usage": {"mail": 1}},
    "a map of a double and an int": {"usage": {"mail": 1.5, "web": 1}},
    "a map with a null": {"usage": {"mail": None}},
    "a map with a text": {"usage": {"mail": SECRET}},
    "a list for a map": {"usage": [1.5]},
    "no objects in a list": {"orders": []},
    "an object in a list without what is required": {"orders": [{"item": "x"}]},
    "an object in a list with a text for a long": {"orders": [{"item": "x", "count": SECRET}]},
    "an object for a list of objects": {"orders": {"item": "x", "count": 1}},
}


def nested() -> Iterator[Case]:
    for name, values in NESTED.items():
        record = ADA | values
        for form in ("dataframe_records", "inputs", "instances"):
            yield Case(f"{name}, as {form}", "nested", as_json(**{form: [record]}))
    full = BOB | {"usage": {}, "orders": []}
    columns = {name: [ADA[name], full[name]] for name in ADA}
    split = {"columns": list(ADA), "data": [list(ADA.values()), list(full.values())]}
    yield Case("rows as split", "nested", as_json(dataframe_split=split))
    for form in ("dataframe_records", "inputs", "instances"):
        yield Case(f"rows as {form}", "nested", as_json(**{form: [ADA, full]}))
        yield Case(f"rows of unlike names as {form}", "nested", as_json(**{form: [ADA, BOB]}))
        yield Case(f"no optional column at all as {form}", "nested", as_json(**{form: [BOB]}))
    for form in ("inputs", "instances"):
        yield Case(f"columns as {form}", "nested", as_json(**{form: columns}))
        yield Case(f"one row without a list as {form}", "nested", as_json(**{form: ADA}))
    yield Case("without a nested column", "nested", as_json(inputs=[{"name": "Ada"}]))
    yield from _nested_files()


def _nested_files() -> Iterator[Case]:
    """Tables whose cells are lists and objects, to the nested model and to one without a schema."""
    plain = pd.DataFrame([ADA, ADA])
    tables = {
        "nested columns": plain,
        "nested columns without the optional ones": plain[list(BOB)],
        "nested columns with a null": pd.DataFrame([ADA, ADA | {"history": None}]),
        "nested columns of another type": plain.assign(
            history=pd.Series([["a"], ["b"]], dtype=object)
        ),
        "a list for an object": plain.assign(address=pd.Series([[1], [2]], dtype=object)),
        "lists of lists": plain.assign(history=pd.Series([[[1.5]], [[2.5]]], dtype=object)),
        "moments": pd.DataFrame({"when": pd.date_range("2026-11-21", periods=2, tz="UTC")}),
        "durations": pd.DataFrame({"lasts": pd.to_timedelta(["1 day", "90 s"])}),
        "categories": pd.DataFrame({"plan": pd.Categorical(["a", None])}),
        "an index": pd.DataFrame({"a": [1.5, 2.5]}, index=pd.Index(["x", "y"], name="who")),
        "numbers that may be missing": pd.DataFrame({"a": pd.array([1, None], "Int32")}),
        "no columns": pd.DataFrame(index=[0, 1]),
        "no rows": plain[:0],
    }
    for name, table in tables.items():
        for model in ("nested", "anything"):
            yield Case(f"Parquet: {name}", model, parquet(table), PARQUET)
    for model in ("nested", "anything"):
        yield Case("CSV: nested columns", model, plain.to_csv(index=False).encode(), CSV)


MOMENTS: dict[str, Any] = {
    "a day": "2026-11-21",
    "a moment with its zone": "2026-11-21T08:30:00+02:00",
    "a moment in UTC": "2026-11-21T08:30:00Z",
    "a moment with nanoseconds": "2026-11-21T08:30:00.123456789",
    "a moment as Americans write it": "11/21/2026 08:30",
    "a day before the epoch": "1900-01-01",
    "a day that nanoseconds cannot hold": "9999-12-31",
    "a day that is none": "2026-02-30",
    "a text": SECRET,
    "an empty text": "",
    "a null": None,
    "milliseconds": 1795248000000,
    "a double": 1.5,
    "a truth": True,
    "a list": ["2026-11-21"],
}


def moments() -> Iterator[Case]:
    """Moments in every form, alone and beside others."""
    good = {"since": "2026-11-20T00:00:00", "until": "2026-11-21T00:00:00", "amount": 1.5}
    for name, moment in MOMENTS.items():
        record = good | {"since": moment}
        yield Case(f"{name} for a moment", "dates", as_json(dataframe_records=[record]))
        yield Case(f"{name} beside moments", "dates", as_json(dataframe_records=[good, record]))
        yield Case(f"{name} for a moment, as inputs", "dates", as_json(inputs=[record]))
        yield Case(
            f"{name} in a column", "dates", as_json(inputs={k: [v] for k, v in record.items()})
        )
        yield Case(f"{name} for a moment, as instances", "dates", as_json(instances=[record]))
