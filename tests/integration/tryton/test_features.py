"""Features of the model's schema, and what may not be one."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from trytond.model.exceptions import ValidationError
from trytond.pool import Pool

from terna.erp.schema import Column, Schema
from terna.erp.tryton import server2
from terna.erp.tryton.mapping import map_schema
from tests.integration.tryton.conftest import NAME, VALUES


def test_schema_gives_each_column_a_feature_of_its_type(endpoint: Any) -> None:
    found = {feature.name: (feature.type_, feature.required) for feature in endpoint.features}
    assert found == {
        "calls": ("integer", True),
        "minutes": ("float", False),
        "plan": ("selection", False),
        "vip": ("boolean", True),
    }


def test_choices_of_a_text_are_the_examples_and_those_that_are_given(endpoint: Any) -> None:
    (plan,) = [feature for feature in endpoint.features if feature.name == "plan"]
    assert plan.choices() == {"basic": "Basic"}
    schema = endpoint.described()
    told = map_schema(NAME, schema, {"plan": ["basic", "extra"]})
    assert told == ["choices: plan has extra too"]
    assert plan.choices() == {"basic": "Basic", "extra": "Extra"}


def test_features_are_in_the_schemas_order(endpoint: Any) -> None:
    columns = [column.name for column in endpoint.described().columns]
    assert [feature.name for feature in endpoint.features] == columns


@pytest.mark.usefixtures("endpoint")
def test_same_schema_changes_nothing() -> None:
    assert map_schema(*server2.read_schema()) == []


def test_other_schema_says_what_changed(endpoint: Any) -> None:
    schema = endpoint.described()
    columns = [column for column in schema.columns if column.name != "vip"]
    columns = [dataclasses.replace(c, kind="number") if c.name == "calls" else c for c in columns]
    changed = dataclasses.replace(schema, columns=(*columns, Column("tenure", "integer", True)))
    assert sorted(map_schema(NAME, changed)) == [
        "gone: vip, which is inactive now",
        "new: tenure (integer)",
        "type: calls was integer, is float",
    ]
    assert sorted(map_schema(NAME, schema)) == [
        "back: vip",
        "gone: tenure, which is inactive now",
        "type: calls was float, is integer",
    ]


@pytest.mark.parametrize(
    "name",
    ["name", "Surname", "e_mail", "PassportNumber", "street", "home_address", "free text", "notes"],
)
@pytest.mark.usefixtures("tryton")
def test_column_that_names_customers_is_no_feature(name: str) -> None:
    schema = Schema(1, (Column(name, "text", False),), False)
    with pytest.raises(ValidationError, match=f'"{name}" is named like'):
        map_schema("other", schema)


@pytest.mark.parametrize("choice", ["ada@example.org", "x: +386 41 555 123"])
def test_choice_that_reaches_somebody_is_no_feature(endpoint: Any, choice: str) -> None:
    (plan,) = [feature for feature in endpoint.features if feature.name == "plan"]
    plan.selection = choice if ":" in choice else f"{choice}: A"
    with pytest.raises(ValidationError, match="e-mail address or a phone number"):
        plan.save()


def test_list_of_choices_as_long_as_a_customer_table_is_no_feature(endpoint: Any) -> None:
    (plan,) = [feature for feature in endpoint.features if feature.name == "plan"]
    plan.selection = "\n".join(f"{number}: {number}" for number in range(501))
    with pytest.raises(ValidationError, match="more than 500 choices"):
        plan.save()


def test_feature_of_free_text_cannot_be_chosen(tryton: Pool, endpoint: Any) -> None:
    feature = {"endpoint": endpoint.id, "name": "hobby", "string": "Hobby", "type_": "char"}
    with pytest.raises(ValidationError):
        tryton.get("terna.feature").create([feature])


@pytest.mark.parametrize(
    ("name", "value"),
    [("minutes", "12"), ("calls", 1.5), ("calls", True), ("vip", 1), ("plan", "Ada Byron")],
)
def test_value_of_another_type_is_refused_by_its_title(
    customer: Callable[..., Any], name: str, value: Any
) -> None:
    with pytest.raises(ValidationError, match=f"^{name.capitalize()}: must be"):
        customer(**{name: value})


def test_value_of_no_feature_is_refused(customer: Callable[..., Any]) -> None:
    with pytest.raises(ValidationError, match='"shoe" is no feature of "Churn"'):
        customer(shoe=44)


def test_form_has_a_field_for_each_feature_that_is_missing_too(
    tryton: Pool, customer: Callable[..., Any]
) -> None:
    made = customer(minutes=None)
    (read,) = tryton.get("terna.customer.features").read([made.id], ["values"])
    assert read["values"] == VALUES | {"minutes": None}


@pytest.mark.usefixtures("endpoint")
def test_two_endpoints_may_have_features_of_one_name(tryton: Pool) -> None:
    map_schema("other", Schema(1, (Column("minutes", "integer", True),), False))
    other = tryton.get("terna.feature").search([("endpoint.name", "=", "other")])
    assert [(feature.name, feature.type_) for feature in other] == [("minutes", "integer")]


def test_change_of_a_value_makes_a_revision_and_keeps_the_one_before(
    tryton: Pool, customer: Callable[..., Any]
) -> None:
    made = customer()
    features = tryton.get("terna.customer.features")
    features.write([made], {"values": VALUES | {"calls": 9}})
    features.write([made], {"values": VALUES | {"calls": 9}})
    assert made.revision == 2
    assert features._history


def test_value_that_is_not_given_stays_and_none_removes_one(
    tryton: Pool, customer: Callable[..., Any]
) -> None:
    """The web client gives what its form has shown so far, which is nothing at first."""
    made = customer()
    features = tryton.get("terna.customer.features")
    features.write([made], {"values": {}})
    assert (made.values, made.revision) == (VALUES, 1)
    features.write([made], {"values": {"calls": 9, "minutes": None}})
    assert made.values == VALUES | {"calls": 9, "minutes": None}
    features.write([made], {"values": None})
    assert set(made.values.values()) == {None}
    assert made.revision == 3


def test_page_on_the_partys_form_has_the_endpoints_title(tryton: Pool, endpoint: Any) -> None:
    endpoint.title = "Will They Leave?"
    endpoint.save()
    party = tryton.get("party.party")
    view = party.fields_view_get(view_type="form")
    assert view["fields"]["customer_features"]["string"] == "Will They Leave?"
    assert 'name="customer_features"' in view["arch"]
