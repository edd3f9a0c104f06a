"""Reads scikit-learn's fitted estimators, as sums over trees or weights."""

import math
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from terna.compiler.ir.model import ModelIR, Weights, classifier
from terna.compiler.ir.plan import Argmax, Postprocessor, Value
from terna.compiler.ir.trees import Ensemble, Tree, float32_boundary
from terna.errors import NotCompilable

Array = NDArray[Any]
ABOVE_ZERO = math.ulp(0.0)
"""The smallest sum that is more than 0."""
SOFTMAX = Postprocessor("numpy_softmax")
HISTOGRAM_SOFTMAX = Postprocessor("numpy_softmax_by_columns")
"""HistGradientBoosting keeps each class's sums side by side."""


@singledispatch
def convert_estimator(estimator: object) -> ModelIR:
    """Return what a fitted estimator computes.

    Raises:
        NotCompilable: it is of another class, or uses something that is not known here.
    """
    raise NotCompilable(f"{type(estimator).__name__} is not compiled")


@convert_estimator.register(RandomForestClassifier)
@convert_estimator.register(ExtraTreesClassifier)
def _(forest: Any) -> ModelIR:
    trees = [_tree(tree.tree_) for tree in forest.estimators_]
    return _by_votes(forest, trees, forest.estimators_[0])


@convert_estimator.register
def _(tree: DecisionTreeClassifier) -> ModelIR:
    return _by_votes(tree, [_tree(tree.tree_)], tree)


@convert_estimator.register(RandomForestRegressor)
@convert_estimator.register(ExtraTreesRegressor)
def _(forest: Any) -> ModelIR:
    _check_one_target(forest)
    trees = [_tree(tree.tree_) for tree in forest.estimators_]
    ensemble = Ensemble(trees, (0.0,), _takes_missing(forest.estimators_[0]))
    return ModelIR(ensemble, Postprocessor("mean", len(trees)), Value())


@convert_estimator.register
def _(tree: DecisionTreeRegressor) -> ModelIR:
    _check_one_target(tree)
    ensemble = Ensemble([_tree(tree.tree_)], (0.0,), _takes_missing(tree))
    return ModelIR(ensemble, Postprocessor("identity"), Value())


@convert_estimator.register
def _(boosting: HistGradientBoostingClassifier) -> ModelIR:
    if boosting.n_trees_per_iteration_ > 1:
        return _classifier(boosting, _histogram_trees(boosting), HISTOGRAM_SOFTMAX)
    return _classifier(boosting, _histogram_trees(boosting), Postprocessor("sigmoid"), ABOVE_ZERO)


@convert_estimator.register
def _(boosting: HistGradientBoostingRegressor) -> ModelIR:
    return ModelIR(_histogram_trees(boosting), _inverse_link(boosting._loss.link), Value())


@convert_estimator.register
def _(boosting: GradientBoostingClassifier) -> ModelIR:
    if boosting.n_trees_per_iteration_ > 1:
        return _classifier(boosting, _boosted_trees(boosting), SOFTMAX)
    scale = 2.0 if boosting.loss == "exponential" else 1.0
    return _classifier(boosting, _boosted_trees(boosting), Postprocessor("sigmoid", scale), 0.0)


@convert_estimator.register
def _(boosting: GradientBoostingRegressor) -> ModelIR:
    return ModelIR(_boosted_trees(boosting), Postprocessor("identity"), Value())


@convert_estimator.register
def _(logistic: LogisticRegression) -> ModelIR:
    weights = Weights(logistic.coef_.T, tuple(map(float, logistic.intercept_)))
    if len(logistic.classes_) > 2:
        return _classifier(logistic, weights, SOFTMAX)
    return _classifier(logistic, weights, Postprocessor("sigmoid"), ABOVE_ZERO)


@convert_estimator.register(LinearRegression)
@convert_estimator.register(Ridge)
@convert_estimator.register(Lasso)
@convert_estimator.register(ElasticNet)
def _(linear: Any) -> ModelIR:
    if np.ndim(linear.coef_) != 1:
        raise NotCompilable("a model of several targets is not compiled")
    weights = Weights(linear.coef_[:, None], (float(linear.intercept_),))
    return ModelIR(weights, Postprocessor("identity"), Value())


def _by_votes(estimator: Any, trees: list[Tree], first: Any) -> ModelIR:
    """Return a classifier by trees whose leaves hold each class's share.

    Args:
        first: one of scikit-learn's trees.
    """
    _check_one_target(estimator)
    labels = estimator.classes_.tolist()
    ensemble = Ensemble(trees, (0.0,) * len(labels), _takes_missing(first))
    count = float(len(trees))
    return ModelIR(ensemble, Postprocessor("mean", count), Argmax(labels, count), tuple(labels))


def _classifier(
    estimator: Any,
    engine: Ensemble | Weights,
    postprocessor: Postprocessor,
    bound: float | None = None,
) -> ModelIR:
    return classifier(engine, postprocessor, estimator.classes_.tolist(), bound)


def _tree(tree: Any, scale: float | None = None, target: int = 0) -> Tree:
    """Return one of scikit-learn's trees, which round cells to float32."""
    values = tree.value[:, 0, :]
    return Tree(
        feature=tree.feature,
        threshold=float32_boundary(tree.threshold),
        left=tree.children_left,
        right=tree.children_right,
        missing_left=tree.missing_go_to_left.astype(bool),
        values=values if scale is None else scale * values,
        target=target,
    )


def _boosted_trees(boosting: Any) -> Ensemble:
    """Return the trees of GradientBoosting, which takes no missing values."""
    trees = [
        _tree(tree.tree_, boosting.learning_rate, target)
        for stage in boosting.estimators_
        for target, tree in enumerate(stage)
    ]
    return Ensemble(trees, _initial_scores(boosting), takes_missing=False)


def _initial_scores(boosting: Any) -> tuple[float, ...]:
    if not isinstance(boosting.init_, str | DummyClassifier | DummyRegressor):
        raise NotCompilable("gradient boosting on top of another estimator is not compiled")
    any_row = np.zeros((1, boosting.n_features_in_), np.float32)
    return tuple(map(float, boosting._raw_predict_init(any_row)[0]))


def _histogram_trees(boosting: Any) -> Ensemble:
    """Return the trees of HistGradientBoosting, which compares doubles."""
    if boosting.is_categorical_ is not None and boosting.is_categorical_.any():
        raise NotCompilable("HistGradientBoosting with categorical columns is not compiled")
    trees = [
        _histogram_tree(predictor.nodes, target)
        for stage in boosting._predictors
        for target, predictor in enumerate(stage)
    ]
    base_scores = tuple(map(float, np.ravel(boosting._baseline_prediction)))
    return Ensemble(trees, base_scores, takes_missing=True)


def _histogram_tree(nodes: Array, target: int) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=nodes["num_threshold"],
        left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
        right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        values=nodes["value"][:, None],
        target=target,
    )


def _inverse_link(link: object) -> Postprocessor:
    """Return what undoes the link function of a regression's loss."""
    names = {"IdentityLink": "identity", "LogLink": "numpy_exponential"}
    if type(link).__name__ not in names:
        raise NotCompilable(f"a regression with {type(link).__name__} is not compiled")
    return Postprocessor(names[type(link).__name__])


def _takes_missing(tree: Any) -> bool:
    return bool(tree.__sklearn_tags__().input_tags.allow_nan)


def _check_one_target(estimator: Any) -> None:
    if estimator.n_outputs_ != 1:
        raise NotCompilable("a model of several targets is not compiled")
