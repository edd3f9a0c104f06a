"""Parameters, optional columns, and whatever a model may return."""

from collections.abc import Iterator
from typing import Any

from tests.integration.differential.corpus.case import (
    CSV,
    JSON,
    MISSING_TEXT,
    SECRET,
    Case,
    OnPurpose,
    as_json,
)

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


def parameters() -> Iterator[Case]:
    for name, params in PARAMETERS.items():
        document = {"dataframe_records": [{"text": "a"}]}
        if isinstance(params, dict):
            params = {"kind": "parameters"} | params
        yield Case(name, "outputs", as_json(**document, params=params))
    yield Case(
        "an unknown kind", "outputs", as_json(inputs=[{"text": "a"}], params={"kind": SECRET})
    )


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


def optional_columns() -> Iterator[Case]:
    for name, values in OPTIONAL.items():
        record = {"text": "a"} | values
        for form in ("dataframe_records", "inputs", "instances"):
            yield Case(f"{name}, as {form}", "outputs", as_json(**{form: [record]}))
    yield Case(
        "an optional column in some records",
        "outputs",
        as_json(dataframe_records=[{"text": "a", "number": 1.5}, {"text": "b"}]),
    )
    yield Case("the required column alone is missing", "outputs", as_json(inputs=[{"number": 1.5}]))


UNWRITABLE = OnPurpose(500, "the same status, but as JSON with an error code")


def outputs() -> Iterator[Case]:
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
        "records",
        "arrays",
        "text",
        "double",
        "truth",
        "empty",
        "times",
        "nested",
        "categories",
        "nullable",
        "whole",
        "objects",
        "indexed",
        "repeated",
        "fails",
        "refuses",
        "breaks",
        "misses",
    ):
        body = as_json(dataframe_records=records, params={"kind": kind})
        yield Case(f"a model that returns: {kind}", "outputs", body)
    for kind in ("unwritable", "complex", "frames", "durations", "decimals"):
        body = as_json(dataframe_records=records, params={"kind": kind})
        yield Case(f"a model that returns: {kind}", "outputs", body, JSON, UNWRITABLE)


EVERY: dict[str, Any] = {
    "truth": True,
    "short": 3,
    "whole": 2**40,
    "single": 0.1,
    "number": 1.5,
    "text": "a",
    "raw": "YWJj",
    "when": "2026-11-21T08:30:00",
}


def optional() -> Iterator[Case]:
    """Each optional column left out, null, alone, and null beside another row."""
    for form in ("dataframe_records", "inputs", "instances"):
        yield Case(f"every column as {form}", "optional", as_json(**{form: [EVERY, EVERY]}))
        for name, value in EVERY.items():
            texts = MISSING_TEXT if name == "text" else None
            null, rest = EVERY | {name: None}, {k: v for k, v in EVERY.items() if k != name}
            rows = {
                f"without {name}": [rest],
                f"only {name}": [{name: value}],
                f"with {name} in one of two rows": [EVERY, rest],
            }
            for what, records in rows.items():
                yield Case(f"{what}, as {form}", "optional", as_json(**{form: records}))
            body = as_json(**{form: [null]})
            yield Case(f"a null for {name}, as {form}", "optional", body, JSON, texts)
            body = as_json(**{form: [null, EVERY]})
            beside = None if form == "dataframe_records" else texts
            yield Case(f"a null beside {name}, as {form}", "optional", body, JSON, beside)
    yield Case("a table as CSV", "optional", b"text,number\na,1.5\n,\n", CSV)
    body = b"text,number\n,1.5\n"
    yield Case("a table without a text as CSV", "optional", body, CSV, MISSING_TEXT)
    yield Case("a table without a number as CSV", "optional", b"text,number\na,\n", CSV)


def only_params() -> Iterator[Case]:
    """Rows for a model whose signature has parameters and no columns."""
    for name, params in {
        "no params": None,
        "a param": {"times": 2},
        "a double": {"times": 2.0},
        "a text": {"times": SECRET},
        "an unknown param": {"who": SECRET},
    }.items():
        for form, value in {
            "inputs": [1, 2],
            "instances": [{"a": 1}],
            "dataframe_records": [{"a": 1}],
        }.items():
            body = as_json(**{form: value}, params=params)
            yield Case(f"{name} with {form}", "only_params", body)
    yield Case("CSV", "only_params", b"a,b\n1,2\n", CSV)


def chats() -> Iterator[Case]:
    """Conversations, for a model whose schema is MLflow's own."""
    message = {"role": "user", "content": "hello"}
    documents: dict[str, dict[str, Any]] = {
        "a message": {"messages": [message]},
        "messages": {"messages": [{"role": "system", "content": "be kind"}, message]},
        "a message and a parameter": {"messages": [message], "temperature": 0.5},
        "a message and params": {"messages": [message], "params": {"temperature": 0.5}},
        "a message and its own inputs": {"messages": [message], "custom_inputs": {"a": [1]}},
        "a message and a text for a number": {"messages": [message], "max_tokens": SECRET},
        "a message and a key too many": {"messages": [message], "who": SECRET},
        "a message without a role": {"messages": [{"content": SECRET}]},
        "a message that is a text": {"messages": [SECRET]},
        "messages that are a text": {"messages": SECRET},
        "no messages": {"messages": []},
        "a message as inputs": {"inputs": {"messages": [message]}},
        "a message as records": {"dataframe_records": [{"messages": [message]}]},
        "a prompt": {"prompt": "hello"},
    }
    for name, document in documents.items():
        yield Case(name, "chat", as_json(**document))
