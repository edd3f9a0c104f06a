"""A model's columns, read from the document that serving gives of a real model."""

import copy
import json
from typing import Any

import pytest

from terna.erp.schema import Column, Schema
from terna.errors import DataError
from terna.serving.http import openapi
from tests.unit.workshop import Workshop

Document = dict[str, Any]


@pytest.fixture(scope="module")
def served(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Document:
    model = workshop.load(tmp_path_factory.mktemp("served") / "model")
    document: Document = json.loads(openapi.document(model))
    return document


@pytest.fixture
def document(served: Document) -> Document:
    """A copy that a test may change."""
    return copy.deepcopy(served)


def columns_of(document: Document) -> Document:
    """Return the columns in a document, by name."""
    request = document["components"]["schemas"]["Request"]["properties"]
    found: Document = request["dataframe_records"]["items"]["properties"]
    return found


def test_columns_are_in_the_models_order_with_their_kinds(document: Document) -> None:
    found = Schema.from_openapi(document)

    assert found.version == 1
    assert [(column.name, column.kind, column.required) for column in found.columns] == [
        ("minutes", "number", False),
        ("plan", "text", False),
        ("calls", "integer", True),
        ("vip", "boolean", True),
    ]


def test_text_has_the_value_of_the_models_example_and_numbers_have_none(
    document: Document, workshop: Workshop
) -> None:
    examples = {column.name: column.example for column in Schema.from_openapi(document).columns}

    assert examples.pop("plan") in set(workshop.customers["plan"])
    assert set(examples.values()) == {""}


def test_model_that_gives_probabilities_says_so(document: Document) -> None:
    assert Schema.from_openapi(document).probabilities

    request = document["components"]["schemas"]["Request"]["properties"]
    del request["params"]["properties"]["predict_method"]

    assert not Schema.from_openapi(document).probabilities


def test_model_without_an_example_has_columns_all_the_same(document: Document) -> None:
    content = document["paths"]["/invocations"]["post"]["requestBody"]["content"]
    del content["application/json"]["example"]

    assert {column.example for column in Schema.from_openapi(document).columns} == {""}


def test_saved_schema_is_read_as_it_was(document: Document) -> None:
    schema = Schema.from_openapi(document)

    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


@pytest.mark.parametrize(
    ("described", "column"),
    [
        ({"type": "string"}, Column("a", "text", True)),
        ({"type": ["string", "null"]}, Column("a", "text", False)),
        ({"type": "integer", "format": "int64"}, Column("a", "integer", True)),
        ({"type": ["number", "null"], "format": "double"}, Column("a", "number", False)),
        ({"type": ["boolean"]}, Column("a", "boolean", True)),
    ],
)
def test_column_is_required_where_it_takes_no_null(
    document: Document, described: Document, column: Column
) -> None:
    columns_of(document)["a"] = described

    assert Schema.from_openapi(document).columns[-1] == column


@pytest.mark.parametrize(
    "described",
    [
        {"type": "string", "format": "date-time"},
        {"type": "string", "contentEncoding": "base64"},
        {"type": ["string", "number"]},
        {"type": "null"},
    ],
)
def test_column_of_another_kind_is_refused_by_its_name(
    document: Document, described: Document
) -> None:
    columns_of(document)["since"] = described

    with pytest.raises(DataError, match="'since' holds other things"):
        Schema.from_openapi(document)


@pytest.mark.parametrize("described", [{}, {"type": "array"}, {"type": 1}, None, "text"])
def test_column_that_is_not_described_is_refused_in_one_line(
    document: Document, described: Any
) -> None:
    columns_of(document)["since"] = described

    with pytest.raises(DataError, match="of named columns: only such a model") as refused:
        Schema.from_openapi(document)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"info": None},
        {"components": {"schemas": {"Request": {"properties": {"inputs": {}}}}}},
    ],
)
def test_document_of_something_else_is_refused(other: Document) -> None:
    with pytest.raises(DataError, match="of named columns: only such a model"):
        Schema.from_openapi(other)


def test_version_that_is_no_number_is_refused(document: Document) -> None:
    document["info"]["version"] = "latest"

    with pytest.raises(DataError, match="of named columns"):
        Schema.from_openapi(document)
