"""Which version is in production, however people moved alias and stage."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.entities.model_registry import (
    ModelVersion,
    RegisteredModel,
    RegisteredModelAlias,
    RegisteredModelTag,
)

from terna.contracts.version import Version
from terna.registry.registry import ALIAS, PROMOTED_TAG, STAGE, production_number
from tests.fakes import MemoryRegistry

NAME = "churn"
VERSIONS = 3
numbers = st.none() | st.integers(1, VERSIONS)


def a_model(alias: int | None, stage: int | None, promoted: int | None) -> RegisteredModel:
    """As MLflow returns it; with another alias, stage and tag, which mean nothing."""
    aliases = [RegisteredModelAlias("challenger", "9")]
    tags = [RegisteredModelTag("team", "9")]
    latest = [ModelVersion(NAME, "9", 0, current_stage="Staging")]
    if alias:
        aliases.append(RegisteredModelAlias(ALIAS, str(alias)))
    if stage:
        latest.append(ModelVersion(NAME, str(stage), 0, current_stage=STAGE))
    if promoted:
        tags.append(RegisteredModelTag(PROMOTED_TAG, str(promoted)))
    return RegisteredModel(NAME, latest_versions=latest, tags=tags, aliases=aliases)


@pytest.mark.parametrize(
    ("alias", "stage", "promoted", "expected"),
    [
        pytest.param(None, None, None, None, id="nothing was ever promoted"),
        pytest.param(2, 2, 2, 2, id="promoted as a whole"),
        pytest.param(3, 2, 2, 3, id="a person moved the alias"),
        pytest.param(2, 3, 2, 3, id="a person moved the stage"),
        pytest.param(1, 2, 2, 1, id="a person moved the alias back"),
        pytest.param(2, 1, 2, 1, id="a person moved the stage back"),
        pytest.param(3, 1, 2, 3, id="a person moved both apart, and stages are deprecated"),
        pytest.param(3, 3, 2, 3, id="a person moved both together"),
        pytest.param(1, None, None, 1, id="only an alias"),
        pytest.param(None, 1, None, 1, id="only a stage"),
        pytest.param(2, None, 2, 2, id="a person archived the version"),
        pytest.param(None, 2, 2, 2, id="a person deleted the alias"),
        pytest.param(1, 2, None, 1, id="apart, and never promoted as a whole"),
    ],
)
def test_production_is_what_was_moved_last(
    alias: int | None, stage: int | None, promoted: int | None, expected: int | None
) -> None:
    assert production_number(a_model(alias, stage, promoted)) == expected


def test_several_versions_in_the_stage_give_the_newest() -> None:
    latest = [ModelVersion(NAME, str(n), 0, current_stage=STAGE) for n in (9, 10, 2)]
    assert production_number(RegisteredModel(NAME, latest_versions=latest)) == 10


@given(numbers, numbers, numbers)
def test_registry_in_memory_has_the_same_production(
    alias: int | None, stage: int | None, promoted: int | None
) -> None:
    registry = MemoryRegistry(Path("unused"))
    registry.versions[NAME] = [Version(NAME, n, "") for n in range(1, VERSIONS + 1)]
    for kept, number in (
        (registry.aliases, alias),
        (registry.stages, stage),
        (registry.promoted, promoted),
    ):
        if number:
            kept[NAME] = number
    found = registry.production(NAME)
    assert (found and found.number) == production_number(a_model(alias, stage, promoted))
