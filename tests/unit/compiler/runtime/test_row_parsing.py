"""Which rows a compiled model parses itself, and that it parses them as MLflow does."""

import math
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.pyfunc import PyFuncModel
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from terna.compiler.ir.plan import Number
from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.runtime.row_parsing import MANY_ROWS
from tests.unit.compiler.models import (
    COLUMNS,
    PLANS,
    as_loaded,
    customers,
    fitted,
    predict,
    verified,
    with_threshold,
)

pytestmark = pytest.mark.filterwarnings("ignore:Found unknown categories")

GOOD: list[Any] = [120.5, "basic", 3, True, "city 1"]
MODELS = {
    "forest": lambda: fitted(RandomForestClassifier(10, random_state=0)),
    "boosting": lambda: fitted(HistGradientBoostingClassifier(max_iter=10, random_state=0)),
    "linear": lambda: fitted(LogisticRegression(max_iter=1000), scaled=True),
}


@cache
def loaded(name: str) -> PyFuncModel:
    return as_loaded(with_threshold(0.4, MODELS[name]()), customers())


@cache
def compiled_once(name: str) -> CompiledModel:
    return verified(loaded(name))


@pytest.fixture(params=MODELS)
def compiled(request: pytest.FixtureRequest) -> CompiledModel:
    return compiled_once(request.param)


def changed(column: str, value: Any) -> list[Any]:
    return [value if c == column else v for c, v in zip(COLUMNS, GOOD, strict=True)]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("minutes", "a lot"),
        ("minutes", "120.5"),
        ("minutes", True),
        ("minutes", [120.5]),
        ("minutes", math.inf),
        ("minutes", -math.inf),
        ("minutes", 1e300),
        ("minutes", 10**400),
        ("plan", 42),
        ("plan", False),
        ("plan", ["basic"]),
        ("plan", {"name": "basic"}),
        ("plan", "basic \ud800"),
        ("calls", 3.5),
        ("calls", "3"),
        ("calls", True),
        ("calls", None),
        ("calls", math.nan),
        ("calls", 2**53 + 1),
        ("vip", 1),
        ("vip", "true"),
        ("vip", None),
    ],
)
def test_cell_not_strictly_of_its_type_needs_pyfunc(
    compiled: CompiledModel, column: str, value: Any
) -> None:
    assert compiled.predict_rows([GOOD, changed(column, value)]) is None


@pytest.mark.parametrize("row", [[], GOOD[:-1], [*GOOD, 1]])
def test_row_with_too_few_or_too_many_cells_needs_pyfunc(
    compiled: CompiledModel, row: list[Any]
) -> None:
    assert compiled.predict_rows([GOOD, row]) is None


def test_no_rows_have_no_predictions(compiled: CompiledModel) -> None:
    assert compiled.predict_rows([]) == []


@pytest.mark.parametrize(("column", "value"), [("minutes", 120), ("calls", 3.0)])
def test_number_may_be_written_with_and_without_its_point(
    compiled: CompiledModel, column: str, value: float
) -> None:
    assert compiled.predict_rows([changed(column, value)]) == compiled.predict_rows(
        [changed(column, float(value))]
    )
    assert compiled.predict_rows([changed(column, value)]) is not None


cells = st.tuples(
    st.one_of(
        st.none(),
        st.just(math.nan),
        st.floats(allow_infinity=False),
        st.sampled_from([0.0, -0.0, 5e-324, 2.0**53, -(2.0**53), 1e38, 3.5e38]),
        st.integers(-(2**60), 2**60),
        st.floats(60, 140),
    ),
    st.one_of(st.none(), st.sampled_from(PLANS), st.text(max_size=3)),
    st.one_of(st.integers(-5, 15), st.integers(-(2**62), 2**62), st.just(4.0)),
    st.booleans(),
    st.one_of(st.sampled_from(["city 1", "city 2", "city 60"]), st.text(max_size=3)),
)


@pytest.mark.parametrize("name", MODELS)
@given(rows=st.lists(cells, min_size=1, max_size=6))
def test_rows_that_are_parsed_get_the_predictions_of_pyfunc(
    name: str, rows: list[tuple[Any, ...]]
) -> None:
    predictions = compiled_once(name).predict_rows(rows)

    if predictions is not None:
        assert predictions == predict(loaded(name), [list(row) for row in rows])


@given(row=cells.filter(lambda row: not isinstance(row[0], float) or abs(row[0]) < 1e9))
def test_strictly_typed_rows_are_parsed(row: tuple[Any, ...]) -> None:
    strict = abs(row[0] or 0) < 2**53 and abs(row[2]) < 2**53 and f"{row[1]}{row[4]}".isprintable()

    assert (compiled_once("forest").predict_rows([row]) is not None) or not strict


def test_missing_numbers_that_go_left_are_minus_infinity() -> None:
    columns = compiled_once("forest").plan.columns
    minutes = next(c.cells for c in columns if c.name == "minutes")

    assert isinstance(minutes, Number)
    assert -math.inf in minutes.missing


@pytest.mark.parametrize("name", MODELS)
@given(rows=st.lists(cells, min_size=1, max_size=6))
def test_many_rows_are_parsed_as_few_of_them_are(name: str, rows: list[tuple[Any, ...]]) -> None:
    compiled = compiled_once(name)
    many = [row for row in rows for _ in range(MANY_ROWS)]

    few = compiled.predict_rows(rows)

    assert compiled.predict_rows(many) == (
        None if few is None else [label for label in few for _ in range(MANY_ROWS)]
    )


@pytest.mark.parametrize("row", [[], GOOD[:-1], [*GOOD, 1]])
def test_one_of_many_rows_with_too_few_or_too_many_cells_needs_pyfunc(
    compiled: CompiledModel, row: list[Any]
) -> None:
    assert compiled.predict_rows([GOOD] * MANY_ROWS + [row]) is None
