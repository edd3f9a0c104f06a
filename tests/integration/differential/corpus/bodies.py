"""Content types, tables in CSV and Parquet, and broken bodies."""

import gzip
from collections.abc import Iterator

import pandas as pd

from tests.integration.differential.corpus.case import (
    CRASH,
    CSV,
    JSON,
    PARQUET,
    SECRET,
    UNTYPED,
    Case,
    as_json,
    parquet,
)
from tests.integration.differential.corpus.named_rows import NAMES, RECORD, ROW


def content_types() -> Iterator[Case]:
    good = as_json(dataframe_records=[RECORD])
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


def tables() -> Iterator[Case]:
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
        yield Case(f"Parquet: {name}", model, parquet(frame), PARQUET)
    yield Case("Parquet: not Parquet", "churn", csv, PARQUET)
    yield Case("Parquet: nothing", "churn", b"", PARQUET)


def broken_bodies() -> Iterator[Case]:
    good = as_json(dataframe_records=[RECORD])
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
