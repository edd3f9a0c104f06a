"""scikit-learn's fitted estimators, as sums over trees or weights, and what follows from a sum."""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
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

from terna.compiler.ir.plan import Largest, Link, Probabilities, Threshold, Value
from terna.compiler.tree_layout import Ensemble, Tree, rounding_up
from terna.errors import NotCompilable

Array = NDArray[Any]
Answer = Threshold | Largest | Value | Probabilities
ABOVE_ZERO = math.ulp(0.0)
"""The smallest sum that is more than 0."""


@dataclass(frozen=True)
class Weights:
    """A linear model."""

    weights: Array
    """Shape (features, outputs)."""
    intercepts: tuple[float, ...]
    takes_missing: bool = False


@dataclass(frozen=True)
class Scored:
    """A fitted estimator: features → sums → what its `predict` answers."""

    engine: Ensemble | Weights
    link: Link
    answer: Answer
    classes: tuple[Any, ...] = ()
    """Empty for a regression."""


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


def at_threshold(scored: Scored, threshold: float, positive: Any, method: str) -> Scored:
    """With labels that say whether the positive class's score reaches the threshold.

    `method` is the score: predict_proba or decision_function.
    """
    if len(scored.classes) != 2:
        raise NotCompilable("a threshold for a model without two classes is not compiled")
    number = scored.classes.index(positive)
    if scored.link.calibrators and method == "predict_proba":
        labels = scored.classes[1 - number], positive
        return replace(scored, answer=Threshold(number, threshold, *labels))
    negative = scored.classes[1 - number]
    if isinstance(scored.answer, Largest):
        if method != "predict_proba":
            raise NotCompilable("a threshold on the decision function of votes is not compiled")
        bound = first_sum(lambda total: total / scored.link.scale >= threshold)
        return replace(scored, answer=Threshold(number, bound, negative, positive))
    rises = number == 1
    reached = _reached(scored.link, threshold, method, rises)
    if rises:
        return replace(scored, answer=Threshold(0, first_sum(reached), negative, positive))
    bound = first_sum(lambda total: not reached(total))
    return replace(scored, answer=Threshold(0, bound, positive, negative))


def _reached(link: Link, threshold: float, method: str, rises: bool) -> Callable[[float], bool]:
    """Whether a sum's score reaches the threshold; `rises`: the score is of the second class."""
    from scipy.special import expit

    if method == "decision_function":
        return lambda total: bool((total if rises else -total) >= threshold)
    if rises:
        return lambda total: bool(expit(link.scale * total) >= threshold)
    return lambda total: bool(1 - expit(link.scale * total) >= threshold)


def first_sum(holds: Callable[[float], bool]) -> float:
    """The smallest double from which on `holds`: it must not cease to hold above."""
    low, high = _rank(-math.inf), _rank(math.inf)
    if holds(-math.inf):
        return -math.inf
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(_of_rank(middle)) else (middle, high)
    return _of_rank(high) if holds(_of_rank(high)) else math.nan


def _rank(number: float) -> int:
    """Doubles in their order, as whole numbers."""
    bits = int(struct.unpack("<q", struct.pack("<d", number))[0])
    return bits if bits >= 0 else -(bits & (2**63 - 1))


def _of_rank(rank: int) -> float:
    bits = rank if rank >= 0 else -rank - 2**63
    return float(struct.unpack("<d", struct.pack("<q", bits))[0])


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
