"""Reads XGBoost's models from what they save: the library is not imported here."""

import ctypes
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from terna.compiler.ir.model import ModelIR, classifier, lowest_sum
from terna.compiler.ir.plan import Argmax, Postprocessor, Probabilities, Value
from terna.compiler.ir.trees import Ensemble, Tree, float32_boundary
from terna.errors import NotCompilable

POSTPROCESSORS = {
    "binary:logistic": "sigmoid",
    "reg:logistic": "sigmoid",
    "multi:softprob": "softmax",
    "multi:softmax": "softmax",
    "count:poisson": "exponential",
    "reg:gamma": "exponential",
    "reg:tweedie": "exponential",
    "reg:squarederror": "identity",
    "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity",
    "binary:logitraw": "identity",
}
"""By objective."""


def convert_xgboost(model: Any) -> ModelIR:
    """Read an `xgboost.Booster`, or one of its scikit-learn classes.

    Raises:
        NotCompilable: it has categorical splits, or another booster or objective.
    """
    wrapped = hasattr(model, "get_booster")
    booster = model.get_booster() if wrapped else model
    if wrapped and not math.isnan(model.missing):
        raise NotCompilable("XGBoost with a missing value other than NaN is not compiled")
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    objective = learner["objective"]["name"]
    postprocessor = _postprocessor(objective)
    ensemble = _ensemble(learner, postprocessor, _rounds(model) if wrapped else 0)
    softmax = postprocessor.name == "softmax"
    if wrapped and hasattr(model, "classes_"):
        bound = None if softmax else lowest_sum(_is_second_class)
        return classifier(ensemble, postprocessor, range(model.n_classes_), bound)
    if objective == "multi:softmax":
        labels = [float(label) for label in range(len(ensemble.base_scores))]
        return ModelIR(ensemble, postprocessor, Argmax(labels))
    return ModelIR(ensemble, postprocessor, Probabilities() if softmax else Value())


def _postprocessor(objective: str) -> Postprocessor:
    if objective not in POSTPROCESSORS:
        raise NotCompilable(f"XGBoost with the objective {objective} is not compiled")
    return Postprocessor(POSTPROCESSORS[objective], in_float32=True)


def _is_second_class(total: float) -> bool:
    """Return whether the second class is the likelier one, as XGBoost computes it: in float32."""
    with np.errstate(over="ignore"):
        return bool(1 / (1 + np.exp(-np.float32(total))) > np.float32(0.5))


def _ensemble(learner: Mapping[str, Any], postprocessor: Postprocessor, rounds: int) -> Ensemble:
    """Return the trees of so many rounds; of all when 0."""
    booster, parameters = learner["gradient_booster"], learner["learner_model_param"]
    if booster["name"] != "gbtree" or int(parameters["num_target"]) != 1:
        raise NotCompilable(f"XGBoost's {booster['name']} of several targets is not compiled")
    model, sums = booster["model"], max(1, int(parameters["num_class"]))
    end = model["iteration_indptr"][rounds] if rounds else len(model["trees"])
    pairs = zip(model["trees"][:end], model["tree_info"][:end], strict=True)
    trees = [_tree(tree, target) for tree, target in pairs]
    base_scores = tuple(_base_margins(json.loads(parameters["base_score"]), postprocessor, sums))
    return Ensemble(trees, base_scores, takes_missing=True, sums_in_float32=True)


def _tree(tree: Mapping[str, Any], target: int) -> Tree:
    """Return one tree; XGBoost rounds cells to float32, and they go left where they are less."""
    if any(tree["split_type"]):
        raise NotCompilable("XGBoost with categorical splits is not compiled")
    conditions = np.array(tree["split_conditions"], np.float32)
    below = np.nextafter(conditions, np.float32(-np.inf)).astype(np.float64)
    return Tree(
        feature=np.array(tree["split_indices"]),
        threshold=float32_boundary(below),
        left=np.array(tree["left_children"]),
        right=np.array(tree["right_children"]),
        missing_left=np.array(tree["default_left"], bool),
        values=conditions.astype(np.float64)[:, None],
        target=target,
    )


def _base_margins(base_score: Any, postprocessor: Postprocessor, sums: int) -> list[float]:
    """Return what XGBoost's sums start from, computed in float32 as it does."""
    scores = np.broadcast_to(np.array(base_score, np.float32), sums)
    one = np.float32(1)
    if postprocessor.name == "sigmoid":
        return [-_log(one / score - one) for score in scores]
    if postprocessor.name == "exponential":
        return [_log(score) for score in scores]
    return [float(score) for score in scores]


def _log(number: np.float32) -> float:
    """Return the C library's `logf`, which can differ from NumPy's in the last bit."""
    logf = ctypes.CDLL(None).logf
    logf.argtypes, logf.restype = [ctypes.c_float], ctypes.c_float
    return float(logf(float(number)))


def _rounds(model: Any) -> int:
    """Return the rounds up to the best one, where training stopped early; 0 for all."""
    stopped_early = model.early_stopping_rounds
    best = getattr(model.get_booster(), "best_iteration", None) if stopped_early else None
    return 0 if best is None else int(best) + 1
