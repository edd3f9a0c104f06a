"""Reference rows are read from a model directory as training wrote them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terna.contracts import reference_rows
from terna.contracts.reference_rows import ReferenceRows
from terna.errors import BadRequest

ROWS = [[1.5, "none", True], [None, None, False]]
SPLIT = {"dataframe_split": {"columns": ["minutes", "plan", "new"], "data": ROWS}}

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
)


@pytest.mark.parametrize("labels", [["yes", "no"], [1, 0], [{"a": 1.0}], 3.5, None, {"a": [1]}])
@pytest.mark.parametrize("request_", [SPLIT, {"inputs": [[[1.0]]], "params": {"n": 1}}])
def test_request_and_predictions_are_read_as_they_were_written(
    tmp_path: Path, request_: dict[str, Any], labels: Any
) -> None:
    reference_rows.write(tmp_path, request_, labels)
    assert reference_rows.read(tmp_path) == ReferenceRows(request_, labels)


@given(cell=JSON_VALUES, prediction=JSON_VALUES)
def test_any_json_value_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, cell: Any, prediction: Any
) -> None:
    folder = tmp_path_factory.mktemp("model")
    reference_rows.write(folder, {"inputs": cell}, prediction)
    assert reference_rows.read(folder) == ({"inputs": cell}, prediction)


@pytest.mark.parametrize(
    "content", ["not JSON", "[1]", '{"predictions": ["no"]}', '{"inputs": [[1]]}']
)
def test_file_that_is_no_reference_document_raises_bad_request(
    tmp_path: Path, content: str
) -> None:
    Path(tmp_path, reference_rows.FILE).write_text(content)
    with pytest.raises(BadRequest):
        reference_rows.read(tmp_path)


def test_directory_without_reference_rows_raises_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=reference_rows.FILE):
        reference_rows.read(tmp_path)


def test_document_is_a_scoring_request_with_its_response(tmp_path: Path) -> None:
    reference_rows.write(tmp_path, SPLIT, ["yes", "no"])
    document = json.loads(Path(tmp_path, reference_rows.FILE).read_text())
    assert set(document) == {"dataframe_split", "predictions"}


@pytest.mark.parametrize(
    ("request_", "first"),
    [
        (SPLIT, {"dataframe_split": {**SPLIT["dataframe_split"], "data": ROWS[:1]}}),
        ({"dataframe_records": [{"a": 1}, {"a": 2}]}, {"dataframe_records": [{"a": 1}]}),
        ({"inputs": [[[1]], [[2]]], "params": {"n": [1, 2]}}, None),
        ({"instances": {"x": [1, 2], "data": [3, 4]}}, {"instances": {"x": [1], "data": [3]}}),
        ({"inputs": "text"}, {"inputs": "text"}),
        ({"messages": [1, 2]}, {"messages": [1, 2]}),
    ],
)
def test_first_row_is_of_the_form_of_the_request(
    request_: dict[str, Any], first: dict[str, Any] | None
) -> None:
    expected = first or {"inputs": [[[1]]], "params": {"n": [1, 2]}}
    assert ReferenceRows(request_, None).first_row() == expected
