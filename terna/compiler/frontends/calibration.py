"""Calibrated classifiers: several estimators at once, each with calibrators of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV, _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression

from terna.compiler.frontends.scikit_learn import score
from terna.compiler.ir.model import Scored, Weights
from terna.compiler.ir.plan import Calibrator, Largest, Link
from terna.compiler.ir.trees import Ensemble, Tree
from terna.errors import NotCompilable


@score.register
def _(calibrated: CalibratedClassifierCV) -> Scored:
    folds = calibrated.calibrated_classifiers_
    parts = [_part(score(fold.estimator)) for fold in folds]
    labels = calibrated.classes_.tolist()
    calibrators = [
        _calibrator(calibrator, output)
        for output, calibrator in enumerate(c for fold in folds for c in fold.calibrators)
    ]
    _check(parts, folds, labels, len(calibrators))
    link = Link("calibrated", _scale(parts[0]), calibrators=tuple(calibrators), classes=len(labels))
    return Scored(_together(parts), link, Largest(labels), tuple(labels))


def _part(scored: Scored) -> Scored:
    """One output where there are two classes: what calibrators are given."""
    if isinstance(scored.engine, Ensemble) and len(scored.engine.baseline) == 2:
        return replace(scored, engine=scored.engine.output(1))
    return scored


def _check(
    parts: Sequence[Scored], folds: Sequence[Any], labels: Sequence[Any], count: int
) -> None:
    for part, fold in zip(parts, folds, strict=True):
        if fold.method not in ("sigmoid", "isotonic") or part.classes != tuple(labels):
            raise NotCompilable(
                "a calibration by other means, or of fewer classes, is not compiled"
            )
    if count != sum(_outputs(part) for part in parts):
        raise NotCompilable("a calibration of other scores is not compiled")


def _calibrator(calibrator: Any, output: int) -> Calibrator:
    if isinstance(calibrator, _SigmoidCalibration):
        return Calibrator(output, float(calibrator.a_), float(calibrator.b_))
    if not isinstance(calibrator, IsotonicRegression) or calibrator.out_of_bounds != "clip":
        raise NotCompilable(f"{type(calibrator).__name__} is not compiled")
    known, made = (np.asarray(part, "<f8") for part in _points(calibrator))
    return Calibrator(output, known=known.tobytes(), made=made.tobytes())


def _points(calibrator: IsotonicRegression) -> tuple[Any, Any]:
    return calibrator.X_thresholds_, calibrator.y_thresholds_


def _scale(part: Scored) -> float:
    """Votes are divided by their number before they are calibrated, sums are taken as they are."""
    return part.link.scale if part.link.name == "mean" else 1.0


def _together(parts: Sequence[Scored]) -> Ensemble | Weights:
    """All of them side by side: the outputs of the second follow those of the first."""
    forests = [part.engine for part in parts if isinstance(part.engine, Ensemble)]
    linear = [part.engine for part in parts if isinstance(part.engine, Weights)]
    if forests:
        baseline = tuple(base for forest in forests for base in forest.baseline)
        missing = all(forest.takes_missing for forest in forests)
        return Ensemble(list(_moved(forests)), baseline, missing)
    weights = np.hstack([weights.weights for weights in linear])
    return Weights(weights, tuple(i for weights in linear for i in weights.intercepts))


def _moved(forests: Sequence[Ensemble]) -> Iterator[Tree]:
    first = 0
    for forest in forests:
        for tree in forest.trees:
            yield replace(tree, target=tree.target + first)
        first += len(forest.baseline)


def _outputs(part: Scored) -> int:
    engine = part.engine
    return len(engine.baseline if isinstance(engine, Ensemble) else engine.intercepts)
