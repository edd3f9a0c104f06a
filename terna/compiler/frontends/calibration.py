"""Reads calibrated classifiers: an estimator for each fold, each with calibrators of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from sklearn.calibration import CalibratedClassifierCV, _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression

from terna.compiler.frontends.scikit_learn import convert_estimator
from terna.compiler.ir.model import ModelIR, Weights, classifier
from terna.compiler.ir.plan import Calibrator, Postprocessor
from terna.compiler.ir.trees import Ensemble, Tree
from terna.errors import NotCompilable


@convert_estimator.register
def _(calibrated: CalibratedClassifierCV) -> ModelIR:
    folds = calibrated.calibrated_classifiers_
    models = [_calibrated_sums(convert_estimator(fold.estimator)) for fold in folds]
    labels = calibrated.classes_.tolist()
    calibrators = [
        _calibrator(calibrator, sum_index)
        for sum_index, calibrator in enumerate(c for fold in folds for c in fold.calibrators)
    ]
    _check(models, folds, labels, len(calibrators))
    postprocessor = Postprocessor(
        "calibrated", _scale(models[0]), calibrators=tuple(calibrators), classes=len(labels)
    )
    return classifier(_concatenated(models), postprocessor, labels)


def _calibrated_sums(model: ModelIR) -> ModelIR:
    """Return the model with the sums that calibrators are given: one where there are two."""
    if isinstance(model.engine, Ensemble) and len(model.engine.base_scores) == 2:
        return replace(model, engine=model.engine.only_sum(1))
    return model


def _check(
    models: Sequence[ModelIR], folds: Sequence[Any], labels: Sequence[Any], calibrators: int
) -> None:
    for model, fold in zip(models, folds, strict=True):
        if fold.method not in ("sigmoid", "isotonic") or model.classes != tuple(labels):
            raise NotCompilable(
                "a calibration by other means, or of fewer classes, is not compiled"
            )
    if calibrators != sum(map(_sums, models)):
        raise NotCompilable("a calibration of other scores is not compiled")


def _calibrator(calibrator: Any, sum_index: int) -> Calibrator:
    if isinstance(calibrator, _SigmoidCalibration):
        return Calibrator(sum_index, float(calibrator.a_), float(calibrator.b_))
    if not isinstance(calibrator, IsotonicRegression) or calibrator.out_of_bounds != "clip":
        raise NotCompilable(f"{type(calibrator).__name__} is not compiled")
    x, y = calibrator.X_thresholds_, calibrator.y_thresholds_
    return Calibrator(sum_index, x=np.asarray(x, "<f8").tobytes(), y=np.asarray(y, "<f8").tobytes())


def _scale(model: ModelIR) -> float:
    """Return what sums are divided by before calibration: a forest's, by the number of trees."""
    return model.postprocessor.scale if model.postprocessor.name == "mean" else 1.0


def _concatenated(models: Sequence[ModelIR]) -> Ensemble | Weights:
    """Return all models as one: the sums of the second follow those of the first."""
    ensembles = [model.engine for model in models if isinstance(model.engine, Ensemble)]
    linear = [model.engine for model in models if isinstance(model.engine, Weights)]
    if ensembles:
        base_scores = tuple(score for ensemble in ensembles for score in ensemble.base_scores)
        takes_missing = all(ensemble.takes_missing for ensemble in ensembles)
        return Ensemble(list(_with_shifted_targets(ensembles)), base_scores, takes_missing)
    order: Literal["F", "C"] = "F" if linear[0].coefficients.flags.f_contiguous else "C"
    coefficients = np.array(np.hstack([weights.coefficients for weights in linear]), order=order)
    intercepts = tuple(i for weights in linear for i in weights.intercepts)
    return Weights(coefficients, intercepts, products=len(linear))


def _with_shifted_targets(ensembles: Sequence[Ensemble]) -> Iterator[Tree]:
    first = 0
    for ensemble in ensembles:
        for tree in ensemble.trees:
            yield replace(tree, target=tree.target + first)
        first += len(ensemble.base_scores)


def _sums(model: ModelIR) -> int:
    engine = model.engine
    return len(engine.base_scores if isinstance(engine, Ensemble) else engine.intercepts)
