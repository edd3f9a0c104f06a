"""From a loaded model to a program."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mlflow.pyfunc import PyFuncModel
from mlflow.types import ColSpec, DataType
from msgspec import structs
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline

from terna.compiler.frontends import calibration  # noqa: F401  # registers itself
from terna.compiler.frontends.lightgbm import score_lightgbm
from terna.compiler.frontends.preprocessing import encode
from terna.compiler.frontends.scikit_learn import score
from terna.compiler.frontends.xgboost import score_xgboost
from terna.compiler.ir import plan
from terna.compiler.ir.features import Feature, Numeric, Text
from terna.compiler.ir.model import Scored, at_threshold
from terna.compiler.ir.trees import Ensemble
from terna.compiler.lowering import Layout
from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.runtime.row_parsing import LARGEST
from terna.errors import NotCompilable

LIBRARIES = {"xgboost": score_xgboost, "lightgbm": score_lightgbm}


def compile_model(model: PyFuncModel, made_for: str = "") -> CompiledModel:
    """The program that answers what the model's `predict` answers.

    It is not to be trusted before `agreement.check` has compared the two.

    Args:
        made_for: what `CompiledModel.load` asks for; see `programs.made_for`.

    Raises:
        NotCompilable: with the reason, in one line.
    """
    columns = _columns(model)
    features, scored = _taken_apart(model.get_raw_model(), _features(columns))
    scored = _answered(scored, model)
    return CompiledModel(Layout(columns, features, scored).drawn(made_for))


def _columns(model: PyFuncModel) -> list[tuple[str, str]]:
    """Each column's name and kind."""
    schema = model.metadata.get_input_schema()
    if schema is None or schema.is_tensor_spec() or not schema.has_input_names():
        raise NotCompilable("the signature does not name columns")
    return [(str(column.name), _kind(column)) for column in schema.inputs]


def _kind(column: ColSpec) -> str:
    kind = column.type.name if isinstance(column.type, DataType) else ""
    if kind not in LARGEST and kind != "string":
        raise NotCompilable(f"column '{column.name}' is neither number, text nor boolean")
    return kind


def _features(columns: Sequence[tuple[str, str]]) -> list[Feature]:
    return [
        Text(number) if kind == "string" else Numeric(number)
        for number, (_, kind) in enumerate(columns)
    ]


def _taken_apart(model: Any, features: Sequence[Feature]) -> tuple[list[Feature], Scored]:
    """What the last estimator is given, and what it computes."""
    if isinstance(model, FixedThresholdClassifier | TunedThresholdClassifierCV):
        features, scored = _taken_apart(model.estimator_, features)
        return list(features), _thresholded(model, scored)
    if isinstance(model, Pipeline):
        for _, step in model.steps[:-1]:
            features = encode(step, features)
        return _taken_apart(model.steps[-1][1], features)
    return list(features), _scored(model)


def _scored(estimator: Any) -> Scored:
    library = type(estimator).__module__.partition(".")[0]
    return LIBRARIES.get(library, score)(estimator)


def _thresholded(model: Any, scored: Scored) -> Scored:
    """As scikit-learn resolves `auto`."""
    tuned = isinstance(model, TunedThresholdClassifierCV)
    threshold = model.best_threshold_ if tuned else model.threshold
    method = model.response_method
    if method == "auto":
        certain = hasattr(model.estimator_, "predict_proba")
        method = "predict_proba" if certain else "decision_function"
    if threshold == "auto":
        threshold = 0.5 if method == "predict_proba" else 0.0
    positive = None if tuned else model.pos_label
    positive = scored.classes[-1] if positive is None else positive
    return at_threshold(scored, threshold, positive, method)


def _answered(scored: Scored, model: PyFuncModel) -> Scored:
    """By the method that the model was saved with."""
    name = model.metadata.flavors["python_function"].get("predict_fn", "predict")
    if name == "predict":
        return _narrowed(scored)
    if name == "predict_proba" and scored.classes:
        return replace(scored, answer=plan.Probabilities())
    raise NotCompilable(f"the model answers by {name}")


def _narrowed(scored: Scored) -> Scored:
    """Votes are counted for one class only where the label hangs on no other."""
    engine, answer = scored.engine, scored.answer
    if not isinstance(engine, Ensemble) or scored.link.name != "mean":
        return scored
    if isinstance(answer, plan.Threshold) and answer.output == 1:
        answer = structs.replace(answer, output=0)
        return replace(scored, engine=engine.output(1), answer=answer)
    return scored
