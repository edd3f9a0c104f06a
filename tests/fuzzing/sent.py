"""Requests to the model of `tests.fuzzing.served`, from sound to senseless, by Hypothesis.

What is planted in them may come back in no error, and be in no log.
"""

import csv
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO, StringIO
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from pyarrow import parquet

from terna.contracts.open_inference import DATATYPES, HEADER_LENGTH
from terna.contracts.scoring import AZURE_FORMS, CSV, FORMS, JSON, PARQUET

NAME = "churn"
COLUMNS = ("minutes", "plan", "calls", "vip")
SECRET = "Ada-Lovelace-0815"
NUMBER = 8_150_815_081_508
PLANTED = (SECRET, str(NUMBER))
INVOCATIONS = "/invocations"
INFER = f"/v2/models/{NAME}/infer"
OCTETS = "application/octet-stream"


@dataclass(frozen=True)
class Sent:
    """One request."""

    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


def rarely(odd: st.SearchStrategy[Any], usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """So that much of what is sent gets as far as the model.

    One time in 16: Hypothesis prefers the ends of a range, so it is none of them.
    """
    return st.integers(0, 15).flatmap(lambda number: odd if number == 9 else usual)


# --- cells and rows -------------------------------------------------------------------------------

texts = st.text(st.characters(), max_size=3)  # half characters too: json writes them as \ud800
cells = st.one_of(
    st.sampled_from([SECRET, NUMBER, "basic", None, True, 0, 3, 2**63, 10**400, 1e300, -0.0]),
    st.floats(),
    st.integers(),
    texts,
)
values = st.recursive(
    cells,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*COLUMNS, SECRET]), inner, max_size=5)
    ),
    max_leaves=16,
)
plausible: Mapping[str, st.SearchStrategy[Any]] = {
    "minutes": st.floats(0, 300) | st.none() | st.integers(0, 300) | st.just(float(NUMBER)),
    "plan": st.sampled_from(["basic", "extra", None, "", SECRET])
    | st.text("äöü\0 ,;'", max_size=3),
    "calls": st.integers(0, 9) | st.just(NUMBER),
    "vip": st.booleans(),
}
columns = {name: rarely(cells, usual) for name, usual in plausible.items()}
records = st.fixed_dictionaries(columns)
tables = st.lists(records, min_size=1, max_size=3)


def rows_of(table: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[list[Any]]:
    return [[record[name] for name in names] for record in table]


def columns_of(table: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [record[name] for record in table] for name in COLUMNS}


# --- JSON -----------------------------------------------------------------------------------------


@st.composite
def sound_documents(draw: st.DrawFn) -> dict[str, Any]:
    """One table in each of the forms that the protocol has for it."""
    table = draw(tables)
    names = draw(st.permutations(COLUMNS))
    in_order, split = rows_of(table, COLUMNS), {"columns": names, "data": rows_of(table, names)}
    forms: list[dict[str, Any]] = [
        {"dataframe_split": split},
        {"dataframe_split": {"data": in_order}},
        {"dataframe_records": table},
        *({form: table} for form in ("inputs", "instances")),
        *({form: in_order} for form in ("inputs", "instances", "data")),
        *({form: columns_of(table)} for form in ("inputs", "instances")),
        {"input_data": split | {"index": [*range(len(table))]}},
    ]
    params = rarely(st.fixed_dictionaries({"params": values}), st.just({}))
    return {**draw(st.sampled_from(forms)), **draw(params)}


odd_rows = st.tuples(*columns.values()).map(list) | st.lists(cells, max_size=5)
odd_records = st.fixed_dictionaries(columns, optional={SECRET: values})
odd_splits = st.fixed_dictionaries(
    {"data": st.lists(odd_rows, max_size=3)},
    optional={
        "columns": st.permutations([*COLUMNS]) | st.lists(st.sampled_from(COLUMNS)) | values,
        "index": values,
        SECRET: values,
    },
)
odd_documents = st.dictionaries(
    st.sampled_from([*FORMS, *AZURE_FORMS, "params", "messages", "prompt", SECRET]),
    values | st.lists(odd_records, max_size=3) | st.lists(odd_rows, max_size=3) | odd_splits,
    max_size=2,
)
documents = st.one_of(sound_documents(), sound_documents(), sound_documents(), odd_documents)


# --- bytes ----------------------------------------------------------------------------------------

PIECES = (
    b"",
    b"1e999",
    b"9" * 5000,
    b"NaN",
    b'"\\ud800"',
    b'"\\u0000"',
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"[" * 5000,
    b'{"inputs":' * 5000,
    b'"' + SECRET.encode(),
)


@st.composite
def damaged(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> bytes:
    """With something else, or nothing, in the place of a part."""
    body = draw(bodies)
    place = st.integers(0, len(body))
    start, end = sorted((draw(place), draw(place)))
    piece = st.sampled_from(PIECES) | st.binary(max_size=4) | st.just(body[start:end] * 2)
    return body[:start] + draw(piece) + body[end if draw(st.booleans()) else start + 1 :]


def sometimes_damaged(bodies: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return rarely(damaged(bodies), rarely(damaged(bodies), bodies))


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()


def _with_the_keys_of_both(pair: tuple[bytes, bytes]) -> bytes:
    """One object of two, in which a key may be there twice."""
    return pair[0][:-1] + b"," + pair[1][1:]


json_bodies = st.one_of(
    *[sometimes_damaged(documents.map(_json))] * 7,
    st.tuples(documents.map(_json), documents.map(_json)).map(_with_the_keys_of_both),
)


@st.composite
def csv_bodies(draw: st.DrawFn) -> bytes:
    table = draw(tables)
    names = draw(rarely(st.lists(st.sampled_from([*COLUMNS, SECRET])), st.permutations(COLUMNS)))
    text = StringIO(newline="")
    dialect = draw(st.sampled_from(["excel", "unix"]))
    delimiter = draw(rarely(st.sampled_from(";	|"), st.just(",")))
    writer = csv.writer(text, dialect, delimiter=delimiter)
    writer.writerows([names, *([record.get(name) for name in names] for record in table)])
    return text.getvalue().encode("utf-8", "surrogatepass")


# --- Parquet --------------------------------------------------------------------------------------

ARROW = {"minutes": pa.float64(), "plan": pa.string(), "calls": pa.int64(), "vip": pa.bool_()}
ODD_CELLS: Sequence[Callable[[int], Any]] = (
    pa.nulls,
    lambda n: pa.array([SECRET] * n),
    lambda n: pa.array([SECRET.encode()] * n),
    lambda n: pa.array([SECRET] * n).dictionary_encode(),
    lambda n: pa.array([{SECRET: NUMBER}] * n),
    lambda n: pa.array([[NUMBER]] * n),
    lambda n: pa.array([NUMBER] * n, pa.timestamp("us", "UTC")),
    lambda n: pa.array([NUMBER] * n, pa.duration("ns")),
    lambda n: pa.array([NUMBER] * n, pa.decimal128(20, 2)),
    lambda n: pa.array([2**63] * n, pa.uint64()),
    lambda n: pa.array([1] * n, pa.int8()),
    lambda n: pa.array([1.5] * n, pa.float32()),
)
odd_metadata = st.dictionaries(
    st.sampled_from([b"pandas", b"ARROW:schema", SECRET.encode()]),
    st.binary(max_size=9) | values.map(_json) | odd_splits.map(_json),
    max_size=2,
)


@st.composite
def parquet_bodies(draw: st.DrawFn) -> bytes:
    sound_tables = st.lists(st.fixed_dictionaries(dict(plausible)), min_size=1, max_size=3)
    table = draw(rarely(st.just([]), sound_tables))
    count = len(table)
    sound = {n: pa.array(_of_kind(c, ARROW[n]), ARROW[n]) for n, c in columns_of(table).items()}
    odd = st.sampled_from(ODD_CELLS).map(lambda make: make(count))
    arrays = {name: draw(rarely(odd, st.just(array))) for name, array in sound.items()}
    arrays |= draw(rarely(st.dictionaries(st.sampled_from([SECRET, "index"]), odd), st.just({})))
    names = draw(rarely(st.lists(st.sampled_from([*arrays])), st.permutations([*arrays])))
    made = pa.Table.from_arrays([arrays[name] for name in names], names=names)
    made = made.replace_schema_metadata(draw(rarely(odd_metadata, st.none())))
    file = BytesIO()
    parquet.write_table(made, file, compression=draw(st.sampled_from(["none", "snappy", "zstd"])))
    return file.getvalue()


def _of_kind(column: list[Any], kind: pa.DataType) -> list[Any]:
    return [float(c) if c is not None and pa.types.is_floating(kind) else c for c in column]


# --- tensors --------------------------------------------------------------------------------------

KINDS = dict(zip(COLUMNS, ("FP64", "BYTES", "INT64", "BOOL"), strict=True))
sizes = st.integers(-1, 20) | st.sampled_from([2**31, 2**63, 10**30])
odd_tensors = st.fixed_dictionaries(
    {
        "name": st.sampled_from([*COLUMNS, SECRET]),
        "datatype": st.sampled_from([*KINDS.values(), "FP16", "UINT8", SECRET]),
        "shape": st.one_of(
            st.lists(st.integers(-1, 3), max_size=3),
            st.just([2, 1]),
            st.lists(st.sampled_from([0, 1, 2**62, 10**30]), max_size=3),
            st.sampled_from([[1] * 70, [0] * 70]),
        ),
    },
    optional={
        "data": values | st.lists(cells, max_size=2),
        "parameters": st.dictionaries(st.just("binary_data_size"), sizes | cells),
    },
)
asked_for = st.fixed_dictionaries(
    {"name": st.sampled_from(["output-0"] * 3 + [SECRET])},
    optional={"parameters": st.dictionaries(st.just("binary_data"), st.booleans() | cells)},
)
rest_of_question = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text("0123abc", max_size=3),
        "parameters": st.dictionaries(st.sampled_from(["binary_data_output", "x"]), cells),
        "outputs": st.lists(asked_for, max_size=2),
    },
)


@st.composite
def sound_tensors(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    """A tensor a column, in JSON or in binary, and what follows the JSON."""
    inputs, rest = [], b""
    for name, cells_of_it in columns_of(draw(tables)).items():
        tensor: dict[str, Any] = {"name": name, "datatype": KINDS[name]}
        tensor["shape"] = draw(st.sampled_from([[len(cells_of_it)], [len(cells_of_it), 1]]))
        binary = _binary(cells_of_it, KINDS[name]) if draw(st.booleans()) else None
        if binary is None:
            tensor["data"] = cells_of_it
        else:
            tensor["parameters"] = {"binary_data_size": len(binary)}
            rest += binary
        inputs.append(tensor)
    return {"inputs": inputs}, rest


def _binary(values_of_it: list[Any], kind: str) -> bytes | None:
    """As Triton's clients send them; None where they could not."""
    if kind == "BYTES":
        if not all(isinstance(value, str) for value in values_of_it):
            return None
        encoded = [value.encode("utf-8", "surrogatepass") for value in values_of_it]
        return b"".join(struct.pack("<I", len(text)) + text for text in encoded)
    try:
        return np.array(values_of_it, DATATYPES[kind]).tobytes()
    except (ValueError, TypeError, OverflowError):
        return None


odd_questions = st.tuples(
    st.fixed_dictionaries({"inputs": st.lists(odd_tensors, max_size=5) | values}),
    st.binary(max_size=20),
)


@st.composite
def questions(draw: st.DrawFn) -> Sent:
    document, rest = draw(
        st.one_of(sound_tensors(), sound_tensors(), sound_tensors(), odd_questions)
    )
    if isinstance(document["inputs"], list):
        document["inputs"] += draw(rarely(st.lists(odd_tensors, max_size=2), st.just([])))
    head = _json(document | draw(rarely(st.dictionaries(st.just("id"), cells), rest_of_question)))
    body = draw(sometimes_damaged(st.just(head + rest)))
    headers = {"content-type": OCTETS if rest else JSON}
    if rest or draw(st.booleans()):
        headers[HEADER_LENGTH] = draw(rarely(odd_lengths, st.just(str(len(head)))))
    version = draw(rarely(st.just(f"/versions/{SECRET}"), st.sampled_from(["", "/versions/1"])))
    return Sent(INFER.replace("/infer", f"{version}/infer"), body, headers)


odd_lengths = st.integers(-1, 500).map(str) | st.sampled_from(
    ["9" * 5000, "0x10", "1.0", "²", SECRET]
)


# --- whole requests -------------------------------------------------------------------------------


def posted(bodies: st.SearchStrategy[bytes], content_type: str) -> st.SearchStrategy[Sent]:
    """Sent to `/invocations`; seldom as something that it is not."""
    said = rarely(content_types, st.just(content_type))
    return st.builds(
        lambda body, kind: Sent(INVOCATIONS, body, {"content-type": kind}), bodies, said
    )


content_types = st.sampled_from(
    [JSON, CSV, PARQUET, f"{JSON}; charset=utf-8", f"{JSON}; charset=latin-1", "", ";", "é", SECRET]
)
any_bytes = st.builds(
    lambda path, body, kind: Sent(path, body, {"content-type": kind}),
    st.sampled_from([INVOCATIONS, INFER]),
    st.binary() | st.text().map(str.encode) | st.sampled_from([p * 50 for p in PIECES]),
    content_types,
)
any_paths = st.builds(
    lambda place, path, method: Sent(place + quote(path) + SECRET, method=method),
    st.sampled_from(["/", "/v2/", "/v2/models/", f"/v2/models/{NAME}/", f"{INFER}/"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"]),
)
REQUESTS: Mapping[str, st.SearchStrategy[Sent]] = {
    "JSON": posted(json_bodies, JSON),
    "CSV": posted(sometimes_damaged(csv_bodies()), CSV),
    "Parquet": posted(sometimes_damaged(parquet_bodies()), PARQUET),
    "tensors": questions(),
    "any bytes": any_bytes,
    "any path": any_paths,
}
