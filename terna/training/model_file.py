"""The fitted model as a file of the workspace, in skops' format: no code, so safe to load."""

import skops.io
from sklearn.base import BaseEstimator

from terna.training.workspace import Workspace

FILE = "model.skops"
TRUSTED_TYPES = (
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
"""What skops may load beside the types it knows: our families' trees, none of it code."""


def save(workspace: Workspace, model: BaseEstimator) -> None:
    """Write the fitted model into the workspace."""
    workspace.write_bytes(FILE, skops.io.dumps(model))


def load(workspace: Workspace) -> BaseEstimator:
    """Read the fitted model.

    Raises:
        PhaseMissing: `evaluate` has not run.
    """
    return skops.io.load(workspace.existing(FILE, "evaluate"), trusted=list(TRUSTED_TYPES))
