"""A table becomes a training table and a hold-out, or raises an error of one line."""

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy

from terna.errors import DataError, TrackingRefused, TrackingUnreachable
from terna.registry.runs import Source
from terna.training import acquire
from terna.training.acquire import split_holdout
from terna.training.job import CHURN_FEATURES, CHURN_REQUEST, TrainingRequest
from tests.unit.training.lab import Lab, customers, three_classes

DAY = datetime.date(2026, 11, 21)
TABLE = pd.DataFrame({"churn": ["yes", "no"] * 30})


def cleaned(cells: Any) -> pd.Series:
    """Clean a feature column."""
    table = pd.DataFrame({"feature": cells, "churn": "no"})
    return acquire.clean(table, "churn")["feature"]


def labels(cells: Any) -> list[Any]:
    """Clean a target column."""
    table = pd.DataFrame({"feature": 0, "churn": cells})
    return list(acquire.clean(table, "churn")["churn"])


def error_message(lab: Lab, table: pd.DataFrame, **request: Any) -> str:
    """Return the one line that says why; nothing must be left behind."""
    with pytest.raises(DataError) as raised:
        lab.acquire(table, **request)
    assert len(str(raised.value).splitlines()) == 1
    assert lab.written() == []
    assert lab.runs.runs == {}
    return str(raised.value)


def test_churn_request_trains_on_rows_1_to_3333_and_holds_out_the_others(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    job = acquire.run(lab.session, CHURN_REQUEST)
    train = lab.workspace.read_table("train.parquet", "acquire")
    holdout = lab.workspace.read_table("holdout.parquet", "acquire")
    assert tuple(train.columns) == (*CHURN_FEATURES, "churn")
    assert (len(train), len(holdout)) == (3333, 1667)
    assert (train["churn"] == "yes").sum() == 483
    assert (train["account_length"].iloc[0], holdout["account_length"].iloc[0]) == (128, 101)
    assert (job.classes, job.positive) == (("no", "yes"), "yes")


def test_missing_column_error_lists_columns(tmp_path: Path) -> None:
    known = "The columns are: calls, minutes, plan, region, churn."
    assert error_message(Lab(tmp_path), customers(), target="left").endswith(known)
    assert error_message(Lab(tmp_path), customers(), features=("calls", "age")) == (
        f"There is no column 'age'. {known}"
    )


def test_table_without_features_raises_data_error(tmp_path: Path) -> None:
    assert "no column beside the target" in error_message(Lab(tmp_path), customers()[["churn"]])


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (np.linspace(0, 1, 160), "160 distinct values: choose a column with 2 to 50 classes"),
        (["no"] * 160, "one class only"),
        ([None] * 160, "one class only"),
        (["no"] * 156 + ["yes"] * 4, "The class 'yes' has 3 rows to train on and needs 4"),
        (["no"] * 159 + ["yes"], "The class 'yes' has 1 rows to train on and needs 4"),
    ],
)
def test_unusable_target_error_says_why(tmp_path: Path, target: Any, expected: str) -> None:
    assert expected in error_message(Lab(tmp_path), customers().assign(churn=target))


def test_class_missing_in_holdout_raises_data_error(tmp_path: Path) -> None:
    by_class = customers().sort_values("churn", ascending=False)
    message = error_message(Lab(tmp_path), by_class, holdout="1-20")
    assert "The class 'no' has no row in the hold-out" in message


def test_unknown_positive_class_error_names_both_classes(tmp_path: Path) -> None:
    message = error_message(Lab(tmp_path), customers(), positive="maybe")
    assert message == "The target 'churn' has no class 'maybe': it has no and yes."


@pytest.mark.parametrize(
    "dates",
    [
        pd.to_datetime(["2026-11-21"] * 160),
        pd.to_datetime(["2026-11-21"] * 160).tz_localize("UTC"),
        [DAY] * 159 + [None],
    ],
)
def test_date_column_error_suggests_fix(tmp_path: Path, dates: Any) -> None:
    message = error_message(Lab(tmp_path), customers().assign(since=dates))
    assert "'since' holds dates" in message
    assert "--feature" in message


@pytest.mark.parametrize(
    "holdout", ["0", "1", "-0.5", "nan", "half", "0-10", "150-161", "20-10", "1-160", ""]
)
def test_unusable_holdout_raises_data_error(tmp_path: Path, holdout: str) -> None:
    assert error_message(Lab(tmp_path), customers(), holdout=holdout)


def test_too_few_rows_raise_data_error(tmp_path: Path) -> None:
    assert error_message(Lab(tmp_path), customers(4))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        pytest.param([1, 2], [1, 2], id="whole numbers"),
        pytest.param([1.5, None], [1.5, np.nan], id="numbers with a gap"),
        pytest.param([1, np.inf], [1, np.nan], id="infinity is missing"),
        pytest.param([True, False], [True, False], id="booleans"),
        pytest.param([True, None], [1, np.nan], id="booleans with a gap"),
        pytest.param([Decimal("1.5"), None], [1.5, np.nan], id="decimals of a database"),
        pytest.param(pd.array([1, None], dtype="Int64"), [1, np.nan], id="nullable numbers"),
        pytest.param(pd.array([True, None], dtype="boolean"), [1, np.nan], id="nullable booleans"),
        pytest.param(pd.Categorical([1, 2]), [1, 2], id="categories that are numbers"),
    ],
)
def test_numbers_and_booleans_become_numeric(cells: Any, expected: list[Any]) -> None:
    found = cleaned(cells)
    assert pd.api.types.is_numeric_dtype(found)
    np.testing.assert_array_equal(found.to_numpy(dtype="float64"), expected)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        pytest.param(["a", None], ["a", None], id="text with a gap"),
        pytest.param(pd.Series(["a", float("nan")], dtype=object), ["a", None], id="NaN"),
        pytest.param(pd.Series(["a", pd.NA], dtype=object), ["a", None], id="NA"),
        pytest.param(pd.Categorical(["a", None]), ["a", None], id="categories"),
        pytest.param([1, "a"], ["1", "a"], id="numbers among text"),
        pytest.param([None, None], [None, None], id="nothing"),
    ],
)
def test_other_values_become_text_and_null_values_stay_missing(
    cells: Any, expected: list[str | None]
) -> None:
    pd.testing.assert_series_equal(
        cleaned(cells), pd.Series(expected, dtype="str"), check_names=False
    )


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([1, 0], [1, 0]),
        ([1.0, 0.0, None], [1, 0]),
        ([0.5, 1.0], ["0.5", "1.0"]),
        ([True, False], ["True", "False"]),
        ([True, None, False], ["True", "False"]),
        (["yes", None, "no"], ["yes", "no"]),
        (pd.Categorical(["yes", "no"]), ["yes", "no"]),
        (pd.array([1, None, 0], dtype="Int64"), [1, 0]),
    ],
)
def test_labels_become_integers_or_text_and_rows_without_one_are_dropped(
    cells: Any, expected: list[Any]
) -> None:
    assert labels(cells) == expected


def test_positive_class_defaults_to_the_rarer_one(tmp_path: Path) -> None:
    table = customers().assign(churn=[1] * 100 + [0] * 60)
    assert Lab(tmp_path).acquire(table).positive == 0
    assert Lab(tmp_path).acquire(table, positive="1").positive == 1


def test_more_than_two_classes_have_no_positive_class(tmp_path: Path) -> None:
    job = Lab(tmp_path).acquire(three_classes())
    assert (job.classes, job.positive, job.binary) == (("bronze", "gold", "silver"), None, False)


def test_requested_features_keep_their_order(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.acquire(customers(), features=("plan", "calls"))
    assert list(lab.workspace.read_table("train.parquet", "acquire")) == ["plan", "calls", "churn"]


def test_date_column_that_is_not_requested_is_ignored(tmp_path: Path) -> None:
    table = customers().assign(since=pd.Timestamp("2026-11-21"))
    assert Lab(tmp_path).acquire(table, features=("calls", "plan"))


def test_random_holdout_is_stratified() -> None:
    table = pd.DataFrame({"churn": ["no"] * 80 + ["yes"] * 20})
    train, holdout = split_holdout(table, "churn", "0.25", seed=0)
    assert train["churn"].value_counts().to_dict() == {"no": 60, "yes": 15}
    assert holdout["churn"].value_counts().to_dict() == {"no": 20, "yes": 5}


def test_same_seed_gives_same_holdout() -> None:
    first, again, other = (
        split_holdout(TABLE, "churn", "0.5", seed)[1].index.to_list() for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_range_of_rows_counts_from_1_and_includes_its_last_row() -> None:
    train, holdout = split_holdout(TABLE, "churn", "3-5", seed=0)
    assert holdout.index.to_list() == [2, 3, 4]
    assert train.index.to_list() == [0, 1, *range(5, 60)]


def test_range_of_rows_counts_rows_without_target_too(tmp_path: Path) -> None:
    table = customers().assign(number=range(1, 161))
    table.loc[[0, 129], "churn"] = None
    lab = Lab(tmp_path)
    lab.acquire(table, holdout="121-160")
    held_out = lab.workspace.read_table("holdout.parquet", "acquire")["number"]
    assert sorted(held_out) == [n for n in range(121, 161) if n != 130]


def test_run_logs_source_and_split(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.acquire(customers(), holdout="121-160")
    run = lab.main_run
    assert (run.name, run.status) == ("churn", "RUNNING")
    assert run.params == {"target": "churn", "rows": 120, "holdout_rows": 40}
    assert run.sources == [
        Source("churn", str(tmp_path / "customers.parquet"), run.sources[0].digest, 160)
    ]


def test_digest_differs_between_tables(tmp_path: Path) -> None:
    lab, changed = Lab(tmp_path), customers()
    changed.loc[0, "minutes"] = 99
    for table in (customers(), customers(), changed):
        lab.acquire(table)
    first, again, other = (run.sources[0].digest for run in lab.runs.runs.values())
    assert first == again
    assert first != other


def test_database_password_is_not_stored(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    path = tmp_path / "customers.db"
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    customers().to_sql("customers", engine, index=False)
    engine.dispose()
    url = f"sqlite:///file:{path}?uri=true&password=s3cret"
    acquire.run(lab.session, TrainingRequest(url, "SELECT * FROM customers"))
    kept = [repr(lab.runs.runs), *lab.reporter.said]
    kept += [path.read_bytes().decode(errors="replace") for path in lab.workspace.folder.iterdir()]
    assert not [text for text in kept if "s3cret" in text]


def test_unreachable_tracking_server_leaves_nothing_written(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.registry.reachable = False
    with pytest.raises(TrackingUnreachable):
        lab.acquire(customers())
    assert lab.written() == []
    assert lab.runs.runs == {}


def test_refused_logging_closes_run_as_failed_and_writes_nothing(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path)
    lab.runs.refuse_logging = True
    with pytest.raises(TrackingRefused):
        lab.acquire(customers())
    assert lab.written() == []
    assert lab.main_run.status == "FAILED"
