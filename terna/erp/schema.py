"""A model's columns, as server 2 describes them, for those who ask it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from terna.errors import DataError

KINDS = {"boolean": "boolean", "integer": "integer", "number": "number", "string": "text"}
"""What JSON Schema calls a column's type, and what we call it."""


@dataclass(frozen=True)
class Column:
    """A column of the rows that the model takes."""

    name: str
    kind: str
    """`boolean`, `integer`, `number` or `text`."""
    required: bool
    """Whether the model needs a value: it takes no null here."""
    example: str = ""
    """A value of a text, where the model's own example has one."""


@dataclass(frozen=True)
class Schema:
    """What a version takes, and whether it gives probabilities."""

    version: int
    columns: tuple[Column, ...]
    probabilities: bool

    @classmethod
    def from_openapi(cls, document: Mapping[str, Any]) -> Self:
        """Read the document that server 2 gives at `/openapi.json`.

        Raises:
            DataError: the model takes other things than named columns of these kinds.
        """
        try:
            request = document["components"]["schemas"]["Request"]["properties"]
            items = request["dataframe_records"]["items"]
            columns, example = items["properties"], _example(document)
            return cls(
                int(document["info"]["version"]),
                tuple(_column(name, each, example.get(name)) for name, each in columns.items()),
                "predict_method" in request.get("params", {}).get("properties", {}),
            )
        except (KeyError, TypeError, ValueError):
            raise DataError(
                "Server 2 does not describe a model of named columns: only such a model has"
                " features in the ERP."
            ) from None

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Return the schema that `to_json` wrote."""
        columns = tuple(Column(**column) for column in saved["columns"])
        return cls(saved["version"], columns, saved["probabilities"])


def _column(name: str, described: Mapping[str, Any], example: Any) -> Column:
    types = described["type"]
    names = [types] if isinstance(types, str) else list(types)
    kinds = [KINDS[kind] for kind in names if kind != "null"]
    is_other = kinds == ["text"] and {"format", "contentEncoding"} & described.keys()
    if len(kinds) != 1 or is_other:
        raise DataError(
            f"The column {name!r} holds other things than numbers, yes or no, or texts: it cannot"
            " be a feature in the ERP."
        )
    return Column(name, kinds[0], "null" not in names, example if isinstance(example, str) else "")


def _example(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the row of the document's example, which is no customer's."""
    body = document["paths"]["/invocations"]["post"]["requestBody"]["content"]
    records = body["application/json"].get("example", {}).get("dataframe_records", [{}])
    return dict(records[0])
