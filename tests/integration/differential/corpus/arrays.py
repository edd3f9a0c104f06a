"""Arrays: tensors of a schema, and whatever a model without a schema takes."""

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
import pandas as pd

from tests.integration.differential.corpus.case import (
    AZURE,
    CSV,
    JSON,
    PARQUET,
    SECRET,
    Case,
    as_json,
    parquet,
)


def tensors() -> Iterator[Case]:
    point = [0.1, -2, 3.5, 1e-9]
    for form in ("inputs", "instances"):
        yield Case(f"a tensor as {form}", "iris", as_json(**{form: [point, point]}))
        yield Case(f"a tensor of ints as {form}", "iris", as_json(**{form: [[1, 2, 3, 4]]}))
        yield Case(
            f"a tensor of texts as {form}", "iris", as_json(**{form: [["1", "2", "3", "4"]]})
        )
        yield Case(f"a tensor that is too narrow as {form}", "iris", as_json(**{form: [point[:3]]}))
        yield Case(f"a tensor of another rank as {form}", "iris", as_json(**{form: [[point]]}))
        yield Case(f"a ragged tensor as {form}", "iris", as_json(**{form: [point, point[:2]]}))
        yield Case(f"no rows of a tensor as {form}", "iris", as_json(**{form: []}))
        yield Case(f"a null in a tensor as {form}", "iris", as_json(**{form: [[None, 1, 2, 3]]}))
        yield Case(f"a text in a tensor as {form}", "iris", as_json(**{form: [[SECRET, 1, 2, 3]]}))
    yield Case("a tensor as a data frame", "iris", as_json(dataframe_split={"data": [point]}))
    yield Case(
        "a tensor as named columns",
        "iris",
        as_json(dataframe_split={"columns": list("abcd"), "data": [point]}),
    )
    yield Case(
        "a tensor as records",
        "iris",
        as_json(dataframe_records=[dict(zip("abcd", point, strict=True))]),
    )
    yield Case("a tensor as an object", "iris", as_json(inputs={"a": [point]}))
    yield Case("Azure's data as a tensor", "iris", as_json(data=[point]), JSON, AZURE)
    named = {"points": [[0.5, 1], [2, 3]], "weight": [1, 2]}
    records = [{"points": [0.5, 1], "weight": 1}, {"points": [2, 3], "weight": 2}]
    yield Case("named tensors", "tensors", as_json(inputs=named))
    yield Case("named tensors by row", "tensors", as_json(instances=records))
    yield Case("named tensors as records", "tensors", as_json(dataframe_records=records))
    yield Case(
        "named tensors as split",
        "tensors",
        as_json(dataframe_split={"columns": ["points", "weight"], "data": [[[0.5, 1], 1]]}),
    )
    yield Case("a named tensor is missing", "tensors", as_json(inputs={"points": [[1, 2]]}))
    yield Case("a named tensor too many", "tensors", as_json(inputs=named | {SECRET: [1]}))
    yield Case(
        "a named tensor of another shape", "tensors", as_json(inputs=named | {"points": [1, 2]})
    )
    yield Case(
        "a named tensor of text", "tensors", as_json(inputs=named | {"weight": [SECRET, "b"]})
    )
    yield Case("named tensors without names", "tensors", as_json(inputs=[[1, 2], [3, 4]]))
    yield Case(
        "named tensors of unlike length", "tensors", as_json(instances=named | {"weight": [1]})
    )


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


def without_signature() -> Iterator[Case]:
    for name, value in ANYTHING.items():
        for form in ("inputs", "instances"):
            yield Case(f"{name} as {form}", "anything", as_json(**{form: value}))
    yield Case(
        "a data frame", "anything", as_json(dataframe_split={"columns": ["a"], "data": [[1]]})
    )
    yield Case(
        "a data frame without names", "anything", as_json(dataframe_split={"data": [[1, "a"]]})
    )
    yield Case("records", "anything", as_json(dataframe_records=[{"a": 1}, {"b": 2}]))
    yield Case("params", "anything", as_json(inputs=[1], params={"who": 1}))
    yield Case("a chat", "anything", as_json(messages=[{"role": "user", "content": "hello"}], n=2))
    yield Case("a prompt", "anything", as_json(prompt="hello", params={"n": 2}))
    yield Case("a text to embed", "anything", as_json(input=["hello"]))
    yield Case("rows", "plain", as_json(inputs=[[0.1, 2], [3, 4]]))
    yield Case("rows that are too narrow", "plain", as_json(inputs=[[0.1]]))
    yield Case(
        "a data frame", "plain", as_json(dataframe_split={"columns": ["a", "b"], "data": [[1, 2]]})
    )
    yield Case("texts", "hinted", as_json(inputs=["a", "b"]))
    yield Case("a number for a text", "hinted", as_json(inputs=["a", 4711]))
    yield Case("a scalar", "hinted", as_json(inputs="a"))
    yield Case("instances", "hinted", as_json(instances=["a"]))
    yield Case("a data frame", "hinted", as_json(dataframe_records=[{"a": "b"}]))
    yield Case("nothing", "hinted", b"{}")


MORE_ROWS: dict[str, Any] = {
    "a row": [[0.1, 2]],
    "a row of texts": [["0.1", "2"]],
    "a row with a text": [[0.1, SECRET]],
    "a row with a null": [[0.1, None]],
    "a row with a large number": [[1e308, -1e308]],
    "no rows": [],
    "a row that is no list": [0.1, 2],
    "rows of unlike length": [[0.1, 2], [3]],
    "records": [{"a": 0.1, "b": 2}],
    "columns": {"a": [0.1], "b": [2]},
}


def plain_rows() -> Iterator[Case]:
    """Rows for a model of scikit-learn's that has no signature."""
    for name, value in MORE_ROWS.items():
        for form in ("inputs", "instances"):
            yield Case(f"{name} as {form}", "plain", as_json(**{form: value}))
    yield Case("records", "plain", as_json(dataframe_records=MORE_ROWS["records"]))
    yield Case("a table as CSV", "plain", b"a,b\n0.1,2\n", CSV)


TEXTS: dict[str, Any] = {
    "texts": ["a", "größer", ""],
    "a text": "a",
    "no texts": [],
    "numbers": [1, 2.5],
    "mixed values": [1, "a", True],
    "a null": [None],
    "a null beside a text": ["a", None],
    "lists": [["a"], ["b"]],
    "ragged lists": [["a"], ["b", "c"]],
    "records": [{"a": "b"}],
    "columns": {"a": ["b"]},
    "a text that ends in NUL": ["a\0"],
}


def texts() -> Iterator[Case]:
    """Tensors of texts."""
    for name, value in TEXTS.items():
        for form in ("inputs", "instances"):
            yield Case(f"{name} as {form}", "texts", as_json(**{form: value}))
    split = {"columns": ["a"], "data": [["b"], ["c"]]}
    yield Case("texts as split", "texts", as_json(dataframe_split=split))
    yield Case("texts as CSV", "texts", b"a\nb\nc\n", CSV)


NAMED: dict[str, dict[str, Any]] = {
    "no rows": {"points": [], "weight": []},
    "ints for doubles": {"points": [[1, 2]], "weight": [1]},
    "doubles for ints": {"points": [[1, 2]], "weight": [1.5]},
    "a null": {"points": [[None, 2]], "weight": [1]},
    "a large number": {"points": [[1e308, 1e308]], "weight": [2**62]},
    "ragged points": {"points": [[1, 2], [3]], "weight": [1, 2]},
    "a scalar": {"points": [[1, 2]], "weight": 1},
}


def named_tensors() -> Iterator[Case]:
    """Tensors by name, as columns and by row."""
    for name, value in NAMED.items():
        for form in ("inputs", "instances"):
            yield Case(f"{name} as {form}", "tensors", as_json(**{form: value}))


def images() -> Iterator[Case]:
    """Tensors of rank 4: bytes by height, width and channel, and singles by channel first."""
    whole = _image(2, 3, 3, step=7)
    single = _image(3, 4, 4, step=0.1)
    for model, image in {"images": whole, "graph_of_images": single}.items():
        for form in ("inputs", "instances"):
            for name, value in _of_images(image).items():
                yield Case(f"{name} as {form}", model, as_json(**{form: value}))
        yield Case("an image as records", model, as_json(dataframe_records=[{"image": image}]))
        split = {"columns": ["image"], "data": [[image]]}
        yield Case("an image as split", model, as_json(dataframe_split=split))
        yield Case("an image as CSV", model, b"image\n1\n", CSV)
        flat = np.ravel(image).tolist()
        table = pd.DataFrame({"image": [flat, flat]})
        yield Case("a flat image as Parquet", model, parquet(table), PARQUET)
        yield Case("a flat image as split", model, as_json(dataframe_split={"data": [flat]}))
    for form in ("inputs", "instances"):
        named = {"image": [single, single]}
        yield Case(f"named images as {form}", "graph_of_images", as_json(**{form: named}))
    rows = [{"image": single}, {"image": single}]
    yield Case("named images by row", "graph_of_images", as_json(instances=rows))
    yield Case("named images as records", "graph_of_images", as_json(inputs=rows))
    yield Case("an unknown name", "graph_of_images", as_json(inputs={SECRET: [single]}))


def _image(*shape: int, step: float) -> Any:
    """Return nested lists of numbers that grow by a step."""
    return (np.arange(prod(shape)).reshape(shape) * step).tolist()


def _of_images(image: Any) -> dict[str, Any]:
    return {
        "an image": [image],
        "images": [image, image[::-1]],
        "no images": [],
        "an image without a batch": image,
        "images of another size": [image[:-1]],
        "images of unlike size": [image, image[:-1]],
        "a batch too deep": [[image]],
        "an image with a text": [[[[SECRET]] * 3] * 2],
        "an image with a null": [_with_first(image, None)],
        "an image with a large number": [_with_first(image, 300)],
        "an image with a negative number": [_with_first(image, -1)],
        "an image with a half": [_with_first(image, 0.5)],
        "an image with a truth": [_with_first(image, True)],
    }


def _with_first(image: Any, value: Any) -> Any:
    """Return an image with another first number."""
    if not isinstance(image, list):
        return value
    return [_with_first(image[0], value), *image[1:]]


UNNAMED: dict[str, Any] = {
    "a row": [[0.5, 1, 2]],
    "rows": [[0.5, 1, 2], [1.5, 2, 3]],
    "a row that is short": [[0.5, 1]],
    "a row that is long": [[0.5, 1, 2, 3]],
    "rows of unlike length": [[0.5, 1, 2], [1]],
    "a text in a row": [[0.5, SECRET, 2]],
    "a null in a row": [[0.5, None, 2]],
    "numbers": [0.5, 1, 2],
    "records": [{"a": 0.5, "b": 1, "c": 2}],
    "columns": {"a": [0.5], "b": [1], "c": [2]},
    "nothing": [],
}


def unnamed() -> Iterator[Case]:
    """Rows for columns that have types and no names, and for columns whose names are numbers."""
    for model in ("unnamed", "numbered"):
        for name, value in UNNAMED.items():
            for form in ("inputs", "instances"):
                yield Case(f"{name} as {form}", model, as_json(**{form: value}))
            if isinstance(value, list):
                split = {"data": value}
                yield Case(f"{name} as split", model, as_json(dataframe_split=split))
        yield Case("records as a data frame", model, as_json(dataframe_records=UNNAMED["records"]))
        for names in (["a", "b", "c"], ["0", "1", "2"], [0, 1, 2], [2, 1, 0], [1, 2, 3]):
            split = {"columns": names, "data": [[0.5, 1, 2]]}
            yield Case(f"columns named {names}", model, as_json(dataframe_split=split))
        numbered = [{"0": 0.5, "1": 1, "2": 2}]
        yield Case("records of numbers", model, as_json(dataframe_records=numbered))
        yield Case("records of numbers as inputs", model, as_json(inputs=numbered))
        yield Case("a table as CSV", model, b"a,b,c\n0.5,1,2\n", CSV)
        yield Case("a table of numbers as CSV", model, b"0,1,2\n0.5,1,2\n", CSV)
        yield Case("a table without a header as CSV", model, b"0.5,1,2\n1,2,3\n", CSV)
