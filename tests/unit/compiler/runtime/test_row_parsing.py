"""Which rows a program reads itself, and that it reads them as MLflow does."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from terna.compiler.ir.plan import Number
from terna.compiler.runtime.compiled_model import CompiledModel
from tests.unit.compiler.models import (
    COLUMNS,
    PLANS,
    Compiled,
    as_loaded,
    at,
    customers,
    fitted,
    served,
)

pytestmark = pytest.mark.filterwarnings("ignore:Found unknown categories")

GOOD: list[Any] = [120.5, "basic", 3, True, "city 1"]
MODELS = {
    "forest": lambda: fitted(RandomForestClassifier(10, random_state=0)),
    "boosting": lambda: fitted(HistGradientBoostingClassifier(max_iter=10, random_state=0)),
    "linear": lambda: fitted(LogisticRegression(max_iter=1000), scaled=True),
}
COMPILED: dict[str, Compiled] = {}


def compiled(name: str) -> Compiled:
    """Fitted and compiled once."""
    if name not in COMPILED:
        COMPILED[name] = Compiled.of(as_loaded(at(0.4, MODELS[name]()), customers()))
    return COMPILED[name]


@pytest.fixture(params=MODELS)
def program(request: pytest.FixtureRequest) -> CompiledModel:
    return compiled(request.param).program


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
def test_a_cell_that_is_not_plainly_of_its_column_is_left_to_mlflow(
    program: CompiledModel, column: str, value: Any
) -> None:
    assert program.predict_rows([GOOD, changed(column, value)]) is None


@pytest.mark.parametrize("row", [[], GOOD[:-1], [*GOOD, 1]])
def test_a_row_with_too_few_or_too_many_cells_is_left_to_mlflow(
    program: CompiledModel, row: list[Any]
) -> None:
    assert program.predict_rows([GOOD, row]) is None


def test_no_rows_have_no_answers(program: CompiledModel) -> None:
    assert program.predict_rows([]) == []


@pytest.mark.parametrize(("column", "value"), [("minutes", 120), ("calls", 3.0)])
def test_a_number_may_be_written_with_and_without_its_point(
    program: CompiledModel, column: str, value: float
) -> None:
    assert program.predict_rows([changed(column, value)]) == program.predict_rows(
        [changed(column, float(value))]
    )
    assert program.predict_rows([changed(column, value)]) is not None


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
def test_whatever_rows_a_program_reads_it_answers_as_mlflow_does(
    name: str, rows: list[tuple[Any, ...]]
) -> None:
    answers = compiled(name).program.predict_rows(rows)

    if answers is not None:
        assert answers == served(compiled(name).model, [list(row) for row in rows])


@given(row=cells.filter(lambda row: not isinstance(row[0], float) or abs(row[0]) < 1e9))
def test_plain_rows_are_read(row: tuple[Any, ...]) -> None:
    plain = abs(row[0] or 0) < 2**53 and abs(row[2]) < 2**53 and f"{row[1]}{row[4]}".isprintable()

    assert (compiled("forest").program.predict_rows([row]) is not None) or not plain


def test_missing_numbers_take_their_own_way_down_the_trees() -> None:
    columns = compiled("forest").program.plan.columns
    minutes = next(c.cells for c in columns if c.name == "minutes")

    assert isinstance(minutes, Number)
    assert -math.inf in minutes.missing
