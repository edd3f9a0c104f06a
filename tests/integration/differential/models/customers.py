"""What Terna trains: pipelines that encode texts and fill in numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from terna.training import publish
from terna.training.prepare import build_pipeline, choose_features, model_inputs
from tests.integration.differential.models.model import Model, columns, save_sklearn
from tests.integration.differential.models.tables import (
    SAMPLE,
    classes,
    counts,
    customers,
    target,
)

TABLE = customers()
CHURN = TABLE.drop(columns="city").fillna({"minutes": 80.5, "plan": "basic"})
FEATURES = choose_features(TABLE)
LABELS = classes(TABLE, "no", "yes")
GROUPS = classes(TABLE, "low", "mean", "größer", '"top"')


def published(folder: Path, estimator: BaseEstimator | None = None) -> None:
    """Save a classifier with a threshold as `terna train` does: a forest, or one that is scaled."""
    table = CHURN.copy()
    labels = np.where(table["minutes"] + 10 * table["calls"] > 140, "yes", "no")
    table.loc[::7, "minutes"] = np.nan
    table.loc[::5, "plan"] = None
    features = choose_features(table)
    forest = RandomForestClassifier(10, random_state=0)
    classifier = build_pipeline(features, estimator or forest, scaled=estimator is not None)
    model = FixedThresholdClassifier(
        classifier, threshold=0.4, pos_label="yes", response_method="predict_proba"
    )
    inputs = model_inputs(table, features)
    identity = {"model": "churn", "run_id": "run1", "model_id": "m-1"}
    publish.write_model_directory(folder, model.fit(inputs, labels), inputs, identity, seed=0)


def pipeline(estimator: BaseEstimator, scaled: bool = False) -> BaseEstimator:
    """Return the pipeline that `terna train` builds; many one-hot columns are sparse."""
    return build_pipeline(FEATURES, estimator, scaled)


def dense_pipeline(estimator: BaseEstimator) -> BaseEstimator:
    """Return a pipeline whose one-hot columns are dense."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(
        ColumnTransformer(
            [("texts", texts, ["plan", "city"]), ("numbers", numbers, ["minutes", "calls"])]
        ),
        estimator,
    )


def sparse_pipeline(estimator: BaseEstimator) -> BaseEstimator:
    """Return a pipeline that hands a sparse matrix to the estimator."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = OneHotEncoder(handle_unknown="ignore")
    return make_pipeline(
        ColumnTransformer(
            [("texts", texts, ["plan", "city"]), ("numbers", numbers, ["minutes", "calls"])],
            sparse_threshold=1.0,
        ),
        estimator,
    )


def fits(model: BaseEstimator, learnt: Any) -> Callable[[Path], None]:
    """Return what fits a model to the customers and saves it."""

    def save(folder: Path) -> None:
        save_sklearn(folder, model.fit(TABLE, learnt), columns(TABLE))

    return save


def _compiled(model: BaseEstimator, learnt: Any) -> Model:
    return Model(fits(model, learnt), TABLE[:SAMPLE], compiled=True)


MODELS = {
    "churn": Model(published, CHURN[:SAMPLE], compiled=True),
    "logistic_dense": _compiled(dense_pipeline(LogisticRegression(max_iter=500)), LABELS),
    "logistic_sparse": _compiled(sparse_pipeline(LogisticRegression(max_iter=500)), GROUPS),
    "ridge": _compiled(dense_pipeline(Ridge()), target(TABLE)),
    "counts": Model(
        fits(dense_pipeline(PoissonRegressor(max_iter=500)), counts(TABLE)), TABLE[:SAMPLE]
    ),
    "calibrated_forest": _compiled(
        pipeline(CalibratedClassifierCV(RandomForestClassifier(8, random_state=0), cv=2)), GROUPS
    ),
    "calibrated_logistic": _compiled(
        pipeline(
            CalibratedClassifierCV(LogisticRegression(max_iter=500), method="isotonic", cv=2),
            scaled=True,
        ),
        LABELS,
    ),
    "tuned_threshold": _compiled(
        TunedThresholdClassifierCV(
            pipeline(GradientBoostingClassifier(n_estimators=8, random_state=0), scaled=True),
            scoring="balanced_accuracy",
            cv=2,
        ),
        LABELS == "yes",
    ),
    "groups": _compiled(pipeline(RandomForestClassifier(10, random_state=0)), GROUPS),
    "extra_trees": _compiled(pipeline(ExtraTreesRegressor(8, random_state=0)), target(TABLE)),
    "histograms": _compiled(
        pipeline(HistGradientBoostingClassifier(max_iter=10, random_state=0)),
        classes(TABLE, 1, 2, 3),
    ),
    "neighbours": Model(
        fits(pipeline(KNeighborsClassifier(), scaled=True), LABELS), TABLE[:SAMPLE]
    ),
}
