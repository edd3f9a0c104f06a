"""Scikit-learn on numbers: regressors, clusters, several outputs, unnamed columns, no signature."""

from pathlib import Path

import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, TweedieRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tests.integration.differential.models.model import Model, columns, save_sklearn
from tests.integration.differential.models.tables import SAMPLE, classes, counts, numbers, target

TABLE = numbers()
RANDOM = np.random.default_rng(0)


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
    save_sklearn(folder, model, columns(table))


def iris(folder: Path) -> None:
    """One unnamed tensor, and a probability a class."""
    points = RANDOM.normal(size=(60, 4))
    model = LogisticRegression().fit(points, np.arange(60) % 3)
    tensor = Schema([TensorSpec(np.dtype("float64"), (-1, 4))])
    save_sklearn(folder, model, tensor, pyfunc_predict_fn="predict_proba")


def plain(folder: Path) -> None:
    """Scikit-learn without a signature."""
    points = RANDOM.normal(size=(60, 2))
    save_sklearn(folder, LogisticRegression().fit(points, points[:, 0] > 0), None)


def unnamed(folder: Path) -> None:
    """Columns that have types and no names."""
    points = RANDOM.normal(size=(60, 3))
    schema = Schema([ColSpec(DataType.double) for _ in range(3)])
    save_sklearn(folder, LinearRegression().fit(points, points.sum(axis=1) / 7), schema)


def numbered(folder: Path) -> None:
    """Columns whose names are numbers, and a probability a class."""
    points = pd.DataFrame(RANDOM.normal(size=(60, 3)))
    model = LogisticRegression().fit(points, np.arange(60) % 2)
    schema = infer_signature(points).inputs
    save_sklearn(folder, model, schema, pyfunc_predict_fn="predict_proba")


def several(folder: Path) -> None:
    """Several outputs a row."""
    learnt = np.column_stack([target(TABLE), -target(TABLE) / 3])
    save_sklearn(
        folder, RandomForestRegressor(5, random_state=0).fit(TABLE, learnt), columns(TABLE)
    )


def scaled(folder: Path, estimator: BaseEstimator, learnt: object = None) -> None:
    """Fit an estimator to scaled numbers and save it."""
    model = make_pipeline(StandardScaler(), estimator).fit(TABLE, learnt)
    save_sklearn(folder, model, columns(TABLE))


def vectors(folder: Path) -> None:
    """A support vector machine."""
    scaled(folder, SVC(), classes(TABLE, 0, 1, 2))


def clusters(folder: Path) -> None:
    """Numbers of clusters, of 32 bits."""
    scaled(folder, KMeans(3, random_state=0, n_init=1))


def gamma(folder: Path) -> None:
    """A generalized linear model."""
    scaled(folder, TweedieRegressor(power=2, link="log", max_iter=500), counts(TABLE) + 1)


def boosted_histograms(folder: Path) -> None:
    """A regressor that takes missing numbers."""
    model = HistGradientBoostingRegressor(loss="poisson", max_iter=10, random_state=0)
    save_sklearn(folder, model.fit(TABLE, counts(TABLE)), columns(TABLE))


MODELS = {
    "price": Model(price),
    "iris": Model(iris),
    "plain": Model(plain),
    "unnamed": Model(unnamed),
    "numbered": Model(numbered),
    "several": Model(several, TABLE[:SAMPLE]),
    "vectors": Model(vectors, TABLE[:SAMPLE]),
    "clusters": Model(clusters, TABLE[:SAMPLE]),
    "gamma": Model(gamma, TABLE[:SAMPLE]),
    "boosted_histograms": Model(boosted_histograms, TABLE[:SAMPLE], compiled=True),
}
