"""The fitted model as a file of the workspace, in skops' format: no code, so safe to load."""

from pathlib import Path

import mlflow.sklearn
import skops.io
import yaml
from sklearn.base import BaseEstimator

from terna.security.model_formats import TRUSTED_TYPES as TRUSTED_TYPES_OF_SERVING
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


def convert_to_skops(folder: Path) -> bool:
    """Put the scikit-learn model of an MLflow directory, a pickle, into skops' format.

    Returns:
        Whether it was done. It is not where the model is no such pickle, or where it holds what
        serving would not build.
    """
    path = folder / "MLmodel"
    document = yaml.safe_load(path.read_text())
    pyfunc, flavor = (document["flavors"].get(n, {}) for n in ("python_function", "sklearn"))
    if pyfunc.get("loader_module") != "mlflow.sklearn" or flavor.get("code"):
        return False
    if flavor.get("serialization_format") not in ("cloudpickle", "pickle"):
        return False
    try:
        content = skops.io.dumps(mlflow.sklearn.load_model(str(folder)))
    except Exception:  # skops knows not every object, and raises many kinds of errors
        return False
    types = skops.io.get_untrusted_types(data=content)
    if not set(types) <= TRUSTED_TYPES_OF_SERVING:
        return False
    (folder / flavor["pickled_model"]).unlink()
    (folder / FILE).write_bytes(content)
    pyfunc["model_path"] = flavor["pickled_model"] = FILE
    flavor |= {"serialization_format": "skops", "skops_trusted_types": sorted(types)}
    path.write_text(yaml.safe_dump(document))
    if (requirements := folder / "requirements.txt").exists():
        requirements.write_text(f"{requirements.read_text()}\nskops=={skops.__version__}\n")
    return True
