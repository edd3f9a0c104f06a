"""XGBoost, LightGBM and CatBoost, each saved in its own flavor."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import mlflow.catboost
import mlflow.lightgbm
import mlflow.xgboost
import numpy as np
import pandas as pd
import xgboost

from tests.integration.differential.models.model import Model, columns, options
from tests.integration.differential.models.tables import SAMPLE, classes, counts, numbers, target

TABLE = numbers()
POINTS = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 3)), columns=["x", "y", "z"])
TABLE.loc[::9, "income"] = np.nan


def boosted(folder: Path) -> None:
    """Single-precision probabilities."""
    data = xgboost.DMatrix(POINTS, label=(POINTS["x"] > POINTS["y"]).astype(int))
    model = xgboost.train({"objective": "binary:logistic", "nthread": 1}, data, 5)
    mlflow.xgboost.save_model(model, **options(folder, columns(POINTS)))


def booster_of_xgboost(objective: str, learnt: Any, **parameters: Any) -> Callable[[Path], None]:
    """Return what trains a booster of XGBoost's own and saves it."""

    def save(folder: Path) -> None:
        settings = {"objective": objective, "nthread": 1, "max_depth": 3, **parameters}
        model = xgboost.train(settings, xgboost.DMatrix(TABLE, label=learnt), 8)
        mlflow.xgboost.save_model(model, **options(folder, columns(TABLE)))

    return save


def booster_of_lightgbm(folder: Path) -> None:
    """A probability of each of three classes."""
    settings = {"objective": "multiclass", "num_class": 3, "num_threads": 1, "verbose": -1}
    data = lightgbm.Dataset(TABLE, label=classes(TABLE, 0, 1, 2))
    model = lightgbm.train(settings, data, 8)
    mlflow.lightgbm.save_model(model, **options(folder, columns(TABLE)))


def estimator(flavor: Any, model: Any, learnt: Any) -> Callable[[Path], None]:
    """Return what fits an estimator with scikit-learn's interface and saves it."""

    def save(folder: Path) -> None:
        flavor.save_model(model.fit(TABLE, learnt), **options(folder, columns(TABLE)))

    return save


def _model(save: Callable[[Path], None], compiled: bool = True) -> Model:
    return Model(save, TABLE[:SAMPLE], compiled)


XGBOOST: dict[str, Any] = {"n_estimators": 8, "max_depth": 3, "n_jobs": 1}
LIGHTGBM: dict[str, Any] = {"n_estimators": 8, "n_jobs": 1, "verbose": -1}
CATBOOST: dict[str, Any] = {"iterations": 8, "thread_count": 1, "verbose": 0}
CATBOOST["allow_writing_files"] = False

MODELS = {
    "boosted": Model(boosted, POINTS[:SAMPLE], compiled=True),
    "xgboost_softprob": _model(
        booster_of_xgboost("multi:softprob", classes(TABLE, 0, 1, 2, 3), num_class=4)
    ),
    "xgboost_poisson": _model(booster_of_xgboost("count:poisson", counts(TABLE))),
    "xgboost_classifier": _model(
        estimator(mlflow.xgboost, xgboost.XGBClassifier(**XGBOOST), classes(TABLE, 0, 1))
    ),
    "xgboost_regressor": _model(
        estimator(mlflow.xgboost, xgboost.XGBRegressor(**XGBOOST), target(TABLE))
    ),
    "lightgbm_booster": _model(booster_of_lightgbm),
    "lightgbm_classifier": _model(
        estimator(
            mlflow.lightgbm, lightgbm.LGBMClassifier(**LIGHTGBM), classes(TABLE, "a", "b", "ç")
        )
    ),
    "lightgbm_regressor": _model(
        estimator(mlflow.lightgbm, lightgbm.LGBMRegressor(**LIGHTGBM), target(TABLE))
    ),
    "catboost_classifier": _model(
        estimator(
            mlflow.catboost, catboost.CatBoostClassifier(**CATBOOST), classes(TABLE, "no", "yes")
        ),
        compiled=False,
    ),
    "catboost_regressor": _model(
        estimator(mlflow.catboost, catboost.CatBoostRegressor(**CATBOOST), target(TABLE)),
        compiled=False,
    ),
}
