"""Requests, good and bad, that Terna and `mlflow models serve` must answer alike.

A case that is `OnPurpose` says why Terna answers otherwise, and with which status.
"""

from tests.integration.differential.corpus import (
    arrays,
    bodies,
    hints,
    named_rows,
    nested,
    outputs,
    tables,
)
from tests.integration.differential.corpus.case import Case
from tests.integration.differential.models import MODELS


def corpus() -> list[Case]:
    """Return every request, each to one model."""
    return [
        *named_rows.forms(),
        *named_rows.types(),
        *named_rows.signatures(),
        *named_rows.wrong_documents(),
        *named_rows.numbers(),
        *arrays.tensors(),
        *arrays.without_signature(),
        *arrays.plain_rows(),
        *arrays.texts(),
        *arrays.named_tensors(),
        *arrays.images(),
        *arrays.unnamed(),
        *hints.hints(),
        *nested.nested(),
        *nested.moments(),
        *outputs.parameters(),
        *outputs.optional_columns(),
        *outputs.outputs(),
        *outputs.optional(),
        *outputs.only_params(),
        *outputs.chats(),
        *bodies.content_types(),
        *bodies.tables(),
        *bodies.broken_bodies(),
        *(
            case
            for name, model in MODELS.items()
            if model.rows is not None
            for case in tables.cases(name, model.rows)
        ),
    ]
