"""The same requests for every model of a table: of its own rows, and of rows that do not fit."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from tests.integration.differential.corpus.case import (
    CSV,
    PARQUET,
    SECRET,
    Case,
    as_json,
    parquet,
)
from tests.integration.differential.models.tables import cells

LARGEST_LONG = 2**63 - 1


def cases(model: str, rows: pd.DataFrame) -> Iterator[Case]:
    """Yield the requests for a model that takes these rows."""
    table = _Table(model, rows)
    yield from table.forms()
    yield from table.files()
    yield from table.other_columns()
    yield from table.odd_cells()


class _Table:
    """A model's rows as a client has them. A text that is missing alone is a case of `words`."""

    def __init__(self, model: str, rows: pd.DataFrame) -> None:
        self.model = model
        self.names = [str(name) for name in rows]
        self.all = rows
        self.rows = rows.dropna(subset=list(rows.select_dtypes("str")))
        self.numbers: list[str] = [str(name) for name in rows.select_dtypes("number")]

    def forms(self) -> Iterator[Case]:
        records = self._records()
        columns = {name: [record[name] for record in records] for name in self.names}
        scalars = {name: values[0] for name, values in columns.items()}
        yield self._case("its first row", dataframe_split=self._split(self.rows[:1]))
        yield self._case("its second row", dataframe_records=records[1:2])
        yield self._case("its rows", dataframe_split=self._split(self.all))
        yield self._case("its rows as records", dataframe_records=self._records(self.all))
        yield self._case("its rows twenty times", dataframe_records=records * 20)
        for form in ("inputs", "instances"):
            yield self._case(f"its first row as {form}", **{form: records[:1]})
            yield self._case(f"its rows as {form}", **{form: records})
            yield self._case(f"its columns as {form}", **{form: columns})
            yield self._case(f"its first cells as {form}", **{form: scalars})
            yield self._case(f"the rows of none as {form}", **{form: []})
        yield self._case("no rows at all", dataframe_split=self._split(self.rows[:0]))
        yield self._case("its rows with params", dataframe_records=records, params={"threads": 1})

    def files(self) -> Iterator[Case]:
        for name, table in {"first row": self.rows[:1], "rows": self.all}.items():
            text = table.to_csv(index=False).encode()
            yield Case(f"its {name} as CSV", self.model, text, CSV)
            yield Case(f"its {name} as Parquet", self.model, parquet(table), PARQUET)

    def other_columns(self) -> Iterator[Case]:
        first, last = self.names[0], self.names[-1]
        yield self._case("its columns backwards", dataframe_split=self._split(self.all[::-1]))
        backwards = self.all[self.names[::-1]]
        yield self._case("its cells backwards", dataframe_split=self._split(backwards))
        more = self.rows.assign(who=SECRET)
        yield self._case("another column", dataframe_split=self._split(more))
        yield self._case("another column as inputs", inputs=self._records(more))
        less = self.rows.drop(columns=first)
        yield self._case("without its first column", dataframe_split=self._split(less))
        yield self._case(
            "without its last column", inputs=self._records(self.rows.drop(columns=last))
        )
        yield self._case("a row without its last cell", inputs=[*self._records()[:2], {first: 1}])

    def odd_cells(self) -> Iterator[Case]:
        """Each odd cell where a number is wanted, as a data frame and as arrays."""
        name = self.numbers[0]
        for what, cell in _ODD_CELLS.items():
            yield self._with(f"{what} for its first number", {name: cell}, "dataframe_records")
            yield self._with(f"{what} for its first number, as inputs", {name: cell}, "inputs")
        whole = next((n for n in self.numbers if self.rows[n].dtype.kind == "i"), name)
        yield self._with("2^63 - 1 for its whole number", {whole: LARGEST_LONG}, "inputs")
        yield self._with("a half for its whole number", {whole: 0.5}, "dataframe_records")
        nulls = dict.fromkeys(self.numbers)
        yield self._with("nulls for its numbers", nulls, "dataframe_records")
        yield self._with("nulls for its numbers, as instances", nulls, "instances")

    def _with(self, name: str, changes: dict[str, Any], form: str) -> Case:
        first, second, *_ = self._records()
        return self._case(name, **{form: [first | changes, second]})

    def _case(self, name: str, **document: Any) -> Case:
        return Case(name, self.model, as_json(**document))

    def _records(self, rows: pd.DataFrame | None = None) -> list[dict[str, Any]]:
        rows = self.rows if rows is None else rows
        return [dict(zip(map(str, rows), row, strict=True)) for row in cells(rows)]

    def _split(self, rows: pd.DataFrame) -> dict[str, Any]:
        return {"columns": [str(name) for name in rows], "data": cells(rows)}


_ODD_CELLS: dict[str, Any] = {
    "a null": None,
    "a whole number": 7,
    "zero": 0,
    "minus zero": -0.0,
    "a large number": 1e300,
    "a small number": -5e-324,
    "a long number": 0.1 + 0.2,
    "a text": SECRET,
    "a number's text": "12.5",
    "a truth": True,
    "a list": [1.5],
    "an object": {"who": SECRET},
}
