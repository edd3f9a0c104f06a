"""A small request that would cost much is refused before it does, whatever it is made of."""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.adversarial.asking import V2, ask
from tests.adversarial.bodies import (
    CSV,
    JSON,
    PARQUET,
    body,
    csv_of_one_name,
    parquet_file,
    parquet_of_a_long_text,
    sparse,
    tensor,
    tensor_of_large_numbers,
    unlike,
)
from tests.integration.differential.models import MODELS
from tests.unit.workshop import opened

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's, of type hints

MAX_MEMORY = 300 * 2**20
"""Bytes: 10 MB of JSON are up to 190 MB of Python's objects."""

MAX_SECONDS = 5
"""Of processor time; without limits it was 7 s to minutes."""

ROW = {"minutes": 120.5, "plan": "basic", "calls": 3, "vip": True}
LONG = "x" * 500_000


def split(data: Any, **more: Any) -> bytes:
    return body(dataframe_split={"data": data, **more})


def columns_of(count: int, **values: Any) -> bytes:
    cells = ROW | {f"c{i}": 1 for i in range(count)}
    return body(inputs={name: values.get(name, [cell]) for name, cell in cells.items()})


FORMS: dict[str, Callable[[], bytes]] = {
    "records of unlike names": lambda: body(dataframe_records=unlike(8_000, **ROW)),
    "inputs of unlike names": lambda: body(inputs=unlike(8_000, **ROW)),
    "instances of unlike names": lambda: body(instances=unlike(8_000, **ROW)),
    "Azure's data of unlike names": lambda: body(data=unlike(8_000, **ROW)),
    "sparse records": lambda: body(dataframe_records=sparse(400_000)),
    "sparse inputs": lambda: body(inputs=sparse(400_000)),
    "records of many names": lambda: body(
        dataframe_records=[ROW | dict.fromkeys(map(str, range(200_000)), 1)]
    ),
    "columns of many names": lambda: columns_of(200_000),
    "a long text in a column": lambda: body(
        inputs={n: [v] * 1_000 for n, v in ROW.items()} | {"plan": [LONG] + ["a"] * 999}
    ),
    "a long text in a column too many": lambda: body(
        inputs={n: [v] * 1_000 for n, v in ROW.items()} | {"x": [LONG] + ["a"] * 999}
    ),
    "a long text in instances": lambda: body(instances=[ROW | {"plan": LONG}] + [ROW] * 1_000),
    "a long number in a column of text": lambda: body(
        inputs={n: [v] * 200_000 for n, v in ROW.items()} | {"plan": [10**4200] + [1] * 199_999}
    ),
    "a long object in a column of text": lambda: body(
        inputs={n: [v] * 1_000 for n, v in ROW.items()} | {"plan": [{"a": LONG}] + ["a"] * 999}
    ),
    "split of many columns": lambda: split(
        [[1] * 200_000], columns=[f"c{i}" for i in range(200_000)]
    ),
    "split of one column's name": lambda: split([[1] * 20_000], columns=["minutes"] * 20_000),
    "split of one value": lambda: split(
        1, index=list(range(100_000)), columns=[f"c{i}" for i in range(5_000)]
    ),
    "split of ragged rows": lambda: split([[1] * 9_000] + [[1]] * 200_000),
    "split of texts for rows": lambda: split([[1], LONG] + [[1]] * 5_000),
    "split of pairs for records": lambda: split(
        [{"a": 1}] + [[[f"k{i}", 1]] for i in range(9_000)]
    ),
    "split of columns of objects": lambda: split({f"c{i}": {f"k{i}": 1} for i in range(8_000)}),
    "split of levels": lambda: split(1, columns=[[*range(100_000)]], index=[[*range(100_000)]]),
    "Azure's input_data of one value": lambda: body(
        input_data={"data": [], "index": [*range(100_000)], "columns": [*range(9_000)]}
    ),
    "a language model's form": lambda: body(
        messages=[], **{f"c{i}": {f"k{i}": 1} for i in range(8_000)}
    ),
    "empty objects": lambda: b'{"inputs":[' + b"{}," * 3_333_000 + b"{}]}",
    "empty lists": lambda: b'{"inputs":[' + b"[]," * 3_333_000 + b"[]]}",
    "objects that are no JSON": lambda: b"{}," * 3_333_000,
    "lists in lists": lambda: b'{"inputs":' + b"[" * 900 + b"]" * 900 + b"}",
    "lists in lists, often": lambda: (
        b'{"inputs":[' + b",".join([b"[" * 400 + b"]" * 400] * 1_000) + b"]}"
    ),
}

CSVS: dict[str, Callable[[], bytes]] = {
    "one name": csv_of_one_name,
    "many names": lambda: ",".join(f"c{i}" for i in range(100_000)).encode() + b"\n1\n",
    "no names": lambda: b"a" + b"," * 100_000 + b"\n1\n",
    "short rows": lambda: (
        ",".join(f"c{i}" for i in range(9_000)).encode() + b"\n" + b"1\n" * 200_000
    ),
    "a wide first row": lambda: b"a\n" + b"1," * 100_000 + b"1\n",
    "short rows of a quoted name": lambda: (
        b'"a\n",' + b",".join(b"c%d" % i for i in range(9_000)) + b"\r" + b"1\r" * 200_000
    ),
}

PARQUETS: dict[str, Callable[[], bytes]] = {
    "a long text, often": parquet_of_a_long_text,
    "a long text in lists": lambda: parquet_file(plan=[["x" * 1_600_000] * 1_000]),
    "compressed texts": lambda: parquet_file(plan=["x" * 3_000_000 + str(i) for i in range(400)]),
    "long lists": lambda: parquet_file(plan=pa.array([[0] * 30_000_000])),
    "many rows": lambda: parquet_file(minutes=np.zeros(30_000_000)),
    "many columns": lambda: parquet_file(**{f"c{i}": [1] for i in range(12_000)}),
    "bytes of a fixed length": lambda: parquet_file(
        plan=pa.array([bytes(1_000_000)] * 1_000, pa.binary(1_000_000))
    ),
}

TENSORS: dict[str, Callable[[], bytes]] = {
    "a shape of large numbers": tensor_of_large_numbers,
    "a shape of many numbers": lambda: tensor(shape=[3] * 1_200_000),
    "a shape of ones": lambda: tensor(shape=[1] * 33),
    "no values of a large shape": lambda: tensor(shape=[2**31, 0], data=[]),
    "lists in lists": lambda: tensor().replace(b"[1]}", b"[" * 400_000 + b"]" * 400_000 + b"}"),
    "empty objects": lambda: tensor().replace(b"[1]}", b"[" + b"{}," * 3_333_000 + b"{}]}"),
    "a large number": lambda: tensor(data=[10**4200]),
}


@pytest.fixture(scope="module")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workshop = opened(tmp_path_factory.mktemp("workshop"))
    return workshop.folder / "model"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    for name in ("anything", "outputs", "words"):
        MODELS[name].save(folder / name)
    return {path.name: path for path in folder.iterdir()}


def assert_refused(model: Path, content_type: str, sent: bytes) -> None:
    """Fail unless the request is a client's error that cost little."""
    outcome = ask(model, content_type, sent)

    assert outcome.status in (400, 413), outcome
    assert "MemoryError" not in outcome.causes, outcome
    assert outcome.memory < MAX_MEMORY, outcome
    assert outcome.seconds < MAX_SECONDS, outcome
    assert len(outcome.message.splitlines()) == 1


@pytest.mark.parametrize("form", FORMS)
def test_json_of_a_large_table_is_refused(churn: Path, form: str) -> None:
    assert_refused(churn, JSON, FORMS[form]())


@pytest.mark.parametrize("table", CSVS)
def test_csv_of_a_large_table_is_refused(churn: Path, table: str) -> None:
    assert_refused(churn, CSV, CSVS[table]())


@pytest.mark.parametrize("table", PARQUETS)
def test_parquet_file_of_large_content_is_refused(churn: Path, table: str) -> None:
    sent = PARQUETS[table]()

    assert len(zlib.compress(sent)) < 10_000_000
    assert_refused(churn, PARQUET, sent)


@pytest.mark.parametrize("request_of", TENSORS)
@pytest.mark.parametrize("model", ["churn", "anything"])
def test_tensor_of_a_large_shape_is_refused(
    churn: Path, folders: dict[str, Path], model: str, request_of: str
) -> None:
    assert_refused(churn if model == "churn" else folders[model], V2, TENSORS[request_of]())


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        ("anything", body(inputs=[[LONG]] + [[1]] * 2_000)),
        ("anything", body(instances=[{"a": LONG}] + [{"a": 1}] * 2_000)),
        ("anything", body(dataframe_records=[{f"k{i}": 1} for i in range(8_000)])),
        ("words", body(inputs=[LONG] + ["a"] * 2_000)),
        ("outputs", body(inputs=[{"text": "a"}], params={"names": [LONG] + ["a"] * 2_000})),
    ],
    ids=["array", "instances", "records", "one column", "parameters"],
)
def test_long_text_among_many_values_is_refused(
    folders: dict[str, Path], model: str, sent: bytes
) -> None:
    assert_refused(folders[model], JSON, sent)


ROWS = [[*ROW.values()]] * 10_000
LONG_ROWS = [[1.5, "x" * 10_000, 3, True], *ROWS]


@pytest.mark.parametrize(
    ("content_type", "sent"),
    [
        (JSON, split(ROWS, columns=[*ROW])),
        (JSON, split(LONG_ROWS, columns=[*ROW])),
        (JSON, body(dataframe_records=[ROW] * 10_000)),
        (JSON, body(inputs=[ROW] * 10_000)),
        (JSON, body(instances=[ROW] * 10_000)),
        (JSON, body(inputs=[{**ROW, "plan": "x" * 10_000}] + [ROW] * 10_000)),
        (JSON, body(inputs={n: [v] * 10_000 for n, v in ROW.items()})),
        (JSON, body(inputs=LONG_ROWS)),
        (CSV, b"minutes,plan,calls,vip,,,\n" + b"120.5,basic,3,True,,,\n" * 10_000),
        (
            PARQUET,
            parquet_file(
                minutes=[1.5] * 10_000,
                plan=[f"p{i}" * 10 for i in range(10_000)],
                calls=[3] * 10_000,
                vip=[True] * 10_000,
            ),
        ),
    ],
)
def test_ten_thousand_filled_rows_are_answered(churn: Path, content_type: str, sent: bytes) -> None:
    outcome = ask(churn, content_type, sent)

    assert outcome.status == 200, outcome
