"""LightGBM's models, read from what they save: the library is not imported here."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terna.compiler.ir.model import Scored, first_sum
from terna.compiler.ir.plan import Largest, Link, Probabilities, Threshold, Value
from terna.compiler.ir.trees import Ensemble, Tree
from terna.errors import NotCompilable

Array = NDArray[Any]
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
