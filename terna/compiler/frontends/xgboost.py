"""XGBoost's models, read from what they save: the library is not imported here."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from terna.compiler.frontends.lightgbm import _classified, _linked
from terna.compiler.ir.model import Scored
from terna.compiler.ir.plan import Largest, Link, Probabilities, Value
from terna.compiler.ir.trees import Ensemble, Tree, rounding_up
from terna.errors import NotCompilable

XGBOOST = {
    "binary:logistic": "expit",
    "reg:logistic": "expit",
    "multi:softprob": "softmax",
    "multi:softmax": "softmax",
    "count:poisson": "exp",
    "reg:gamma": "exp",
    "reg:tweedie": "exp",
    "reg:squarederror": "identity",
    "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity",
    "binary:logitraw": "identity",
}


def score_xgboost(model: Any) -> Scored:
    """An `xgboost.Booster`, or one of its scikit-learn classes.

    Raises:
        NotCompilable: it has categorical splits, or another booster or objective.
    """
    wrapped = hasattr(model, "get_booster")
    booster = model.get_booster() if wrapped else model
    if wrapped and not math.isnan(model.missing):
        raise NotCompilable("XGBoost with a missing value other than NaN is not compiled")
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    objective = learner["objective"]["name"]
    link = Link(_linked(XGBOOST, objective, "XGBoost"), narrow=True)
    ensemble = _xgboost_trees(learner, link, _rounds(model) if wrapped else 0)
    if wrapped and hasattr(model, "classes_"):
        return _classified(ensemble, link, list(range(model.n_classes_)), _half_single)
    if objective == "multi:softmax":
        labels = [float(label) for label in range(len(ensemble.baseline))]
        return Scored(ensemble, link, Largest(labels))
    return Scored(ensemble, link, Probabilities() if link.name == "softmax" else Value())


def _half_single(total: float, _scale: float) -> bool:
    """The same, in float32."""
    with np.errstate(over="ignore"):
        return bool(1 / (1 + np.exp(-np.float32(total))) > np.float32(0.5))


def _xgboost_trees(learner: Mapping[str, Any], link: Link, rounds: int) -> Ensemble:
    booster, about = learner["gradient_booster"], learner["learner_model_param"]
    if booster["name"] != "gbtree" or int(about["num_target"]) != 1:
        raise NotCompilable(f"XGBoost's {booster['name']} of several targets is not compiled")
    model, outputs = booster["model"], max(1, int(about["num_class"]))
    last = model["iteration_indptr"][rounds] if rounds else len(model["trees"])
    grown = zip(model["trees"][:last], model["tree_info"][:last], strict=True)
    baseline = tuple(_margins(json.loads(about["base_score"]), link, outputs))
    trees = [_xgboost_tree(tree, target) for tree, target in grown]
    return Ensemble(trees, baseline, takes_missing=True, narrow=True)


def _xgboost_tree(tree: Mapping[str, Any], target: int) -> Tree:
    """Cells are rounded to float32, and go left where they are less."""
    if any(tree["split_type"]):
        raise NotCompilable("XGBoost with categorical splits is not compiled")
    conditions = np.array(tree["split_conditions"], np.float32)
    below = np.nextafter(conditions, np.float32(-np.inf)).astype(np.float64)
    return Tree(
        feature=np.array(tree["split_indices"]),
        threshold=rounding_up(below),
        left=np.array(tree["left_children"]),
        right=np.array(tree["right_children"]),
        missing_left=np.array(tree["default_left"], bool),
        values=conditions.astype(np.float64)[:, None],
        target=target,
    )


def _margins(base: Any, link: Link, outputs: int) -> list[float]:
    """What XGBoost's sums start from, in float32."""
    scores = np.broadcast_to(np.array(base, np.float32), outputs)
    one = np.float32(1)
    if link.name == "expit":
        scores = -np.log(one / scores - one)
    if link.name == "exp":
        scores = np.log(scores)
    return [float(score) for score in scores]


def _rounds(model: Any) -> int:
    """Up to the best iteration, where training stopped early; 0 for all."""
    best = (
        getattr(model.get_booster(), "best_iteration", None)
        if model.early_stopping_rounds
        else None
    )
    return 0 if best is None else int(best) + 1
