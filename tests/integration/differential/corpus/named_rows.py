"""Rows of named columns: in each form, of other types and of other columns."""

import json
from collections.abc import Iterator
from typing import Any

from tests.integration.differential.corpus.case import (
    AZURE,
    JSON,
    MISSING_TEXT,
    POSITIONAL,
    SECRET,
    SHORT,
    Case,
    as_json,
)

ROW = [120.5, "basic", 3, True]
NAMES = ["minutes", "plan", "calls", "vip"]
RECORD = dict(zip(NAMES, ROW, strict=True))


def _split(*rows: Any, columns: Any = NAMES, **more: Any) -> bytes:
    return as_json(dataframe_split={"columns": columns, "data": rows, **more})


def _changed(**values: Any) -> bytes:
    """One row of the churn model with some other values, as a data frame."""
    return _split(list((RECORD | values).values()))


def _records(**values: Any) -> bytes:
    """The same as `inputs`, which MLflow reads by NumPy and not by pandas."""
    return as_json(inputs=[RECORD | values])


def forms() -> Iterator[Case]:
    other = [None, "extra", 5, False]
    records = [RECORD, dict(zip(NAMES, [80, "extra", 5, False], strict=True))]
    columns = {name: [record[name] for record in records] for name in NAMES}
    yield Case("a data frame as split", "churn", _split(ROW, other))
    yield Case("columns in another order", "churn", _split(ROW[::-1], columns=NAMES[::-1]))
    yield Case("a column too many", "churn", _split([*ROW, SECRET], columns=[*NAMES, "who"]))
    yield Case("an index", "churn", _split(ROW, other, index=["a", "b"]))
    yield Case("an index of numbers", "churn", _split(ROW, other, index=[7, -1]))
    yield Case("an index with a name twice", "churn", _split(ROW, other, index=["a", "a"]))
    yield Case("an index that is null", "churn", _split(ROW, other, index=None))
    yield Case("an index of levels", "churn", _split(ROW, other, index=[["a", "b"], [1, 2]]))
    yield Case("an index without names", "churn", _split(ROW, other, index=["a", None]))
    yield Case("an index of another length", "churn", _split(ROW, other, index=[1]))
    yield Case("columns that are null", "churn", _split(ROW, columns=None), JSON, POSITIONAL)
    yield Case("records", "churn", as_json(dataframe_records=records))
    yield Case(
        "records with one name too many", "churn", as_json(dataframe_records=[RECORD | {"x": [1]}])
    )
    yield Case("inputs as records", "churn", as_json(inputs=records))
    yield Case("inputs as columns", "churn", as_json(inputs=columns))
    yield Case("inputs as one value a column", "churn", as_json(inputs=RECORD))
    yield Case("instances as records", "churn", as_json(instances=records))
    yield Case("instances as columns", "churn", as_json(instances=columns))
    yield Case("inputs with a nested value too many", "churn", _records(who=[[1], [2, 3]]))
    yield Case(
        "records of unlike names", "churn", as_json(dataframe_records=[RECORD, {"calls": 3}])
    )
    yield Case("instances of unlike names", "churn", as_json(instances=[RECORD, {"calls": 3}]))
    yield Case("columns of unlike length", "churn", as_json(inputs=columns | {"calls": [1]}))
    yield Case("rows in the signature's order", "churn", as_json(inputs=[ROW]), JSON, POSITIONAL)
    yield Case(
        "instances in the signature's order", "churn", as_json(instances=[ROW]), JSON, POSITIONAL
    )
    yield Case("Azure's data", "churn", as_json(data=[ROW]), JSON, AZURE)
    yield Case("Azure's data as records", "churn", as_json(data=records), JSON, AZURE)
    azure = {"columns": NAMES, "index": [0], "data": [ROW]}
    yield Case("Azure's input_data", "churn", as_json(input_data=azure), JSON, AZURE)
    yield Case("Azure's input_data as columns", "churn", as_json(input_data=columns), JSON, AZURE)
    yield Case(
        "Azure's data beside MLflow's", "churn", as_json(data=SECRET, dataframe_records=[RECORD])
    )
    yield Case(
        "a row in the signature's order that is short",
        "churn",
        as_json(inputs=[ROW[:3]]),
        JSON,
        SHORT,
    )
    yield Case(
        "rows of unlike length in order", "churn", as_json(inputs=[ROW, ROW[:3]]), JSON, SHORT
    )
    yield Case(
        "a key that nobody knows", "churn", as_json(dataframe_records=[RECORD], comment=SECRET)
    )
    yield Case(
        "params of a model that takes none",
        "churn",
        as_json(dataframe_records=[RECORD], params={"who": SECRET}),
    )
    yield Case(
        "params that are no object", "churn", as_json(dataframe_records=[RECORD], params=SECRET)
    )
    yield Case(
        "one row",
        "boosted",
        as_json(dataframe_split={"columns": ["x", "y", "z"], "data": [[1, 2, 3]]}),
    )
    yield Case(
        "many rows",
        "boosted",
        as_json(
            dataframe_split={
                "columns": ["x", "y", "z"],
                "data": [[i / 7, 0.1, -i] for i in range(50)],
            }
        ),
    )
    yield Case("a missing number", "boosted", as_json(inputs=[{"x": None, "y": 1.5, "z": 2}]))


ODD_VALUES: dict[str, dict[str, Any]] = {
    "an int where a double is wanted": {"minutes": 120},
    "a null where a double is wanted": {"minutes": None},
    "a text where a double is wanted": {"minutes": SECRET},
    "a number's text where a double is wanted": {"minutes": "120.5"},
    "a truth where a double is wanted": {"minutes": True},
    "a list where a double is wanted": {"minutes": [120.5]},
    "an object where a double is wanted": {"minutes": {"who": SECRET}},
    "a huge whole number where a double is wanted": {"minutes": 10**400},
    "a number that float32 cannot hold": {"minutes": 1e300},
    "a whole double where a long is wanted": {"calls": 3.0},
    "a double where a long is wanted": {"calls": 3.7},
    "a null where a long is wanted": {"calls": None},
    "a text where a long is wanted": {"calls": SECRET},
    "a number's text where a long is wanted": {"calls": "3"},
    "a truth where a long is wanted": {"calls": True},
    "a number that a long cannot hold": {"calls": 2**63},
    "a number that NumPy cannot hold": {"calls": 2**64},
    "an int where a text is wanted": {"plan": 4711},
    "a double where a text is wanted": {"plan": 4711.25},
    "a truth where a text is wanted": {"plan": False},
    "a list where a text is wanted": {"plan": [SECRET]},
    "an unknown text": {"plan": "client — 客"},
    "an empty text": {"plan": ""},
    "a text that ends in NUL": {"plan": "basic\0"},
    "half a character": {"plan": "\ud800"},
    "an int where a truth is wanted": {"vip": 1},
    "a null where a truth is wanted": {"vip": None},
    "a text where a truth is wanted": {"vip": "false"},
    "a double where a truth is wanted": {"vip": 0.0},
}


def types() -> Iterator[Case]:
    """Values of another type than their column's."""
    for name, values in ODD_VALUES.items():
        yield Case(name, "churn", _changed(**values))
        yield Case(f"{name}, as inputs", "churn", _records(**values))
    yield Case("one wrong value of two", "churn", _split(ROW, [SECRET, *ROW[1:]]))
    yield Case("NaN as Python writes it", "churn", _changed(minutes=float("nan")))
    yield Case("Infinity as Python writes it", "churn", _changed(minutes=float("inf")))
    yield Case("NaN for a long", "churn", _changed(calls=float("nan")))
    yield Case(
        "a number too large for JSON's readers", "churn", _changed().replace(b"120.5", b"1e999")
    )
    yield Case("a missing text beside a text", "words", _words(["a"], [None]))
    yield Case("a missing text alone", "words", _words([None]), JSON, MISSING_TEXT)
    yield Case("NaN for a text alone", "words", _words([float("nan")]))
    yield Case(
        "a missing text as inputs", "words", as_json(inputs=[{"text": None}]), JSON, MISSING_TEXT
    )
    yield Case(
        "a missing text in a column",
        "words",
        as_json(inputs={"text": ["a", None]}),
        JSON,
        MISSING_TEXT,
    )
    yield Case(
        "a missing text as instances",
        "words",
        as_json(instances=[{"text": None}]),
        JSON,
        MISSING_TEXT,
    )


def _words(*rows: list[Any]) -> bytes:
    return as_json(dataframe_split={"columns": ["text"], "data": rows})


def signatures() -> Iterator[Case]:
    """Columns that are missing, named twice or not named."""
    yield Case("a missing required column", "churn", _split(ROW[:3], columns=NAMES[:3]))
    yield Case(
        "a missing required column in records",
        "churn",
        as_json(dataframe_records=[{"plan": SECRET, "vip": True}]),
    )
    yield Case("a missing and an extra column", "churn", as_json(inputs=[{"plan": "a", SECRET: 1}]))
    yield Case("a column named twice", "churn", _split([*ROW, 1], columns=[*NAMES, "calls"]))
    yield Case("columns that are numbers", "churn", _split(ROW, columns=[0, 1, 2, 3]))
    yield Case("columns that are lists", "churn", _split(ROW, columns=[["a"], ["b"], ["c"], ["d"]]))
    yield Case("a row that is short", "churn", _split(ROW, ROW[:2]))
    yield Case("a row that is long", "churn", _split(ROW, [*ROW, SECRET]))
    yield Case("rows that are no lists", "churn", _split(1, 2))
    yield Case("no rows", "churn", _split())
    yield Case("no records", "churn", as_json(dataframe_records=[]))
    yield Case("no inputs", "churn", as_json(inputs=[]))
    yield Case("empty columns", "churn", as_json(inputs={name: [] for name in NAMES}))
    yield Case("values of one column", "words", as_json(inputs=["a", "b"]))
    yield Case("instances of one column", "words", as_json(instances=["a", "b"]))
    yield Case("lists of one column", "words", as_json(inputs=[["a"], ["b"]]))
    yield Case("one text", "words", as_json(inputs="a"))
    yield Case("a number for one text", "words", as_json(inputs=[1, 2]))


def wrong_documents() -> Iterator[Case]:
    yield Case("no form", "churn", as_json(rows=[ROW]))
    yield Case("an empty object", "churn", b"{}")
    yield Case("two forms", "churn", as_json(inputs=[RECORD], instances=[RECORD]))
    yield Case("a form that is null", "churn", as_json(inputs=None))
    yield Case("a form that is a number", "churn", as_json(instances=7))
    yield Case("a form that is a text", "churn", as_json(inputs=SECRET))
    yield Case("a split that is a list", "churn", as_json(dataframe_split=[ROW]))
    yield Case("a split without data", "churn", as_json(dataframe_split={"columns": NAMES}))
    yield Case("a split with a key too many", "churn", _split(ROW, who=SECRET))
    yield Case("a split whose columns are a text", "churn", _split(ROW, columns="minutes"))
    yield Case("records that are an object", "churn", as_json(dataframe_records=RECORD))
    yield Case("records that are lists", "churn", as_json(dataframe_records=[ROW]))
    yield Case("records among lists", "churn", as_json(inputs=[RECORD, ROW]))
    yield Case("a nested list too deep", "churn", as_json(inputs=[[[ROW]]]), JSON, SHORT)
    yield Case("TensorFlow's signature_name", "churn", as_json(inputs=[RECORD], signature_name="x"))
    for kind in ([1], "text", 7, None, True):
        yield Case(f"a body that is {kind!r}", "churn", json.dumps(kind).encode())


ODD_NUMBERS: dict[str, list[Any]] = {
    "numbers of every width": [80.1, 3, 12.5],
    "ints for floats": [80, 3, 12],
    "a double that float32 rounds": [16777217.5, 3, 0.1],
    "a number that 32 bits cannot hold": [80.1, 2**40, 12.5],
    "a double for an integer": [80.1, 3.9, 12.5],
    "a null for a double": [80.1, 3, None],
}


def numbers() -> Iterator[Case]:
    names = ["area", "rooms", "age"]
    for name, row in ODD_NUMBERS.items():
        record = dict(zip(names, row, strict=True))
        yield Case(name, "price", as_json(dataframe_split={"columns": names, "data": [row]}))
        yield Case(f"{name}, as inputs", "price", as_json(inputs=[record]))
        yield Case(
            f"{name}, as columns", "price", as_json(inputs={n: [v] for n, v in record.items()})
        )
