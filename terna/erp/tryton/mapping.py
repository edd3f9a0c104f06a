"""Features made from a model's schema, and what changed when the schema did."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trytond.pool import Pool
from trytond.transaction import inactive_records

from terna.erp.schema import Column, Schema

TYPES = {"boolean": "boolean", "integer": "integer", "number": "float", "text": "selection"}
"""The type of a feature for each kind of column."""


def map_schema(
    name: str, schema: Schema, choices: Mapping[str, Sequence[str]] | None = None
) -> list[str]:
    """Make an endpoint's features from its model's schema; return a line for each change.

    A feature whose column is gone is set inactive: customers keep the values that they have.
    Titles, choices and the order of what is there already stay as people have made them.

    Args:
        choices: texts that a feature may have beside those that are known, by its name.

    Raises:
        trytond.model.exceptions.ValidationError: a column names customers.
    """
    Endpoint, Feature = (Pool().get(f"terna.{model}") for model in ("endpoint", "feature"))  # noqa: N806
    endpoint = _endpoint(Endpoint, name)
    with inactive_records():
        features = {each.name: each for each in Feature.search([("endpoint", "=", endpoint.id)])}
    changes = []
    for number, column in enumerate(schema.columns, 1):
        feature = features.pop(column.name, None)
        if feature is None:
            feature = _new(Feature, endpoint, number, column)
            changes.append(f"new: {column.name} ({feature.type_})")
        else:
            changes += _changes(feature, column)
        if feature.type_ == "selection":
            changes += _add_choices(feature, (choices or {}).get(column.name, ()))
        feature.save()
    for feature in features.values():
        if feature.active:
            feature.active = False
            feature.save()
            changes.append(f"gone: {feature.name}, which is inactive now")
    endpoint.schema, endpoint.version = json.dumps(schema.to_json()), schema.version
    endpoint.attempts, endpoint.next_attempt = 0, None
    endpoint.save()
    return changes


def title_of(name: str) -> str:
    """Return what a column is called on the screen: `total_day_minutes` → `Total day minutes`."""
    words = " ".join(name.replace("_", " ").split())
    return words[:1].upper() + words[1:]


def _endpoint(model: Any, name: str) -> Any:
    with inactive_records():
        found = model.search([("name", "=", name)])
    return found[0] if found else model(name=name, title=title_of(name))


def _new(model: Any, endpoint: Any, number: int, column: Column) -> Any:
    if endpoint.id is None or endpoint.id < 0:
        endpoint.save()
    return model(
        endpoint=endpoint,
        sequence=number,
        name=column.name,
        string=title_of(column.name),
        type_=TYPES[column.kind],
        required=column.required,
        selection=_lines([column.example]),
    )


def _changes(feature: Any, column: Column) -> Iterator[str]:
    """Yield what a column has changed of its feature, and change it."""
    if not feature.active:
        feature.active = True
        yield f"back: {column.name}"
    if feature.type_ != TYPES[column.kind]:
        yield f"type: {column.name} was {feature.type_}, is {TYPES[column.kind]}"
        feature.type_ = TYPES[column.kind]
    if feature.required != column.required:
        feature.required = column.required
        yield f"{'required' if column.required else 'optional'} now: {column.name}"


def _add_choices(feature: Any, texts: Sequence[str]) -> Iterator[str]:
    """Yield that a feature has new choices, and add them."""
    new = [text for text in texts if text and text not in feature.choices()]
    if new:
        feature.selection = "\n".join(filter(None, [feature.selection, _lines(new)]))
        yield f"choices: {feature.name} has {', '.join(new)} too"


def _lines(choices: Sequence[str]) -> str:
    """Return the lines of a selection: what is sent, and what it is called."""
    return "\n".join(f"{text}: {title_of(text)}" for text in choices if text)
