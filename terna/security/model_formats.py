"""Whether loading a model directory can run code that the directory brings with it.

Most of MLflow's formats can: pickles, `code_paths`, a pyfunc written in Python, a loader module. A
few hold data only, and these are listed here, by what MLflow's loaders read from `MLmodel`. What is
not listed counts as code. An upgrade of MLflow must check this file: see each flavor's loader.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from terna.errors import FormatRefused

TRUSTED_TYPES = frozenset(
    {
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRanker",
        "lightgbm.sklearn.LGBMRegressor",
        "numpy.dtype",
        "scipy.interpolate._bsplines.BSpline",
        "scipy.sparse._csr.csr_matrix",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.feature_selection._univariate_selection.f_regression",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.gaussian_process.kernels.ConstantKernel",
        "sklearn.gaussian_process.kernels.Product",
        "sklearn.gaussian_process.kernels.RBF",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.multiclass._ConstantPredictor",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRanker",
        "xgboost.sklearn.XGBRegressor",
        "xgboost.sklearn.XGBRFClassifier",
        "xgboost.sklearn.XGBRFRegressor",
    }
)
"""What skops may build beside the types that it knows: parts of fitted models, none of which runs
what it is given. A whole package is never trusted: scikit-learn has functions that run code."""

CODE_SUFFIXES = frozenset(
    {".cloudpickle", ".dll", ".joblib", ".pickle", ".pkl", ".pt", ".pth", ".py", ".pyc", ".so"}
)
"""How files end that no format without code needs."""

MAX_MLMODEL_BYTES = 16_000_000
MAX_MLMODEL_DEPTH = 50

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The class that MLflow reads MLmodel with, so that both see one document."""

PYFUNC = "python_function"
PYFUNC_KEYS = frozenset({"data", "env", "loader_module", "model_path", "python_version"})
PREDICT_FUNCTIONS = frozenset(
    {"predict", "predict_joint_log_proba", "predict_log_proba", "predict_proba", "score"}
)
"""The methods that MLflow's scikit-learn flavor can be told to call."""

ONNX_OPTIONS = frozenset(
    {"execution_mode", "graph_optimization_level", "inter_op_num_threads", "intra_op_num_threads"}
)

Flavor = Mapping[str, Any]


def check_formats(folder: Path, is_release: bool) -> None:
    """Return when a model directory may be loaded: it holds data only, or was released.

    Args:
        is_release: whether the release key has signed it.

    Raises:
        FormatRefused: it can run code, and was not released; the message says where.
    """
    if not is_release and (reason := find_code(folder)):
        raise FormatRefused(
            f"The model can run code when it is loaded ({reason}): save it in a format without"
            " code, or have it released with `terna model sign --release`."
        )


def find_code(folder: Path) -> str:
    """Return what makes loading a model directory run code, in one line; empty if nothing does."""
    try:
        flavors = _read_flavors(folder / "MLmodel")
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return "its MLmodel cannot be read"
    pyfunc = flavors.get(PYFUNC)
    if not isinstance(pyfunc, dict):
        return f"its MLmodel has no flavor {PYFUNC}"
    return _in_flavors(folder, flavors, pyfunc) or _in_files(folder)


def read_metadata(mlmodel: bytes) -> dict[str, Any]:
    """Return the metadata of an MLmodel; empty where it has none, or cannot be read."""
    try:
        return _read_mapping(mlmodel, "metadata")
    except (ValueError, RecursionError, yaml.YAMLError):
        return {}


def _read_flavors(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_MLMODEL_BYTES:
        raise ValueError("too large")
    return _read_mapping(path.read_bytes(), "flavors")


def _read_mapping(text: bytes, key: str) -> dict[str, Any]:
    """Return the mapping that an MLmodel has at a key; raises ValueError where it has none."""
    _check_depth(text)
    document = yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe one, see there
    found = document.get(key) if isinstance(document, dict) else None
    if not isinstance(found, dict):
        raise ValueError(f"no {key}")
    return found


def _check_depth(text: bytes) -> None:
    """Raise ValueError for a document so deep that the loader in C would end this process."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_MLMODEL_DEPTH:
            raise ValueError("too deep")


def _in_flavors(folder: Path, flavors: Mapping[Any, Any], pyfunc: Flavor) -> str:
    module = pyfunc.get("loader_module")
    if not isinstance(module, str) or module not in FLAVORS:
        return f"its loader_module is {_shown(module)}"
    name, keys, find = FLAVORS[module]
    flavor = flavors.get(name)
    if not isinstance(flavor, dict):
        return f"its MLmodel has no flavor {name}"
    return (
        _in_keys(pyfunc, PYFUNC_KEYS | {"predict_fn"})
        or _in_keys(flavor, keys)
        or _in_paths(folder, [pyfunc.get("data"), pyfunc.get("model_path"), flavor.get("data")])
        or _in_predict_function(pyfunc)
        or find(flavor)
    )


def _in_keys(flavor: Flavor, known: frozenset[str]) -> str:
    for key, value in flavor.items():
        if value and key not in known:
            return f"its MLmodel sets {_shown(key)}"
    return ""


def _in_paths(folder: Path, names: list[Any]) -> str:
    """Return which file of the model is none of the directory's own, beside `MLmodel`.

    A loader reads the `MLmodel` that lies beside the file: in another folder it is another one.
    """
    for name in names:
        if name is not None and not _is_plain_file(folder, name):
            return f"its file {_shown(name)} is not beside its MLmodel"
    return ""


def _is_plain_file(folder: Path, name: Any) -> bool:
    if not isinstance(name, str) or Path(name).name != name:
        return False
    return (folder / name).is_file() and not (folder / name).is_symlink()


def _in_predict_function(pyfunc: Flavor) -> str:
    function = pyfunc.get("predict_fn", "predict")
    known = isinstance(function, str) and function in PREDICT_FUNCTIONS
    return "" if known else f"its predict_fn is {_shown(function)}"


def _in_files(folder: Path) -> str:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in CODE_SUFFIXES:
            return f"it holds {_shown(path.relative_to(folder).as_posix())}"
    return ""


def _in_skops(flavor: Flavor) -> str:
    if flavor.get("serialization_format") != "skops":
        return "it is a pickle"
    types = flavor.get("skops_trusted_types") or []
    if not isinstance(types, list):
        return "its skops_trusted_types are no list"
    for name in types:
        if not isinstance(name, str) or name not in TRUSTED_TYPES:
            return f"its skops_trusted_types name {_shown(name)}"
    return ""


def _in_xgboost(flavor: Flavor) -> str:
    name = flavor.get("model_class", "xgboost.core.Booster")
    known = isinstance(name, str) and name.startswith("xgboost.") and name in TRUSTED_TYPES
    return "" if known else f"its model_class is {_shown(name)}"


def _in_lightgbm(flavor: Flavor) -> str:
    is_booster = flavor.get("model_class", "lightgbm.basic.Booster") == "lightgbm.basic.Booster"
    return "" if is_booster else _in_skops(flavor)


def _in_onnx(flavor: Flavor) -> str:
    # Options of a provider, and entries of a session's configuration, can name libraries to load.
    providers = flavor.get("providers") or []
    if not isinstance(providers, list) or not all(isinstance(each, str) for each in providers):
        return "its providers have options"
    options = flavor.get("onnx_session_options") or {}
    if not isinstance(options, dict):
        return "its onnx_session_options are no mapping"
    return _in_keys(options, ONNX_OPTIONS)


def _in_catboost(flavor: Flavor) -> str:
    saved_as = flavor.get("save_format")
    return "" if saved_as in ("cbm", "json") else f"its save_format is {_shown(saved_as)}"


def _shown(value: Any) -> str:
    """Return a value of the MLmodel as a short text in one line."""
    return repr(value)[:80]


_SKOPS = frozenset({"serialization_format", "skops_trusted_types"})

FLAVORS: Mapping[str, tuple[str, frozenset[str], Callable[[Flavor], str]]] = {
    "mlflow.sklearn": ("sklearn", _SKOPS | {"pickled_model", "sklearn_version"}, _in_skops),
    "mlflow.xgboost": (
        *("xgboost", frozenset({"data", "model_class", "model_format", "xgb_version"})),
        _in_xgboost,
    ),
    "mlflow.lightgbm": (
        *("lightgbm", _SKOPS | {"data", "lgb_version", "model_class"}),
        _in_lightgbm,
    ),
    "mlflow.onnx": (
        *("onnx", frozenset({"data", "onnx_session_options", "onnx_version", "providers"})),
        _in_onnx,
    ),
    "mlflow.catboost": (
        *("catboost", frozenset({"catboost_version", "data", "model_type", "save_format"})),
        _in_catboost,
    ),
}
"""The loader modules without code: the flavor whose configuration each reads, the keys that it may
have, and what looks at their values."""
