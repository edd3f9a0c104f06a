"""Models of several flavors and signatures, saved as MLflow saves them."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import mlflow.sklearn
import mlflow.xgboost
import numpy as np
import pandas as pd
import xgboost
from mlflow.models.signature import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier

from terna.training import publish
from terna.training.prepare import Features, build_pipeline, model_inputs

CODE = Path(__file__).parent / "code"
RANDOM = np.random.default_rng(0)
NONE: list[str] = []
"""No requirements: the model is served by the Python that made it."""


def save(folder: Path) -> dict[str, Path]:
    """Save every model, and return their folders by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about signatures and type hints
        for name, make in MODELS.items():
            make(folder / name)
    return {name: folder / name for name in MODELS}


def churn(folder: Path, estimator: BaseEstimator | None = None) -> None:
    """What Terna trains: text, missing values and a threshold."""
    count = 200
    table = pd.DataFrame(
        {
            "minutes": RANDOM.normal(100, 30, count),
            "plan": pd.Series(RANDOM.choice(["basic", "extra"], count), dtype="str"),
            "calls": RANDOM.integers(0, 9, count),
            "vip": RANDOM.random(count) < 0.3,
        }
    )
    leaves = np.where(table["minutes"] + 10 * table["calls"] > 140, "yes", "no")
    table.loc[::7, "minutes"] = np.nan
    table.loc[::5, "plan"] = None
    features = Features(("minutes", "calls", "vip"), ("plan",), tuple(table.columns))
    forest = RandomForestClassifier(10, random_state=0)
    model = FixedThresholdClassifier(
        build_pipeline(features, estimator or forest, scaled=estimator is not None),
        threshold=0.4,
        pos_label="yes",
        response_method="predict_proba",
    ).fit(model_inputs(table, features), leaves)
    identity = {"model": "churn", "run_id": "run1", "model_id": "m-1"}
    publish.write_model_directory(folder, model, model_inputs(table, features), identity, seed=0)


def price(folder: Path) -> None:
    """A regressor of numbers of every width."""
    table = pd.DataFrame(
        {
            "area": RANDOM.normal(80, 20, 50).astype("float32"),
            "rooms": RANDOM.integers(1, 6, 50).astype("int32"),
            "age": RANDOM.normal(30, 9, 50),
        }
    )
    model = LinearRegression().fit(table, table.sum(axis=1) * 1000 / 3)
    columns: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.float, "area"),
        ColSpec(DataType.integer, "rooms"),
        ColSpec(DataType.double, "age"),
    ]
    _save_sklearn(folder, model, ModelSignature(Schema(columns), Schema([ColSpec("double")])))


def iris(folder: Path) -> None:
    """One unnamed tensor, and a probability a class."""
    points = RANDOM.normal(size=(60, 4))
    model = LogisticRegression().fit(points, np.arange(60) % 3)
    tensor = Schema([TensorSpec(np.dtype("float64"), (-1, 4))])
    _save_sklearn(folder, model, ModelSignature(tensor), pyfunc_predict_fn="predict_proba")


def plain(folder: Path) -> None:
    """Scikit-learn without a signature."""
    points = RANDOM.normal(size=(60, 2))
    _save_sklearn(folder, LogisticRegression().fit(points, points[:, 0] > 0), None)


def boosted(folder: Path) -> None:
    """XGBoost's own booster: single-precision probabilities."""
    table = pd.DataFrame(RANDOM.normal(size=(80, 3)), columns=["x", "y", "z"])
    data = xgboost.DMatrix(table, label=(table["x"] > table["y"]).astype(int))
    model = xgboost.train({"objective": "binary:logistic", "nthread": 1}, data, 5)
    columns = Schema([ColSpec(DataType.double, name) for name in ("x", "y", "z")])
    mlflow.xgboost.save_model(
        model, str(folder), signature=ModelSignature(columns), pip_requirements=NONE
    )


def outputs(folder: Path) -> None:
    """Parameters, optional columns, dates, and whatever a model may return."""
    columns = Schema(
        [
            ColSpec(DataType.string, "text"),
            ColSpec(DataType.double, "number", required=False),
            ColSpec(DataType.datetime, "when", required=False),
            ColSpec(DataType.long, "whole", required=False),
            ColSpec(DataType.boolean, "truth", required=False),
            ColSpec(DataType.binary, "raw", required=False),
        ]
    )
    parameters = ParamSchema(
        [
            ParamSpec("kind", DataType.string, "columns"),
            ParamSpec("times", DataType.long, 1),
            ParamSpec("share", DataType.double, 0.5),
            ParamSpec("day", DataType.datetime, np.datetime64("2026-11-21")),
            ParamSpec("names", DataType.string, ["a"], (-1,)),
        ]
    )
    _save_code(folder, "outputs", ModelSignature(columns, params=parameters))


def tensors(folder: Path) -> None:
    schema = Schema(
        [
            TensorSpec(np.dtype("float64"), (-1, 2), "points"),
            TensorSpec(np.dtype("int64"), (-1,), "weight"),
        ]
    )
    _save_code(folder, "tensors", ModelSignature(schema))


def words(folder: Path) -> None:
    _save_code(folder, "words", ModelSignature(Schema([ColSpec(DataType.string, "text")])))


def anything(folder: Path) -> None:
    _save_code(folder, "anything", None)


def hinted(folder: Path) -> None:
    _save_code(folder, "hinted", None)


def _save_sklearn(
    folder: Path, model: Any, signature: ModelSignature | None, **options: Any
) -> None:
    mlflow.sklearn.save_model(
        model, str(folder), signature=signature, pip_requirements=NONE, **options
    )


def _save_code(folder: Path, name: str, signature: ModelSignature | None) -> None:
    code = str(CODE / f"{name}.py")
    mlflow.pyfunc.save_model(
        str(folder), python_model=code, signature=signature, pip_requirements=NONE
    )


MODELS: dict[str, Callable[[Path], None]] = {
    make.__name__: make
    for make in (
        churn,
        price,
        iris,
        plain,
        boosted,
        outputs,
        tensors,
        words,
        anything,
        hinted,
    )
}
