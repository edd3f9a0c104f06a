"""From any table of customers to a training table and a hold-out, or one line that says why not."""

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
from terna.training.acquire import holdout_mask
from terna.training.job import CHURN_FEATURES, CHURN_REQUEST, Job, TrainingRequest
from tests.unit.training.lab import Lab, customers, three_kinds

DAY = datetime.date(2026, 11, 21)
CLASSES = pd.Series(["yes", "no"] * 30)


def tidied(cells: Any) -> pd.Series:
    """A feature column as training sees it."""
    table = pd.DataFrame({"feature": cells, "churn": "no"})
    return acquire.tidy(table, "churn")["feature"]


def labels(cells: Any) -> list[Any]:
    """A target column as training sees it."""
    table = pd.DataFrame({"feature": 0, "churn": cells})
    return list(acquire.tidy(table, "churn")["churn"])


def refusal(lab: Lab, table: pd.DataFrame, **request: Any) -> str:
    with pytest.raises(DataError) as refused:
        lab.acquire(table, **request)
    assert len(str(refused.value).splitlines()) == 1
    assert lab.written() == []
    assert lab.runs.runs == {}
    return str(refused.value)


def test_the_churn_job_trains_on_rows_1_to_3333_and_holds_out_3334_to_5000(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    job = acquire.run(lab.session, CHURN_REQUEST)
    train = lab.workspace.read_table("train.parquet", "acquire")
    holdout = lab.workspace.read_table("holdout.parquet", "acquire")
    assert tuple(train.columns) == (*CHURN_FEATURES, "churn")
    assert (len(train), len(holdout)) == (3333, 1667)
    assert (train["churn"] == "yes").sum() == 483
    assert (train["account_length"].iloc[0], holdout["account_length"].iloc[0]) == (128, 101)
    assert (job.classes, job.positive) == (("no", "yes"), "yes")


def test_a_job_reads_as_it_was_written(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    job = lab.acquire(customers())
    assert Job.read(lab.workspace) == job


def test_a_missing_column_lists_the_columns(tmp_path: Path) -> None:
    known = "The columns are: calls, minutes, plan, region, churn."
    assert refusal(Lab(tmp_path), customers(), target="left").endswith(known)
    assert refusal(Lab(tmp_path), customers(), features=("calls", "age")) == (
        f"There is no column 'age'. {known}"
    )


def test_a_table_of_the_target_alone_is_refused(tmp_path: Path) -> None:
    assert "no column beside the target" in refusal(Lab(tmp_path), customers()[["churn"]])


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
def test_a_wrong_target_is_told(tmp_path: Path, target: Any, expected: str) -> None:
    assert expected in refusal(Lab(tmp_path), customers().assign(churn=target))


def test_a_class_that_the_holdout_lacks_is_told(tmp_path: Path) -> None:
    by_class = customers().sort_values("churn", ascending=False)
    said = refusal(Lab(tmp_path), by_class, holdout="1-20")
    assert "The class 'no' has no row in the hold-out" in said


def test_an_unknown_positive_class_names_the_two(tmp_path: Path) -> None:
    said = refusal(Lab(tmp_path), customers(), positive="maybe")
    assert said == "The target 'churn' has no class 'maybe': it has no and yes."


@pytest.mark.parametrize(
    "dates",
    [
        pd.to_datetime(["2026-11-21"] * 160),
        pd.to_datetime(["2026-11-21"] * 160).tz_localize("UTC"),
        [DAY] * 159 + [None],
    ],
)
def test_dates_are_told_with_a_way_out(tmp_path: Path, dates: Any) -> None:
    said = refusal(Lab(tmp_path), customers().assign(since=dates))
    assert "'since' holds dates" in said
    assert "--feature" in said


@pytest.mark.parametrize(
    "holdout", ["0", "1", "-0.5", "nan", "half", "0-10", "150-161", "20-10", "1-160", ""]
)
def test_a_holdout_that_cannot_be_is_told(tmp_path: Path, holdout: str) -> None:
    assert refusal(Lab(tmp_path), customers(), holdout=holdout)


def test_too_few_customers_are_told(tmp_path: Path) -> None:
    assert refusal(Lab(tmp_path), customers(4))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        pytest.param([1, 2], [1, 2], id="whole numbers"),
        pytest.param([1.5, None], [1.5, np.nan], id="numbers with a gap"),
        pytest.param([1, np.inf], [1, np.nan], id="infinity is no number of a customer"),
        pytest.param([True, False], [True, False], id="truth"),
        pytest.param([True, None], [1, np.nan], id="truth with a gap"),
        pytest.param([Decimal("1.5"), None], [1.5, np.nan], id="decimals of a database"),
        pytest.param(pd.array([1, None], dtype="Int64"), [1, np.nan], id="nullable numbers"),
        pytest.param(pd.array([True, None], dtype="boolean"), [1, np.nan], id="nullable truth"),
        pytest.param(pd.Categorical([1, 2]), [1, 2], id="categories that are numbers"),
    ],
)
def test_numbers_become_numbers(cells: Any, expected: list[Any]) -> None:
    found = tidied(cells)
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
def test_everything_else_becomes_text_and_none_nan_and_na_mean_missing(
    cells: Any, expected: list[str | None]
) -> None:
    pd.testing.assert_series_equal(
        tidied(cells), pd.Series(expected, dtype="str"), check_names=False
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
def test_labels_are_whole_numbers_or_text_and_customers_without_one_are_left_out(
    cells: Any, expected: list[Any]
) -> None:
    assert labels(cells) == expected


def test_the_positive_class_is_the_rarer_one_unless_named(tmp_path: Path) -> None:
    table = customers().assign(churn=[1] * 100 + [0] * 60)
    assert Lab(tmp_path).acquire(table).positive == 0
    assert Lab(tmp_path).acquire(table, positive="1").positive == 1


def test_more_than_two_classes_have_no_positive_one(tmp_path: Path) -> None:
    job = Lab(tmp_path).acquire(three_kinds())
    assert (job.classes, job.positive, job.binary) == (("bronze", "gold", "silver"), None, False)


def test_only_the_features_asked_for_are_kept_in_their_order(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.acquire(customers(), features=("plan", "calls"))
    assert list(lab.workspace.read_table("train.parquet", "acquire")) == ["plan", "calls", "churn"]


def test_a_column_with_dates_may_be_left_out(tmp_path: Path) -> None:
    table = customers().assign(since=pd.Timestamp("2026-11-21"))
    assert Lab(tmp_path).acquire(table, features=("calls", "plan"))


def test_a_random_holdout_keeps_the_classes_shares() -> None:
    target = pd.Series(["no"] * 80 + ["yes"] * 20)
    held_out = holdout_mask(target, "0.25", seed=0)
    assert target[held_out].value_counts().to_dict() == {"no": 20, "yes": 5}


def test_the_same_seed_holds_out_the_same_customers() -> None:
    first, again, other = (holdout_mask(CLASSES, "0.5", seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_range_of_rows_counts_from_1_and_holds_its_last_row() -> None:
    held_out = holdout_mask(CLASSES, "3-5", seed=0)
    assert np.flatnonzero(held_out).tolist() == [2, 3, 4]


def test_a_range_of_rows_counts_the_rows_of_the_source(tmp_path: Path) -> None:
    table = customers().assign(number=range(1, 161))
    table.loc[[0, 129], "churn"] = None
    lab = Lab(tmp_path)
    lab.acquire(table, holdout="121-160")
    held_out = lab.workspace.read_table("holdout.parquet", "acquire")["number"]
    assert sorted(held_out) == [n for n in range(121, 161) if n != 130]


def test_the_run_names_the_table_and_how_it_was_split(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.acquire(customers(), holdout="121-160")
    run = lab.main_run
    assert (run.name, run.status) == ("churn", "RUNNING")
    assert run.params == {"target": "churn", "rows": 120, "holdout_rows": 40}
    assert run.sources == [
        Source("churn", str(tmp_path / "customers.parquet"), run.sources[0].digest, 160)
    ]


def test_the_digest_tells_tables_apart(tmp_path: Path) -> None:
    lab, changed = Lab(tmp_path), customers()
    changed.loc[0, "minutes"] = 99
    for table in (customers(), customers(), changed):
        lab.acquire(table)
    first, again, other = (run.sources[0].digest for run in lab.runs.runs.values())
    assert first == again
    assert first != other


def test_the_password_of_a_database_is_not_kept(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    path = tmp_path / "customers.db"
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    customers().to_sql("customers", engine, index=False)
    engine.dispose()
    url = f"sqlite:///file:{path}?uri=true&password=s3cret"
    acquire.run(lab.session, TrainingRequest(url, "SELECT * FROM customers"))
    kept = [repr(lab.runs.runs), *lab.notes.said]
    kept += [path.read_bytes().decode(errors="replace") for path in lab.workspace.folder.iterdir()]
    assert not [text for text in kept if "s3cret" in text]


def test_without_tracking_nothing_is_written(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.registry.reachable = False
    with pytest.raises(TrackingUnreachable):
        lab.acquire(customers())
    assert lab.written() == []
    assert lab.runs.runs == {}


def test_tracking_that_refuses_closes_the_run_as_failed_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    lab = Lab(tmp_path)
    lab.runs.refuse_logging = True
    with pytest.raises(TrackingRefused):
        lab.acquire(customers())
    assert lab.written() == []
    assert lab.main_run.status == "FAILED"
