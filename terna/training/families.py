"""The kinds of models that `tune` lets compete, and the ranges in which it looks for each.

The random forest's ranges hold those of the published churn reference.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from optuna import Trial
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

Params = Mapping[str, Any]
Suggest = Callable[[Trial, str], Any]


@dataclass(frozen=True)
class Family:
    """One kind of model."""

    name: str
    estimator: Callable[..., BaseEstimator]
    space: Mapping[str, Suggest]
    default: Params
    """Where the search starts: the library's own choice."""
    scaled: bool = False
    """Whether it needs numbers scaled and without missing values."""

    def suggest(self, trial: Trial) -> Params:
        return {name: suggest(trial, self._key(name)) for name, suggest in self.space.items()}

    def start(self) -> Params:
        """The default as Optuna names it."""
        return {"family": self.name} | {self._key(k): v for k, v in self.default.items()}

    def build(self, params: Params, seed: int) -> BaseEstimator:
        return self.estimator(**params, random_state=seed)

    def _key(self, name: str) -> str:
        """Families share names, such as max_features, whose ranges differ."""
        return f"{self.name}.{name}"


def _whole(low: int, high: int, **how: Any) -> Suggest:
    return lambda trial, name: trial.suggest_int(name, low, high, **how)


def _real(low: float, high: float, **how: Any) -> Suggest:
    return lambda trial, name: trial.suggest_float(name, low, high, **how)


def _one_of(*choices: Any) -> Suggest:
    return lambda trial, name: trial.suggest_categorical(name, choices)


FOREST = Family(
    name="random_forest",
    estimator=RandomForestClassifier,
    space={
        "n_estimators": _whole(100, 500, step=50),
        "criterion": _one_of("gini", "entropy"),
        "max_depth": _whole(20, 100, step=10),
        "max_features": _real(0.2, 0.8, step=0.1),
        "min_samples_leaf": _whole(1, 4),
        "class_weight": _one_of(None, "balanced"),
    },
    default={
        "n_estimators": 100,
        "criterion": "gini",
        "max_depth": 20,
        "max_features": 0.3,
        "min_samples_leaf": 1,
        "class_weight": None,
    },
)

BOOSTING = Family(
    name="gradient_boosting",
    estimator=partial(HistGradientBoostingClassifier, early_stopping=False),
    space={
        "learning_rate": _real(0.02, 0.3, log=True),
        "max_iter": _whole(50, 300, step=25),
        "max_leaf_nodes": _whole(7, 63, log=True),
        "min_samples_leaf": _whole(5, 60, log=True),
        "l2_regularization": _real(1e-3, 10, log=True),
        "max_features": _real(0.3, 1.0, step=0.1),
    },
    default={
        "learning_rate": 0.1,
        "max_iter": 100,
        "max_leaf_nodes": 31,
        "min_samples_leaf": 20,
        "l2_regularization": 1e-3,
        "max_features": 1.0,
    },
)

LOGISTIC = Family(
    name="logistic_regression",
    estimator=partial(LogisticRegression, max_iter=1000),
    space={"C": _real(1e-3, 100, log=True), "class_weight": _one_of(None, "balanced")},
    default={"C": 1.0, "class_weight": None},
    scaled=True,
)

FAMILIES: Mapping[str, Family] = {family.name: family for family in (FOREST, BOOSTING, LOGISTIC)}
