"""Requests, good and bad, that Terna and `mlflow models serve` must answer alike.

A case that is `OnPurpose` says why Terna answers otherwise, and with which status.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pandas as pd

JSON = "application/json"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"

SECRET = "Ada-Lovelace-0815"
"""A customer's value, which no error may repeat."""


@dataclass(frozen=True)
class OnPurpose:
    """Terna's status, and why it is not MLflow's, or why the body is another."""

    status: int
    why: str


@dataclass(frozen=True)
class Case:
    name: str
    model: str
    body: bytes
    content_type: str | None = JSON
    differs: OnPurpose | None = None

    def __str__(self) -> str:
        return f"{self.model}: {self.name}"


POSITIONAL = OnPurpose(200, "rows in the signature's order are taken; MLflow wants names")
AZURE = OnPurpose(200, "Azure's names for the rows are taken; MLflow knows its own only")
MISSING_TEXT = OnPurpose(200, 'a missing text stays missing; MLflow makes "None" or None of it')
CRASH = OnPurpose(400, "a client's mistake is no server error, as it is where MLflow breaks on it")
SHORT = OnPurpose(400, "one error code for rows in order that are short, whatever is in them")
UNTYPED = OnPurpose(415, "a request without content type is no server error")


def corpus() -> list[Case]:
    return [
        *(Case(*case) for case in _json_cases()),
        *_content_types(),
        *_tables(),
        *_broken_bodies(),
        *_outputs(),
    ]


ROW = [120.5, "basic", 3, True]
NAMES = ["minutes", "plan", "calls", "vip"]
RECORD = dict(zip(NAMES, ROW, strict=True))


def _split(*rows: Any, columns: Any = NAMES, **more: Any) -> bytes:
    return _body(dataframe_split={"columns": columns, "data": rows, **more})


def _changed(**values: Any) -> bytes:
    """One row of the churn model with some other values, as a data frame."""
    return _split(list((RECORD | values).values()))


def _records(**values: Any) -> bytes:
    """The same as `inputs`, which MLflow reads by NumPy and not by pandas."""
    return _body(inputs=[RECORD | values])


def _body(**document: Any) -> bytes:
    return json.dumps(document).encode()


def _json_cases() -> Iterator[tuple[Any, ...]]:
    yield from _forms()
    yield from _types()
    yield from _signatures()
    yield from _wrong_documents()
    yield from _numbers()
    yield from _tensors()
    yield from _without_signature()
    yield from _parameters()
    yield from _optional_columns()


def _forms() -> Iterator[tuple[Any, ...]]:
    other = [None, "extra", 5, False]
    records = [RECORD, dict(zip(NAMES, [80, "extra", 5, False], strict=True))]
    columns = {name: [record[name] for record in records] for name in NAMES}
    yield "a data frame as split", "churn", _split(ROW, other)
    yield "columns in another order", "churn", _split(ROW[::-1], columns=NAMES[::-1])
    yield "a column too many", "churn", _split([*ROW, SECRET], columns=[*NAMES, "who"])
    yield "an index", "churn", _split(ROW, other, index=["a", "b"])
    yield "an index of another length", "churn", _split(ROW, other, index=[1])
    yield "columns that are null", "churn", _split(ROW, columns=None), JSON, POSITIONAL
    yield "records", "churn", _body(dataframe_records=records)
    yield "records with one name too many", "churn", _body(dataframe_records=[RECORD | {"x": [1]}])
    yield "inputs as records", "churn", _body(inputs=records)
    yield "inputs as columns", "churn", _body(inputs=columns)
    yield "inputs as one value a column", "churn", _body(inputs=RECORD)
    yield "instances as records", "churn", _body(instances=records)
    yield "instances as columns", "churn", _body(instances=columns)
    yield "inputs with a nested value too many", "churn", _records(who=[[1], [2, 3]])
    yield "records of unlike names", "churn", _body(dataframe_records=[RECORD, {"calls": 3}])
    yield "instances of unlike names", "churn", _body(instances=[RECORD, {"calls": 3}])
    yield "columns of unlike length", "churn", _body(inputs=columns | {"calls": [1]})
    yield "rows in the signature's order", "churn", _body(inputs=[ROW]), JSON, POSITIONAL
    yield "instances in the signature's order", "churn", _body(instances=[ROW]), JSON, POSITIONAL
    yield "Azure's data", "churn", _body(data=[ROW]), JSON, AZURE
    yield "Azure's data as records", "churn", _body(data=records), JSON, AZURE
    azure = {"columns": NAMES, "index": [0], "data": [ROW]}
    yield "Azure's input_data", "churn", _body(input_data=azure), JSON, AZURE
    yield "Azure's input_data as columns", "churn", _body(input_data=columns), JSON, AZURE
    yield "Azure's data beside MLflow's", "churn", _body(data=SECRET, dataframe_records=[RECORD])
    yield (
        "a row in the signature's order that is short",
        "churn",
        _body(inputs=[ROW[:3]]),
        JSON,
        SHORT,
    )
    yield "rows of unlike length in order", "churn", _body(inputs=[ROW, ROW[:3]]), JSON, SHORT
    yield "a key that nobody knows", "churn", _body(dataframe_records=[RECORD], comment=SECRET)
    yield (
        "params of a model that takes none",
        "churn",
        _body(dataframe_records=[RECORD], params={"who": SECRET}),
    )
    yield "params that are no object", "churn", _body(dataframe_records=[RECORD], params=SECRET)
    yield (
        "one row",
        "boosted",
        _body(dataframe_split={"columns": ["x", "y", "z"], "data": [[1, 2, 3]]}),
    )
    yield (
        "many rows",
        "boosted",
        _body(
            dataframe_split={
                "columns": ["x", "y", "z"],
                "data": [[i / 7, 0.1, -i] for i in range(50)],
            }
        ),
    )
    yield "a missing number", "boosted", _body(inputs=[{"x": None, "y": 1.5, "z": 2}])


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


def _types() -> Iterator[tuple[Any, ...]]:
    """Values of another type than their column's."""
    for name, values in ODD_VALUES.items():
        yield name, "churn", _changed(**values)
        yield f"{name}, as inputs", "churn", _records(**values)
    yield "one wrong value of two", "churn", _split(ROW, [SECRET, *ROW[1:]])
    yield "NaN as Python writes it", "churn", _changed(minutes=float("nan"))
    yield "Infinity as Python writes it", "churn", _changed(minutes=float("inf"))
    yield "NaN for a long", "churn", _changed(calls=float("nan"))
    yield "a number too large for JSON's readers", "churn", _changed().replace(b"120.5", b"1e999")
    yield "a missing text beside a text", "words", _words(["a"], [None])
    yield "a missing text alone", "words", _words([None]), JSON, MISSING_TEXT
    yield "NaN for a text alone", "words", _words([float("nan")])
    yield "a missing text as inputs", "words", _body(inputs=[{"text": None}]), JSON, MISSING_TEXT
    yield (
        "a missing text in a column",
        "words",
        _body(inputs={"text": ["a", None]}),
        JSON,
        MISSING_TEXT,
    )
    yield (
        "a missing text as instances",
        "words",
        _body(instances=[{"text": None}]),
        JSON,
        MISSING_TEXT,
    )


def _words(*rows: list[Any]) -> bytes:
    return _body(dataframe_split={"columns": ["text"], "data": rows})


def _signatures() -> Iterator[tuple[Any, ...]]:
    """Columns that are missing, named twice or not named."""
    yield "a missing required column", "churn", _split(ROW[:3], columns=NAMES[:3])
    yield (
        "a missing required column in records",
        "churn",
        _body(dataframe_records=[{"plan": SECRET, "vip": True}]),
    )
    yield "a missing and an extra column", "churn", _body(inputs=[{"plan": "a", SECRET: 1}])
    yield "a column named twice", "churn", _split([*ROW, 1], columns=[*NAMES, "calls"])
    yield "columns that are numbers", "churn", _split(ROW, columns=[0, 1, 2, 3])
    yield "columns that are lists", "churn", _split(ROW, columns=[["a"], ["b"], ["c"], ["d"]])
    yield "a row that is short", "churn", _split(ROW, ROW[:2])
    yield "a row that is long", "churn", _split(ROW, [*ROW, SECRET])
    yield "rows that are no lists", "churn", _split(1, 2)
    yield "no rows", "churn", _split()
    yield "no records", "churn", _body(dataframe_records=[])
    yield "no inputs", "churn", _body(inputs=[])
    yield "empty columns", "churn", _body(inputs={name: [] for name in NAMES})
    yield "values of one column", "words", _body(inputs=["a", "b"])
    yield "instances of one column", "words", _body(instances=["a", "b"])
    yield "lists of one column", "words", _body(inputs=[["a"], ["b"]])
    yield "one text", "words", _body(inputs="a")
    yield "a number for one text", "words", _body(inputs=[1, 2])


def _wrong_documents() -> Iterator[tuple[Any, ...]]:
    yield "no form", "churn", _body(rows=[ROW])
    yield "an empty object", "churn", b"{}"
    yield "two forms", "churn", _body(inputs=[RECORD], instances=[RECORD])
    yield "a form that is null", "churn", _body(inputs=None)
    yield "a form that is a number", "churn", _body(instances=7)
    yield "a form that is a text", "churn", _body(inputs=SECRET)
    yield "a split that is a list", "churn", _body(dataframe_split=[ROW])
    yield "a split without data", "churn", _body(dataframe_split={"columns": NAMES})
    yield "a split with a key too many", "churn", _split(ROW, who=SECRET)
    yield "a split whose columns are a text", "churn", _split(ROW, columns="minutes")
    yield "records that are an object", "churn", _body(dataframe_records=RECORD)
    yield "records that are lists", "churn", _body(dataframe_records=[ROW])
    yield "records among lists", "churn", _body(inputs=[RECORD, ROW])
    yield "a nested list too deep", "churn", _body(inputs=[[[ROW]]]), JSON, SHORT
    yield "TensorFlow's signature_name", "churn", _body(inputs=[RECORD], signature_name="x")
    for kind in ([1], "text", 7, None, True):
        yield f"a body that is {kind!r}", "churn", json.dumps(kind).encode()


ODD_NUMBERS: dict[str, list[Any]] = {
    "numbers of every width": [80.1, 3, 12.5],
    "ints for floats": [80, 3, 12],
    "a double that float32 rounds": [16777217.5, 3, 0.1],
    "a number that 32 bits cannot hold": [80.1, 2**40, 12.5],
    "a double for an integer": [80.1, 3.9, 12.5],
    "a null for a double": [80.1, 3, None],
}


def _numbers() -> Iterator[tuple[Any, ...]]:
    names = ["area", "rooms", "age"]
    for name, row in ODD_NUMBERS.items():
        record = dict(zip(names, row, strict=True))
        yield name, "price", _body(dataframe_split={"columns": names, "data": [row]})
        yield f"{name}, as inputs", "price", _body(inputs=[record])
        yield f"{name}, as columns", "price", _body(inputs={n: [v] for n, v in record.items()})


def _tensors() -> Iterator[tuple[Any, ...]]:
    point = [0.1, -2, 3.5, 1e-9]
    for form in ("inputs", "instances"):
        yield f"a tensor as {form}", "iris", _body(**{form: [point, point]})
        yield f"a tensor of ints as {form}", "iris", _body(**{form: [[1, 2, 3, 4]]})
        yield f"a tensor of texts as {form}", "iris", _body(**{form: [["1", "2", "3", "4"]]})
        yield f"a tensor that is too narrow as {form}", "iris", _body(**{form: [point[:3]]})
        yield f"a tensor of another rank as {form}", "iris", _body(**{form: [[point]]})
        yield f"a ragged tensor as {form}", "iris", _body(**{form: [point, point[:2]]})
        yield f"no rows of a tensor as {form}", "iris", _body(**{form: []})
        yield f"a null in a tensor as {form}", "iris", _body(**{form: [[None, 1, 2, 3]]})
        yield f"a text in a tensor as {form}", "iris", _body(**{form: [[SECRET, 1, 2, 3]]})
    yield "a tensor as a data frame", "iris", _body(dataframe_split={"data": [point]})
    yield (
        "a tensor as named columns",
        "iris",
        _body(dataframe_split={"columns": list("abcd"), "data": [point]}),
    )
    yield (
        "a tensor as records",
        "iris",
        _body(dataframe_records=[dict(zip("abcd", point, strict=True))]),
    )
    yield "a tensor as an object", "iris", _body(inputs={"a": [point]})
    yield "Azure's data as a tensor", "iris", _body(data=[point]), JSON, AZURE
    named = {"points": [[0.5, 1], [2, 3]], "weight": [1, 2]}
    records = [{"points": [0.5, 1], "weight": 1}, {"points": [2, 3], "weight": 2}]
    yield "named tensors", "tensors", _body(inputs=named)
    yield "named tensors by row", "tensors", _body(instances=records)
    yield "named tensors as records", "tensors", _body(dataframe_records=records)
    yield (
        "named tensors as split",
        "tensors",
        _body(dataframe_split={"columns": ["points", "weight"], "data": [[[0.5, 1], 1]]}),
    )
    yield "a named tensor is missing", "tensors", _body(inputs={"points": [[1, 2]]})
    yield "a named tensor too many", "tensors", _body(inputs=named | {SECRET: [1]})
    yield "a named tensor of another shape", "tensors", _body(inputs=named | {"points": [1, 2]})
    yield "a named tensor of text", "tensors", _body(inputs=named | {"weight": [SECRET, "b"]})
    yield "named tensors without names", "tensors", _body(inputs=[[1, 2], [3, 4]])
    yield "named tensors of unlike length", "tensors", _body(instances=named | {"weight": [1]})


ANYTHING: dict[str, Any] = {
    "rows": [[1, 2], [3, 4]],
    "doubles": [[0.5, 2]],
    "texts": ["a", "b"],
    "mixed values": [1, "a", None],
    "records": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
    "columns": {"a": [1, 2], "b": ["x", None]},
    "a scalar": 7,
    "a text": "a",
    "nothing": None,
    "an empty list": [],
    "ragged rows": [[1], [2, 3]],
}


def _without_signature() -> Iterator[tuple[Any, ...]]:
    for name, value in ANYTHING.items():
        for form in ("inputs", "instances"):
            yield f"{name} as {form}", "anything", _body(**{form: value})
    yield "a data frame", "anything", _body(dataframe_split={"columns": ["a"], "data": [[1]]})
    yield "a data frame without names", "anything", _body(dataframe_split={"data": [[1, "a"]]})
    yield "records", "anything", _body(dataframe_records=[{"a": 1}, {"b": 2}])
    yield "params", "anything", _body(inputs=[1], params={"who": 1})
    yield "a chat", "anything", _body(messages=[{"role": "user", "content": "hello"}], n=2)
    yield "a prompt", "anything", _body(prompt="hello", params={"n": 2})
    yield "a text to embed", "anything", _body(input=["hello"])
    yield "rows", "plain", _body(inputs=[[0.1, 2], [3, 4]])
    yield "rows that are too narrow", "plain", _body(inputs=[[0.1]])
    yield "a data frame", "plain", _body(dataframe_split={"columns": ["a", "b"], "data": [[1, 2]]})
    yield "texts", "hinted", _body(inputs=["a", "b"])
    yield "a number for a text", "hinted", _body(inputs=["a", 4711])
    yield "a scalar", "hinted", _body(inputs="a")
    yield "instances", "hinted", _body(instances=["a"])
    yield "a data frame", "hinted", _body(dataframe_records=[{"a": "b"}])
    yield "nothing", "hinted", b"{}"


PARAMETERS: dict[str, Any] = {
    "no params": None,
    "empty params": {},
    "an int for a double": {"share": 1},
    "a double for a long": {"times": 2.5},
    "a whole double for a long": {"times": 2.0},
    "a text for a long": {"times": SECRET},
    "a truth for a long": {"times": True},
    "a null for a long": {"times": None},
    "a day": {"day": "2025-02-03"},
    "a moment": {"day": "2025-02-03T08:30:00"},
    "no day": {"day": SECRET},
    "a number for a day": {"day": 4711},
    "names": {"names": ["b", "c"]},
    "one name for a list": {"names": "b"},
    "numbers for names": {"names": [4711]},
    "an unknown param": {"who": SECRET},
    "params that are a list": [SECRET],
    "params that are a text": SECRET,
}


def _parameters() -> Iterator[tuple[Any, ...]]:
    for name, params in PARAMETERS.items():
        document = {"dataframe_records": [{"text": "a"}]}
        if isinstance(params, dict):
            params = {"kind": "parameters"} | params
        yield name, "outputs", _body(**document, params=params)
    yield "an unknown kind", "outputs", _body(inputs=[{"text": "a"}], params={"kind": SECRET})


OPTIONAL: dict[str, dict[str, Any]] = {
    "optional columns left out": {},
    "every optional column": {
        "number": 0.5,
        "when": "2026-11-21T08:30:00",
        "whole": 3,
        "truth": False,
        "raw": "YWJj",
    },
    "a null for an optional double": {"number": None},
    "a null for an optional long": {"whole": None},
    "a null for an optional truth": {"truth": None},
    "a null for an optional day": {"when": None},
    "a day": {"when": "2026-11-21"},
    "a day with its zone": {"when": "2026-11-21T08:30:00+02:00"},
    "a number for a day": {"when": 1795248000000000000},
    "no day": {"when": SECRET},
    "bytes that are not base64": {"raw": SECRET},
    "a number for bytes": {"raw": 4711},
}


def _optional_columns() -> Iterator[tuple[Any, ...]]:
    for name, values in OPTIONAL.items():
        record = {"text": "a"} | values
        for form in ("dataframe_records", "inputs", "instances"):
            yield f"{name}, as {form}", "outputs", _body(**{form: [record]})
    yield (
        "an optional column in some records",
        "outputs",
        _body(dataframe_records=[{"text": "a", "number": 1.5}, {"text": "b"}]),
    )
    yield "the required column alone is missing", "outputs", _body(inputs=[{"number": 1.5}])


def _content_types() -> Iterator[Case]:
    good = _body(dataframe_records=[RECORD])
    for content_type in (
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "application/json ; charset=utf-8",
        'application/json; charset="utf-8"',
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/json; version=2",
        "application/json;",
        "Application/JSON",
        "application/json, text/csv",
        "application/jsonl",
        "application/xml",
        "text/plain",
        "text/csv; charset=latin-1",
        "application/x-parquet",
        "application/octet-stream",
        "",
    ):
        yield Case(f"the content type {content_type!r}", "churn", good, content_type)
    yield Case("no content type", "churn", good, None, UNTYPED)


def _tables() -> Iterator[Case]:
    """CSV and Parquet."""
    table = pd.DataFrame([ROW, [None, "extra", 5, False]], columns=NAMES)
    days = pd.DataFrame({"text": ["a"], "when": [pd.Timestamp("2026-11-21")], "number": [1.5]})
    csv = table.to_csv(index=False).encode()
    for name, body in {
        "a table": csv,
        "a table with an index": table.to_csv().encode(),
        "columns in another order": table[NAMES[::-1]].to_csv(index=False).encode(),
        "a missing text": b"minutes,plan,calls,vip\n1.5,a,3,True\n1.5,,3,True\n",
        "a missing long": b"minutes,plan,calls,vip\n1.5,a,,True\n",
        "a missing column": b"minutes,plan,vip\n1.5,a,True\n",
        "a text for a double": b"minutes,plan,calls,vip\nAda-Lovelace-0815,a,3,True\n",
        "a double for a long": b"minutes,plan,calls,vip\n1.5,a,3.5,True\n",
        "a header only": b"minutes,plan,calls,vip\n",
        "no header": b"1.5,basic,3,True\n",
        "nothing": b"",
        "a ragged row": b"minutes,plan,calls,vip\n1.5,a,3,True,9,9\n",
        "bytes that are not UTF-8": b"minutes,plan,calls,vip\n1.5,\xff,3,True\n",
        "a byte order mark": b"\xef\xbb\xbf" + csv,
    }.items():
        yield Case(f"CSV: {name}", "churn", body, CSV)
    yield Case("CSV: quoted texts", "words", b'text\n"a, ""b""\nc"\n', CSV)
    yield Case("CSV: texts like missing ones", "words", b"text\nNA\nx\n", CSV)
    yield Case("CSV: no text at all", "words", b"text,other\n,1\n", CSV)
    yield Case("CSV: a day", "outputs", days.to_csv(index=False).encode(), CSV)
    yield Case("CSV: only text", "outputs", b"text\na\n", CSV)
    yield Case("CSV: a tensor", "iris", b"a,b,c,d\n1.5,2.5,3.5,4.5\n", CSV)
    yield Case("CSV: anything", "anything", b"a,b\n1,x\n2,\n", CSV)
    for name, (model, frame) in {
        "a table": ("churn", table),
        "an int for a double": ("churn", table.assign(minutes=[1, 2])),
        "a double for a long": ("churn", table.assign(calls=[1.0, 2.0])),
        "a small int for a long": ("churn", table.assign(calls=pd.array([1, 2], "int16"))),
        "a missing column": ("churn", table.drop(columns="plan")),
        "a category for a text": ("churn", table.assign(plan=table["plan"].astype("category"))),
        "a column too many": ("churn", table.assign(who=SECRET)),
        "days": ("outputs", days),
        "days with their zone": ("outputs", days.assign(when=days["when"].dt.tz_localize("UTC"))),
        "anything": ("anything", days),
        "a tensor": ("iris", pd.DataFrame([[1.0, 2, 3, 4]], columns=list("abcd")).astype(float)),
        "numbers": ("boosted", pd.DataFrame({"x": [1.0], "y": [2.0], "z": [float("nan")]})),
    }.items():
        yield Case(f"Parquet: {name}", model, _parquet(frame), PARQUET)
    yield Case("Parquet: not Parquet", "churn", csv, PARQUET)
    yield Case("Parquet: nothing", "churn", b"", PARQUET)


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = BytesIO()
    table.to_parquet(buffer)
    return buffer.getvalue()


def _broken_bodies() -> Iterator[Case]:
    good = _body(dataframe_records=[RECORD])
    for name, body in {
        "an empty body": b"",
        "a body cut short": good[:-3],
        "a body with something behind": good + b"{}",
        "a body that is not UTF-8": b'{"inputs": ["\xff\xfe"]}',
        "a byte order mark": b"\xef\xbb\xbf" + good,
        "UTF-16": good.decode().encode("utf-16"),
        "UTF-32": good.decode().encode("utf-32"),
        "gzip": gzip.compress(good),
        "a value without quotes": good.replace(b'"basic"', SECRET.encode()),
        "a trailing comma": good.replace(b"]", b",]"),
        "a comment": good + b" // all",
        "space around": b" \n\t" + good + b"\r\n ",
        "a name twice": good.replace(b'"calls": 3', b'"calls": "x", "calls": 3'),
        "escaped characters": good.replace(b"basic", b"b\\u0061sic"),
    }.items():
        yield Case(name, "churn", body)
    yield Case("lists in lists without end", "churn", b"[" * 100_000, JSON, CRASH)
    digits = good.replace(b"120.5", b"1" * 5000)
    yield Case("a number of 5000 digits", "churn", digits, JSON, CRASH)


UNWRITABLE = OnPurpose(500, "the same status, but as JSON with an error code")


def _outputs() -> Iterator[Case]:
    """Whatever a model may return, and each way in which it may fail."""
    records = [{"text": text} for text in ("a", "b", SECRET)]
    for kind in (
        "columns",
        "frame",
        "series",
        "unnamed",
        "texts",
        "probabilities",
        "singles",
        "extremes",
        "missing",
        "dates",
        "days",
        "moments",
        "scalar",
        "nothing",
        "tuples",
        "truths",
        "mapping",
        "fails",
        "refuses",
        "breaks",
        "misses",
    ):
        body = _body(dataframe_records=records, params={"kind": kind})
        yield Case(f"a model that returns: {kind}", "outputs", body)
    for kind in ("unwritable", "complex"):
        body = _body(dataframe_records=records, params={"kind": kind})
        yield Case(f"a model that returns: {kind}", "outputs", body, JSON, UNWRITABLE)
