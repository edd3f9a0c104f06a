"""The kinds of models that compete: each fits customers as they are, and only trees are trusted."""

import warnings
from typing import Any

import numpy as np
import optuna
import pytest
import skops.io
from optuna.distributions import BaseDistribution, CategoricalDistribution
from sklearn.base import BaseEstimator

from terna.training import evaluate
from terna.training.acquire import tidy
from terna.training.families import FAMILIES, FOREST, Family, Params
from terna.training.job import Job
from terna.training.prepare import choose, inputs
from terna.training.tune import Tuned
from tests.unit.training.lab import customers, three_kinds

SMALL = {"n_estimators": 10, "max_iter": 10, "max_leaf_nodes": 7}
families = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def suggested(family: Family, seed: int) -> tuple[Params, dict[str, BaseDistribution]]:
    """One candidate, and the ranges that it was drawn from."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trial = study.ask()
    return family.suggest(trial), trial.distributions


def fitted(family: Family, seed: int = 0, kinds: int = 2, **params: Any) -> BaseEstimator:
    table = tidy(customers() if kinds == 2 else three_kinds(), "churn")
    classes = tuple(sorted(table["churn"].unique()))
    job = Job("run", "table", "churn", classes, "yes" if kinds == 2 else None, "0.25")
    small = {k: v for k, v in SMALL.items() if k in family.default}
    tuned = Tuned(family.name, {**family.default, **small, **params}, [None, 0.4][kinds == 2], 0)
    return evaluate.fit(tuned, job, choose(table.drop(columns="churn")), table, seed)


@families
@pytest.mark.parametrize("kinds", [2, 3])
def test_every_family_learns_who_leaves(family: Family, kinds: int) -> None:
    table = tidy(customers(seed=5) if kinds == 2 else three_kinds(seed=5), "churn")
    model = fitted(family, kinds=kinds)
    rows = inputs(table, choose(table.drop(columns="churn")))
    right = float(np.mean(model.predict(rows) == table["churn"]))
    assert right > 0.7


@families
@pytest.mark.parametrize("seed", range(5))
def test_every_candidate_can_be_built(family: Family, seed: int) -> None:
    params, _ = suggested(family, seed)
    built = family.build(params, seed)
    assert built.get_params().items() >= {**params, "random_state": seed}.items()


@families
def test_the_search_starts_within_its_ranges(family: Family) -> None:
    study = optuna.create_study()
    study.enqueue_trial(dict(family.start()))
    trial = study.ask()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert family.suggest(trial) == family.default


def test_the_forests_ranges_hold_those_of_the_published_reference() -> None:
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
def test_the_same_seed_gives_the_same_model(family: Family) -> None:
    table = tidy(customers(seed=5), "churn")
    rows = inputs(table, choose(table.drop(columns="churn")))
    first, again = (fitted(family, seed=1).predict_proba(rows) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@families
@pytest.mark.parametrize("kinds", [2, 3])
def test_skops_loads_every_family_by_trusting_our_listed_types(family: Family, kinds: int) -> None:
    content = skops.io.dumps(fitted(family, kinds=kinds))
    assert set(skops.io.get_untrusted_types(data=content)) <= set(evaluate.TRUSTED)
    skops.io.loads(content, trusted=list(evaluate.TRUSTED))


def test_no_type_is_trusted_without_need() -> None:
    needed = {
        kind
        for family in FAMILIES.values()
        for kind in skops.io.get_untrusted_types(data=skops.io.dumps(fitted(family)))
    }
    assert needed == set(evaluate.TRUSTED)
