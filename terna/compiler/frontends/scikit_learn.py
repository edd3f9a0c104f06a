"""scikit-learn's fitted estimators, as sums over trees or weights, and what follows from a sum."""

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

from terna.compiler.ir.model import Scored, Weights
from terna.compiler.ir.plan import Largest, Link, Threshold, Value
from terna.compiler.ir.trees import Ensemble, Tree, rounding_up
from terna.errors import NotCompilable

Array = NDArray[Any]
ABOVE_ZERO = math.ulp(0.0)
"""The smallest sum that is more than 0."""


@singledispatch
def score(estimator: object) -> Scored:
    """What a fitted estimator computes.

    Raises:
        NotCompilable: it is of another kind, or uses something that is not known here.
    """
    raise NotCompilable(f"{type(estimator).__name__} is not compiled")


@score.register(RandomForestClassifier)
@score.register(ExtraTreesClassifier)
def _(forest: Any) -> Scored:
    trees = [_grown(tree.tree_) for tree in forest.estimators_]
    return _voting(forest, trees, forest.estimators_[0])


@score.register
def _(tree: DecisionTreeClassifier) -> Scored:
    return _voting(tree, [_grown(tree.tree_)], tree)


@score.register(RandomForestRegressor)
@score.register(ExtraTreesRegressor)
def _(forest: Any) -> Scored:
    _one_output(forest)
    trees = [_grown(tree.tree_) for tree in forest.estimators_]
    ensemble = Ensemble(trees, (0.0,), _takes_missing(forest.estimators_[0]))
    return Scored(ensemble, Link("mean", len(trees)), Value())


@score.register
def _(tree: DecisionTreeRegressor) -> Scored:
    _one_output(tree)
    ensemble = Ensemble([_grown(tree.tree_)], (0.0,), _takes_missing(tree))
    return Scored(ensemble, Link("identity"), Value())


@score.register
def _(boosting: HistGradientBoostingClassifier) -> Scored:
    if boosting.n_trees_per_iteration_ > 1:
        return _classified(boosting, _hist(boosting), Link("softmax"))
    return _classified(boosting, _hist(boosting), Link("expit"), ABOVE_ZERO)


@score.register
def _(boosting: HistGradientBoostingRegressor) -> Scored:
    return Scored(_hist(boosting), _inverse(boosting._loss.link), Value())


@score.register
def _(boosting: GradientBoostingClassifier) -> Scored:
    if boosting.n_trees_per_iteration_ > 1:
        return _classified(boosting, _staged(boosting), Link("softmax"))
    scale = 2.0 if boosting.loss == "exponential" else 1.0
    return _classified(boosting, _staged(boosting), Link("expit", scale), 0.0)


@score.register
def _(boosting: GradientBoostingRegressor) -> Scored:
    return Scored(_staged(boosting), Link("identity"), Value())


@score.register
def _(logistic: LogisticRegression) -> Scored:
    weights = Weights(logistic.coef_.T, tuple(map(float, logistic.intercept_)))
    if len(logistic.classes_) > 2:
        return _classified(logistic, weights, Link("softmax"))
    return _classified(logistic, weights, Link("expit"), ABOVE_ZERO)


@score.register(LinearRegression)
@score.register(Ridge)
@score.register(Lasso)
@score.register(ElasticNet)
def _(linear: Any) -> Scored:
    if np.ndim(linear.coef_) != 1:
        raise NotCompilable("a model of several targets is not compiled")
    weights = Weights(linear.coef_[:, None], (float(linear.intercept_),))
    return Scored(weights, Link("identity"), Value())


def _voting(estimator: Any, trees: list[Tree], one: Any) -> Scored:
    """Trees whose leaves hold each class's share."""
    _one_output(estimator)
    labels = estimator.classes_.tolist()
    ensemble = Ensemble(trees, (0.0,) * len(labels), _takes_missing(one))
    count = float(len(trees))
    return Scored(ensemble, Link("mean", count), Largest(labels, count), tuple(labels))


def _classified(
    estimator: Any, engine: Ensemble | Weights, link: Link, bound: float | None = None
) -> Scored:
    """By its one sum's bound, or by the largest of its sums."""
    labels = estimator.classes_.tolist()
    answer = Largest(labels) if bound is None else Threshold(0, bound, *labels)
    return Scored(engine, link, answer, tuple(labels))


def _grown(tree: Any, scale: float | None = None, target: int = 0) -> Tree:
    """One of scikit-learn's trees, which round cells to float32."""
    values = tree.value[:, 0, :]
    return Tree(
        feature=tree.feature,
        threshold=rounding_up(tree.threshold),
        left=tree.children_left,
        right=tree.children_right,
        missing_left=tree.missing_go_to_left.astype(bool),
        values=values if scale is None else scale * values,
        target=target,
    )


def _staged(boosting: Any) -> Ensemble:
    """scikit-learn's first gradient boosting: no missing values."""
    trees = [
        _grown(tree.tree_, boosting.learning_rate, target)
        for stage in boosting.estimators_
        for target, tree in enumerate(stage)
    ]
    return Ensemble(trees, _initial(boosting), takes_missing=False)


def _initial(boosting: Any) -> tuple[float, ...]:
    if not isinstance(boosting.init_, str | DummyClassifier | DummyRegressor):
        raise NotCompilable("gradient boosting on top of another estimator is not compiled")
    anywhere = np.zeros((1, boosting.n_features_in_), np.float32)
    return tuple(map(float, boosting._raw_predict_init(anywhere)[0]))


def _hist(boosting: Any) -> Ensemble:
    """scikit-learn's histogram gradient boosting, which compares doubles."""
    if boosting.is_categorical_ is not None and boosting.is_categorical_.any():
        raise NotCompilable("HistGradientBoosting with categorical columns is not compiled")
    trees = [
        _predictor(predictor.nodes, target)
        for stage in boosting._predictors
        for target, predictor in enumerate(stage)
    ]
    baseline = tuple(map(float, np.ravel(boosting._baseline_prediction)))
    return Ensemble(trees, baseline, takes_missing=True)


def _predictor(nodes: Array, target: int) -> Tree:
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


def _inverse(link: object) -> Link:
    names = {"IdentityLink": "identity", "LogLink": "exp"}
    if type(link).__name__ not in names:
        raise NotCompilable(f"a regression with {type(link).__name__} is not compiled")
    return Link(names[type(link).__name__])


def _takes_missing(tree: Any) -> bool:
    return bool(tree.__sklearn_tags__().input_tags.allow_nan)


def _one_output(estimator: Any) -> None:
    if estimator.n_outputs_ != 1:
        raise NotCompilable("a model of several targets is not compiled")
