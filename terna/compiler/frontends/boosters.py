"""XGBoost's and LightGBM's models, read from what they save: neither library is imported here."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terna.compiler.frontends.scikit_learn import Scored, first_sum
from terna.compiler.ir.plan import Largest, Link, Probabilities, Threshold, Value
from terna.compiler.tree_layout import Ensemble, Tree, rounding_up
from terna.errors import NotCompilable

Array = NDArray[Any]
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
LIGHTGBM = {
    "binary": "expit",
    "cross_entropy": "expit",
    "multiclass": "softmax",
    "poisson": "exp",
    "gamma": "exp",
    "tweedie": "exp",
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "fair": "identity",
    "quantile": "identity",
    "mape": "identity",
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


def score_lightgbm(model: Any) -> Scored:
    """A `lightgbm.Booster`, or one of its scikit-learn classes.

    Raises:
        NotCompilable: it has categorical or linear trees, or another boosting or objective.
    """
    wrapped = hasattr(model, "booster_")
    booster = model.booster_ if wrapped else model
    head, *blocks = booster.model_to_string().partition("end of trees")[0].split("\nTree=")
    about = _assigned(head)
    objective, *options = about["objective"].split()
    link = Link(_linked(LIGHTGBM, objective, "LightGBM"), _sigmoid(options))
    if "sqrt" in options or "average_output" in head.split():
        raise NotCompilable("LightGBM's square roots and random forests are not compiled")
    outputs = int(about["num_tree_per_iteration"])
    trees = [_lightgbm_tree(_assigned(b), number % outputs) for number, b in enumerate(blocks)]
    ensemble = Ensemble(trees, (0.0,) * outputs, takes_missing=True)
    if wrapped and hasattr(model, "classes_"):
        return _classified(ensemble, link, model.classes_.tolist(), _half)
    return Scored(ensemble, link, Probabilities() if link.name == "softmax" else Value())


def _classified(ensemble: Ensemble, link: Link, labels: Sequence[Any], half: Any) -> Scored:
    if link.name == "softmax":
        return Scored(ensemble, link, Largest(list(labels)), tuple(labels))
    answer = Threshold(0, first_sum(lambda total: half(total, link.scale)), *labels)
    return Scored(ensemble, link, answer, tuple(labels))


def _half(total: float, scale: float) -> bool:
    """Whether the second class has the larger share."""
    with np.errstate(over="ignore"):
        share = 1 / (1 + np.exp(-scale * np.float64(total)))
    return bool(share > 1 - share)


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


def _lightgbm_tree(tree: Mapping[str, str], target: int) -> Tree:
    """Inner nodes first, then leaves, whose number in a child's place is inverted."""
    values = _numbers(tree["leaf_value"])
    inner = len(values) - 1
    if int(tree["num_cat"]) or int(tree.get("is_linear", "0")):
        raise NotCompilable("LightGBM with categorical or linear trees is not compiled")
    if inner == 0:
        return _stump(values, target)
    threshold = _numbers(tree["threshold"])
    left, right = (_numbers(tree[side]).astype(int) for side in ("left_child", "right_child"))
    leaves = np.full(len(values), -1)
    return Tree(
        feature=np.concatenate([_numbers(tree["split_feature"]).astype(int), leaves]),
        threshold=np.concatenate([threshold, leaves]),
        left=np.concatenate([np.where(left < 0, inner + ~left, left), leaves]),
        right=np.concatenate([np.where(right < 0, inner + ~right, right), leaves]),
        missing_left=np.concatenate([_missing_left(tree, threshold), leaves > 0]),
        values=np.concatenate([np.zeros(inner), values])[:, None],
        target=target,
    )


def _missing_left(tree: Mapping[str, str], threshold: Array) -> Array:
    """LightGBM takes a missing value for 0 where training had none."""
    decision = _numbers(tree["decision_type"]).astype(int)
    kind = decision >> 2 & 3
    if (kind == 1).any():
        raise NotCompilable("LightGBM with zero as missing is not compiled")
    return np.where(kind == 0, threshold >= 0, decision & 2 != 0)


def _stump(values: Array, target: int) -> Tree:
    leaf = np.full(1, -1)
    return Tree(leaf, leaf.astype(float), leaf, leaf, leaf > 0, values[:, None], target)


def _linked(links: Mapping[str, str], objective: str, library: str) -> str:
    if objective not in links:
        raise NotCompilable(f"{library} with the objective {objective} is not compiled")
    return links[objective]


def _sigmoid(options: Sequence[str]) -> float:
    named = [option.partition(":")[2] for option in options if option.startswith("sigmoid:")]
    return float(named[0]) if named else 1.0


def _assigned(block: str) -> dict[str, str]:
    """The lines `name=value` of LightGBM's text."""
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _numbers(text: str) -> Array:
    return np.array([float(number) for number in text.split()])
