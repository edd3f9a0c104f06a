"""Probabilities on request: `"params": {"predict_method": "predict_proba"}`.

An extension of ours, for every classifier; MLflow's scikit-learn flavor ignores the parameter. A
model whose own schema declares a parameter of that name gets it itself, and answers as it likes.
"""

from collections.abc import Mapping
from typing import Any

from terna.errors import InvalidParameter

PARAMETER = "predict_method"
METHODS = (PREDICT, PREDICT_PROBA) = ("predict", "predict_proba")

NONE = f"This model gives no probabilities: leave '{PARAMETER}' out."


def take_method(params: Any, declared: frozenset[str]) -> tuple[bool, Any]:
    """Return whether probabilities are asked for, and the parameters that are the model's own.

    Args:
        params: a request's parameters, not yet checked.
        declared: the parameters that the model's schema names.

    Raises:
        InvalidParameter: there is no such method.
    """
    if not isinstance(params, Mapping) or PARAMETER not in params or PARAMETER in declared:
        return False, params
    method = params[PARAMETER]
    if method not in METHODS:
        raise InvalidParameter(f"The parameter '{PARAMETER}' must be {' or '.join(METHODS)}.")
    own = {name: value for name, value in params.items() if name != PARAMETER}
    return method == PREDICT_PROBA, own or None
