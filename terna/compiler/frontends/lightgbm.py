"""Reads LightGBM's models from what they save: the library is not imported here."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terna.compiler.ir.model import ModelIR, classifier, lowest_sum
from terna.compiler.ir.plan import Postprocessor, Probabilities, Value
from terna.compiler.ir.trees import Ensemble, Tree
from terna.errors import NotCompilable

Array = NDArray[Any]
ZERO = float(np.float32(1e-35))
"""LightGBM's `kZeroThreshold`."""
POSTPROCESSORS = {
    "binary": "sigmoid",
    "cross_entropy": "sigmoid",
    "multiclass": "softmax",
    "poisson": "exponential",
    "gamma": "exponential",
    "tweedie": "exponential",
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "fair": "identity",
    "quantile": "identity",
    "mape": "identity",
}
"""By objective."""


def convert_lightgbm(model: Any) -> ModelIR:
    """Read a `lightgbm.Booster`, or one of its scikit-learn classes.

    Raises:
        NotCompilable: it has categorical or linear trees, or another boosting or objective.
    """
    wrapped = hasattr(model, "booster_")
    booster = model.booster_ if wrapped else model
    head, *blocks = booster.model_to_string().partition("end of trees")[0].split("\nTree=")
    parameters = _assignments(head)
    objective, *options = parameters["objective"].split()
    postprocessor = _postprocessor(objective, options)
    if "sqrt" in options or "average_output" in head.split():
        raise NotCompilable("LightGBM's square roots and random forests are not compiled")
    ensemble = _ensemble(blocks, int(parameters["num_tree_per_iteration"]))
    softmax = postprocessor.name == "softmax"
    if wrapped and hasattr(model, "classes_"):
        bound = None if softmax else lowest_sum(lambda t: _is_second_class(t, postprocessor.scale))
        return classifier(ensemble, postprocessor, model.classes_.tolist(), bound)
    return ModelIR(ensemble, postprocessor, Probabilities() if softmax else Value())


def _postprocessor(objective: str, options: Sequence[str]) -> Postprocessor:
    if objective not in POSTPROCESSORS:
        raise NotCompilable(f"LightGBM with the objective {objective} is not compiled")
    scales = [option.partition(":")[2] for option in options if option.startswith("sigmoid:")]
    return Postprocessor(POSTPROCESSORS[objective], float(scales[0]) if scales else 1.0)


def _is_second_class(total: float, scale: float) -> bool:
    """Return whether the second class is the likelier one, as LightGBM computes it."""
    with np.errstate(over="ignore"):
        probability = 1 / (1 + np.exp(-scale * np.float64(total)))
    return bool(probability > 1 - probability)


def _ensemble(blocks: Sequence[str], sums: int) -> Ensemble:
    trees = [_tree(_assignments(block), number % sums) for number, block in enumerate(blocks)]
    return Ensemble(trees, (0.0,) * sums, takes_missing=True)


def _tree(tree: Mapping[str, str], target: int) -> Tree:
    """Return one tree: inner nodes first, then leaves, whose number LightGBM has inverted."""
    values = _numbers(tree["leaf_value"])
    inner = len(values) - 1
    if int(tree["num_cat"]) or int(tree.get("is_linear", "0")):
        raise NotCompilable("LightGBM with categorical or linear trees is not compiled")
    if inner == 0:
        return _single_leaf(values, target)
    threshold = _numbers(tree["threshold"])
    left, right = (_numbers(tree[side]).astype(int) for side in ("left_child", "right_child"))
    leaves = np.full(len(values), -1)
    return Tree(
        feature=np.concatenate([_numbers(tree["split_feature"]).astype(int), leaves]),
        threshold=np.concatenate([_with_zeros(threshold), leaves]),
        left=np.concatenate([np.where(left < 0, inner + ~left, left), leaves]),
        right=np.concatenate([np.where(right < 0, inner + ~right, right), leaves]),
        missing_left=np.concatenate([_missing_left(tree, threshold), leaves > 0]),
        values=np.concatenate([np.zeros(inner), values])[:, None],
        target=target,
    )


def _with_zeros(threshold: Array) -> Array:
    """Return the largest doubles that go left: LightGBM takes cells up to ±`ZERO` for 0."""
    below = np.where((threshold >= -ZERO) & (threshold < 0), np.nextafter(-ZERO, -1), threshold)
    return np.where((below >= 0) & (below < ZERO), ZERO, below)


def _missing_left(tree: Mapping[str, str], threshold: Array) -> Array:
    """Return where missing values go left; LightGBM takes them for 0 where training had none."""
    decision = _numbers(tree["decision_type"]).astype(int)
    missing_type = decision >> 2 & 3
    if (missing_type == 1).any():
        raise NotCompilable("LightGBM with zero as missing is not compiled")
    return np.where(missing_type == 0, threshold >= 0, decision & 2 != 0)


def _single_leaf(values: Array, target: int) -> Tree:
    leaf = np.full(1, -1)
    return Tree(leaf, leaf.astype(float), leaf, leaf, leaf > 0, values[:, None], target)


def _assignments(block: str) -> dict[str, str]:
    """Return the lines `name=value` of LightGBM's text."""
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _numbers(text: str) -> Array:
    return np.array([float(number) for number in text.split()])
