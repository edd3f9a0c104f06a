"""The active model's description, for programs and for people."""

import json
from pathlib import Path
from typing import Any

import pytest

from terna.contracts.scoring import ScoringRequest
from terna.predictor.predictor import Predictor
from terna.serving.http import openapi
from tests.unit.workshop import COLUMNS, NAME, Workshop


@pytest.fixture(scope="module")
def model(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return workshop.load(tmp_path_factory.mktemp("described") / "model")


@pytest.fixture(scope="module")
def document(model: Predictor) -> Any:
    return json.loads(openapi.document(model), parse_constant=pytest.fail)


def test_document_names_version_columns_and_types(document: Any) -> None:
    assert document["info"]["title"] == NAME
    assert document["info"]["version"] == "1"
    request = document["components"]["schemas"]["Request"]["properties"]
    record = request["dataframe_records"]["items"]
    assert {name: kind["type"] for name, kind in record["properties"].items()} == {
        "minutes": ["number", "null"],
        "plan": ["string", "null"],
        "calls": "integer",
        "vip": "boolean",
    }
    assert record["required"] == list(COLUMNS)


def test_example_is_answered(document: Any, model: Predictor) -> None:
    content = document["paths"]["/invocations"]["post"]["requestBody"]["content"]
    example = content["application/json"]["example"]

    response = model.predict(ScoringRequest("application/json", json.dumps(example).encode()))

    assert json.loads(response.body)["predictions"] in (["yes"], ["no"])


def test_example_is_no_customer_of_the_model(document: Any, workshop: Workshop) -> None:
    content = document["paths"]["/invocations"]["post"]["requestBody"]["content"]
    (record,) = content["application/json"]["example"]["dataframe_records"]

    assert list(record.values()) not in workshop.rows()
    assert record["minutes"] not in workshop.customers["minutes"].tolist()


@pytest.mark.parametrize("path", ["/invocations", f"/v2/models/{NAME}/infer"])
def test_document_lists_each_error_status(document: Any, path: str) -> None:
    responses = document["paths"][path]["post"]["responses"]

    assert set(responses) == {
        *("200", "400", "401", "403", "413", "415", "429", "500", "503", "504")
    }
    assert "Retry-After" in responses["503"]["headers"]


def test_every_schema_is_referenced(document: Any) -> None:
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f'"$ref": "#/components/schemas/{name}"' in text
    assert text.count("$ref") >= len(document["components"]["schemas"])


def _with_a_hostile_name(folder: Path) -> None:
    about = folder / "MLmodel"
    about.write_text(about.read_text().replace('"minutes"', '"<script>alert(1)</script>"'))


def test_page_is_whole_and_loads_nothing_else(model: Predictor) -> None:
    page = openapi.page(model).decode()

    assert all(f"<td>{name}</td>" in page for name in COLUMNS)
    assert "$" not in page
    assert "//" not in page
    assert len(page) < 5000


def test_column_name_is_escaped_in_the_page(workshop: Workshop, tmp_path: Path) -> None:
    page = openapi.page(workshop.load(tmp_path / "model", _with_a_hostile_name)).decode()

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
