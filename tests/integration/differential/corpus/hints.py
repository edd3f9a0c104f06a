"""Whatever is sent to models whose schema is their type hint."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from tests.integration.differential.corpus.case import CSV, PARQUET, SECRET, Case, as_json, parquet

ADA: dict[str, Any] = {"name": "Ada", "minutes": 1.5}

VALUES: dict[str, dict[str, Any]] = {
    "hinted": {
        "no texts": [],
        "a null for a text": ["a", None],
        "a list for a text": [["a"]],
        "texts in an object": {"text": ["a"]},
        "a text with half a character": ["\ud800"],
        "a truth for a text": [True],
    },
    "hinted_records": {
        "a record": [{"a": 1.5}],
        "records of unlike names": [{"a": 1.5}, {"b": 2, "c": 0.1}],
        "an empty record": [{}],
        "no records": [],
        "a record without a list": {"a": 1.5},
        "an int for a double": [{"a": 1}],
        "a text for a double": [{"a": SECRET}],
        "a number's text for a double": [{"a": "1.5"}],
        "a null for a double": [{"a": None}],
        "a truth for a double": [{"a": True}],
        "a list for a record": [[1.5]],
        "a text for a record": [SECRET],
        "a null": None,
        "a number": 7,
    },
    "hinted_customers": {
        "what is required": [ADA],
        "every field": [
            ADA
            | {
                "vip": True,
                "since": "2026-11-21T08:30:00+02:00",
                "orders": [{"item": "x"}, {"item": "y", "count": 3}],
            }
        ],
        "two customers": [ADA, {"name": "Bob", "minutes": 2, "vip": None}],
        "no customers": [],
        "a customer without a list": ADA,
        "a field too many": [ADA | {"who": SECRET}],
        "a missing field": [{"name": "Ada"}],
        "a missing field within": [ADA | {"orders": [{"count": 1}]}],
        "a text for a double": [ADA | {"minutes": SECRET}],
        "a number's text for a double": [ADA | {"minutes": "1.5"}],
        "an int for a text": [ADA | {"name": 4711}],
        "a null for a double": [ADA | {"minutes": None}],
        "a number for a moment": [ADA | {"since": 1795248000}],
        "a text for a moment": [ADA | {"since": SECRET}],
        "a text for a truth": [ADA | {"vip": "yes"}],
        "a list for a customer": [["Ada", 1.5]],
        "texts": [SECRET],
        "a null": None,
    },
    "hinted_anything": {
        "texts": ["a", "b"],
        "numbers": [1, 2.5, 10**20],
        "mixed values": [1, "a", None, True, [1], {"a": 1}],
        "records": [ADA, {"b": [1]}],
        "nothing": [],
        "a scalar": 7,
        "a text": "a",
        "a record": ADA,
        "a null": None,
        "an infinite number": [float("inf"), float("nan")],
    },
}


def hints() -> Iterator[Case]:
    """Each value as MLflow's only form for type hints, and a few in other forms."""
    for model, values in VALUES.items():
        for name, value in values.items():
            yield Case(f"{name} as inputs", model, as_json(inputs=value))
        first = next(value for value in values.values() if value)
        yield Case("the first as instances", model, as_json(instances=first))
        yield Case("the first as records", model, as_json(dataframe_records=first))
        split = {"columns": ["a"], "data": [[1.5], [2.5]]}
        yield Case("rows as split", model, as_json(dataframe_split=split))
        yield Case("the first with params", model, as_json(inputs=first, params={"n": 2}))
        yield Case("the first with a key too many", model, as_json(inputs=first, who=SECRET))
        yield Case("two forms", model, as_json(inputs=first, instances=first))
        yield Case("no form", model, as_json(rows=first))
        yield Case("a table as CSV", model, b"a,b\n1.5,x\n", CSV)
        table = pd.DataFrame({"a": [1.5, 2.5]})
        yield Case("a table as Parquet", model, parquet(table), PARQUET)
        table = pd.DataFrame({"name": ["Ada"], "minutes": [1.5]})
        yield Case("a customer as Parquet", model, parquet(table), PARQUET)
        yield Case("a customer as CSV", model, table.to_csv(index=False).encode(), CSV)
