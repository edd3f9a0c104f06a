"""Probabilities on request: `"params": {"predict_method": "predict_proba"}`.

An extension of ours, for every classifier; MLflow's scikit-learn flavor ignores the parameter. A
model whose own schema declares a parameter of that name gets it itself, and answers as it likes.
"""

from collections.abc import Mapping
from typing import Any

from terna.contracts.scoring import PREDICT_METHOD, PREDICT_METHODS, PREDICT_PROBA
from terna.errors import InvalidParameter

NONE = f"This model gives no probabilities: leave '{PREDICT_METHOD}' out."


def take_method(params: Any, declared: frozenset[str]) -> tuple[bool, Any]:
    """Return whether probabilities are asked for, and the parameters that are the model's own.

    Args:
        params: a request's parameters, not yet checked.
        declared: the parameters that the model's schema names.

    Raises:
        InvalidParameter: there is no such method.
    """
    if (
        not isinstance(params, Mapping)
        or PREDICT_METHOD not in params
        or PREDICT_METHOD in declared
    ):
        return False, params
    method = params[PREDICT_METHOD]
    if method not in PREDICT_METHODS:
        raise InvalidParameter(
            f"The parameter '{PREDICT_METHOD}' must be {' or '.join(PREDICT_METHODS)}."
        )
    own = {name: value for name, value in params.items() if name != PREDICT_METHOD}
    return method == PREDICT_PROBA, own or None
