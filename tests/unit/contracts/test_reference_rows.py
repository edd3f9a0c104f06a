"""Reference rows are read from a model directory as training wrote them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terna.contracts import reference_rows
from terna.contracts.scoring import Table
from terna.errors import BadRequest

ROWS = Table([[1.5, "none", True], [None, None, False]], ("minutes", "plan", "new"))


@pytest.mark.parametrize("labels", [["yes", "no"], [1, 0]])
def test_rows_and_labels_are_read_as_they_were_written(tmp_path: Path, labels: list[Any]) -> None:
    reference_rows.write(tmp_path, ROWS, labels)
    assert reference_rows.read(tmp_path) == (ROWS, labels)


@given(text=st.text(), number=st.floats(allow_nan=False, allow_infinity=False))
def test_any_text_and_number_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, text: str, number: float
) -> None:
    folder = tmp_path_factory.mktemp("model")
    rows = Table([[text, number]], ("text", "number"))
    reference_rows.write(folder, rows, [text])
    assert reference_rows.read(folder) == (rows, [text])


@pytest.mark.parametrize(
    "content",
    [
        "not JSON",
        "[1]",
        '{"predictions": ["no"]}',
        '{"inputs": [[1]]}',
        '{"inputs": [[1]], "predictions": 1}',
        '{"inputs": [[1]], "predictions": {"0": "no"}}',
    ],
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
    reference_rows.write(tmp_path, ROWS, ["yes", "no"])
    document = json.loads(Path(tmp_path, reference_rows.FILE).read_text())
    assert set(document) == {"dataframe_split", "predictions"}
