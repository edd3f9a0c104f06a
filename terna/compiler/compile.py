"""Compiles a loaded model: frontends read it, and lowering makes the plan."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mlflow.pyfunc import PyFuncModel
from mlflow.types import ColSpec, DataType
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline

from terna.compiler.frontends import calibration  # noqa: F401  # registers itself
from terna.compiler.frontends.lightgbm import convert_lightgbm
from terna.compiler.frontends.preprocessing import convert_transformer
from terna.compiler.frontends.scikit_learn import convert_estimator
from terna.compiler.frontends.xgboost import convert_xgboost
from terna.compiler.ir import plan
from terna.compiler.ir.features import Feature, Numeric, Text
from terna.compiler.ir.model import ModelIR, with_threshold
from terna.compiler.lowering import Lowering
from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.runtime.row_parsing import LARGEST
from terna.errors import NotCompilable

FRONTENDS = {"xgboost": convert_xgboost, "lightgbm": convert_lightgbm}
"""By the library's name; scikit-learn's reads all others."""


def compile_model(model: PyFuncModel, cache_key: str = "") -> CompiledModel:
    """Compile a model, so that it predicts what the model's `predict` returns.

    Nothing may serve it before `verification.verify` has compared the two.

    Args:
        cache_key: what `CompiledModel.decode` is asked with later.

    Raises:
        NotCompilable: with the reason, in one line.
    """
    columns = _columns(model)
    features, estimator = _split_pipeline(model.get_raw_model(), _features(columns))
    estimator = _with_predict_fn(estimator, model)
    return CompiledModel(Lowering(columns, features, estimator).to_plan(cache_key))


def _columns(model: PyFuncModel) -> list[tuple[str, str]]:
    """Return each column's name and MLflow's type."""
    schema = model.metadata.get_input_schema()
    names = schema.input_names() if schema and not schema.is_tensor_spec() else [None]
    if not all(isinstance(name, str) for name in names):
        raise NotCompilable("the schema does not name columns")
    return [(str(column.name), _data_type(column)) for column in schema.inputs]


def _data_type(column: ColSpec) -> str:
    name = column.type.name if isinstance(column.type, DataType) else ""
    if name not in LARGEST and name != "string":
        raise NotCompilable(f"column '{column.name}' is neither number, text nor boolean")
    return name


def _features(columns: Sequence[tuple[str, str]]) -> list[Feature]:
    return [
        Text(number) if data_type == "string" else Numeric(number)
        for number, (_, data_type) in enumerate(columns)
    ]


def _split_pipeline(model: Any, features: Sequence[Feature]) -> tuple[list[Feature], ModelIR]:
    """Return what the last estimator is given, and what it computes."""
    if isinstance(model, FixedThresholdClassifier | TunedThresholdClassifierCV):
        features, estimator = _split_pipeline(model.estimator_, features)
        return list(features), _with_its_threshold(estimator, model)
    if isinstance(model, Pipeline):
        for _, transformer in model.steps[:-1]:
            features = convert_transformer(transformer, features)
        return _split_pipeline(model.steps[-1][1], features)
    return list(features), _convert(model)


def _convert(estimator: Any) -> ModelIR:
    library = type(estimator).__module__.partition(".")[0]
    return FRONTENDS.get(library, convert_estimator)(estimator)


def _with_its_threshold(estimator: ModelIR, model: Any) -> ModelIR:
    """Apply the threshold of scikit-learn's wrapper, which resolves `auto` as here."""
    tuned = isinstance(model, TunedThresholdClassifierCV)
    threshold = model.best_threshold_ if tuned else model.threshold
    method = model.response_method
    if method == "auto":
        probabilities = hasattr(model.estimator_, "predict_proba")
        method = "predict_proba" if probabilities else "decision_function"
    if threshold == "auto":
        threshold = 0.5 if method == "predict_proba" else 0.0
    positive = None if tuned else model.pos_label
    positive = estimator.classes[-1] if positive is None else positive
    return with_threshold(estimator, threshold, positive, method)


def _with_predict_fn(estimator: ModelIR, model: PyFuncModel) -> ModelIR:
    """Give the output of the method that the model was saved with."""
    name = model.metadata.flavors["python_function"].get("predict_fn", "predict")
    if name == "predict":
        return estimator
    if name == "predict_proba" and estimator.classes:
        return replace(estimator, output=plan.Probabilities())
    raise NotCompilable(f"the model predicts by {name}")
