"""The families of models that `tune` searches, and the search space of each.

The random forest's space contains that of the published churn reference.
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
    """One family of models: its class, its search space and its default parameters."""

    name: str
    estimator: Callable[..., BaseEstimator]
    search_space: Mapping[str, Suggest]
    default: Params
    """What the search tries first: the library's own defaults, or near them."""
    scaled: bool = False
    """Whether numbers have to be imputed and scaled for it."""

    def suggest(self, trial: Trial) -> Params:
        """Let Optuna choose one candidate of the search space."""
        return {
            name: suggest(trial, self._qualify(name)) for name, suggest in self.search_space.items()
        }

    def default_trial(self) -> Params:
        """Return the default parameters under the names that they have in the Optuna study."""
        return {"family": self.name} | {self._qualify(k): v for k, v in self.default.items()}

    def build(self, params: Params, seed: int) -> BaseEstimator:
        """Build an estimator that is not fitted."""
        return self.estimator(**params, random_state=seed)

    def _qualify(self, name: str) -> str:
        """Prefix the family: several have a max_features, whose ranges differ."""
        return f"{self.name}.{name}"


def _integer(low: int, high: int, **how: Any) -> Suggest:
    return lambda trial, name: trial.suggest_int(name, low, high, **how)


def _float(low: float, high: float, **how: Any) -> Suggest:
    return lambda trial, name: trial.suggest_float(name, low, high, **how)


def _categorical(*choices: Any) -> Suggest:
    return lambda trial, name: trial.suggest_categorical(name, choices)


FOREST = Family(
    name="random_forest",
    estimator=RandomForestClassifier,
    search_space={
        "n_estimators": _integer(100, 500, step=50),
        "criterion": _categorical("gini", "entropy"),
        "max_depth": _integer(20, 100, step=10),
        "max_features": _float(0.2, 0.8, step=0.1),
        "min_samples_leaf": _integer(1, 4),
        "class_weight": _categorical(None, "balanced"),
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
    search_space={
        "learning_rate": _float(0.02, 0.3, log=True),
        "max_iter": _integer(50, 300, step=25),
        "max_leaf_nodes": _integer(7, 63, log=True),
        "min_samples_leaf": _integer(5, 60, log=True),
        "l2_regularization": _float(1e-3, 10, log=True),
        "max_features": _float(0.3, 1.0, step=0.1),
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
    search_space={"C": _float(1e-3, 100, log=True), "class_weight": _categorical(None, "balanced")},
    default={"C": 1.0, "class_weight": None},
    scaled=True,
)

FAMILIES: Mapping[str, Family] = {family.name: family for family in (FOREST, BOOSTING, LOGISTIC)}
