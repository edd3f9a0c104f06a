"""The families of models: each fits customers, and its search space contains its defaults."""

import warnings

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution

from terna.training.acquire import clean
from terna.training.families import FAMILIES, FOREST, Family, Params
from terna.training.prepare import choose_features, model_inputs
from tests.unit.training.lab import customers, fit_family, three_classes

families = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def suggested(family: Family, seed: int) -> tuple[Params, dict[str, BaseDistribution]]:
    """Return one candidate, and the ranges that it was drawn from."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trial = study.ask()
    return family.suggest(trial), trial.distributions


@families
@pytest.mark.parametrize("classes", [2, 3])
def test_family_learns_who_leaves(family: Family, classes: int) -> None:
    table = clean(customers(seed=5) if classes == 2 else three_classes(seed=5), "churn")
    model = fit_family(family, classes=classes)
    rows = model_inputs(table, choose_features(table.drop(columns="churn")))
    right = float(np.mean(model.predict(rows) == table["churn"]))
    assert right > 0.7


@families
@pytest.mark.parametrize("seed", range(5))
def test_candidate_is_built_with_its_params(family: Family, seed: int) -> None:
    params, _ = suggested(family, seed)
    built = family.build(params, seed)
    assert built.get_params().items() >= {**params, "random_state": seed}.items()


@families
def test_defaults_are_in_search_space(family: Family) -> None:
    study = optuna.create_study()
    study.enqueue_trial(dict(family.default_trial()))
    trial = study.ask()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert family.suggest(trial) == family.default


def test_forest_search_space_contains_published_reference() -> None:
    _, ranges = suggested(FOREST, seed=0)
    for name, values in {
        "n_estimators": (100, 500),
        "max_depth": (20, 100),
        "criterion": ("gini", "entropy"),
        "class_weight": (None, "balanced"),
    }.items():
        kind = ranges[f"random_forest.{name}"]
        held = (
            kind.choices if isinstance(kind, CategoricalDistribution) else (kind.low, kind.high)  # type: ignore[attr-defined]
        )
        assert held == values
    assert "random_forest.max_features" in ranges


@families
def test_same_seed_gives_same_model(family: Family) -> None:
    table = clean(customers(seed=5), "churn")
    rows = model_inputs(table, choose_features(table.drop(columns="churn")))
    first, again = (fit_family(family, seed=1).predict_proba(rows) for _ in range(2))
    np.testing.assert_array_equal(first, again)
