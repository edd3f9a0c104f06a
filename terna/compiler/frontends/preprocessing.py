"""Reads scikit-learn's fitted transformers: what they make of each column."""

import operator
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import singledispatch
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from terna.compiler.ir.features import UNKNOWN_CATEGORY, Encoded, Feature, Numeric, Text
from terna.errors import NotCompilable

Array = NDArray[Any]
OPERATIONS: Mapping[str, Callable[[float, float], float]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
}


@singledispatch
def convert_transformer(transformer: object, features: Sequence[Feature]) -> list[Feature]:
    """Return what a fitted transformer makes of the features.

    Raises:
        NotCompilable: it is of another class, or uses something that is not known here.
    """
    if transformer in ("passthrough", None):
        return list(features)
    raise NotCompilable(f"{type(transformer).__name__} is not compiled")


@convert_transformer.register
def _(pipeline: Pipeline, features: Sequence[Feature]) -> list[Feature]:
    for _, transformer in pipeline.steps:
        features = convert_transformer(transformer, features)
    return list(features)


@convert_transformer.register
def _(union: FeatureUnion, features: Sequence[Feature]) -> list[Feature]:
    if union.transformer_weights:
        raise NotCompilable("FeatureUnion with weights is not compiled")
    parts = [part for _, part in union.transformer_list if part != "drop"]
    return [feature for part in parts for feature in convert_transformer(part, features)]


@convert_transformer.register
def _(columns: ColumnTransformer, features: Sequence[Feature]) -> list[Feature]:
    if columns.transformer_weights:
        raise NotCompilable("ColumnTransformer with weights is not compiled")
    encoded: list[Feature] = []
    for name, transformer, _ in columns.transformers_:
        selected = [features[i] for i in columns._transformer_to_input_indices[name]]
        if transformer != "drop" and selected:
            encoded += convert_transformer(transformer, selected)
    return list(map(_in_sparse_matrix, encoded)) if columns.sparse_output_ else encoded


@convert_transformer.register
def _(function: FunctionTransformer, features: Sequence[Feature]) -> list[Feature]:
    if function.func is not None:
        raise NotCompilable("FunctionTransformer with a function is not compiled")
    return list(features)


@convert_transformer.register
def _(imputer: SimpleImputer, features: Sequence[Feature]) -> list[Feature]:
    if imputer.add_indicator:
        raise NotCompilable("SimpleImputer with an indicator is not compiled")
    if not (isinstance(imputer.missing_values, float) and np.isnan(imputer.missing_values)):
        raise NotCompilable("SimpleImputer for other values than NaN is not compiled")
    pairs = zip(features, imputer.statistics_, strict=True)
    return [_impute(feature, fill) for feature, fill in pairs if not _is_dropped(imputer, fill)]


@convert_transformer.register
def _(scaler: StandardScaler, features: Sequence[Feature]) -> list[Feature]:
    centered = _with_operation(features, "subtract", scaler.mean_ if scaler.with_mean else None)
    return _with_operation(centered, "divide", scaler.scale_)


@convert_transformer.register
def _(scaler: RobustScaler, features: Sequence[Feature]) -> list[Feature]:
    center = scaler.center_ if scaler.with_centering else None
    centered = _with_operation(features, "subtract", center)
    return _with_operation(centered, "divide", scaler.scale_ if scaler.with_scaling else None)


@convert_transformer.register
def _(scaler: MinMaxScaler, features: Sequence[Feature]) -> list[Feature]:
    if scaler.clip:
        raise NotCompilable("MinMaxScaler that clips is not compiled")
    return _with_operation(_with_operation(features, "multiply", scaler.scale_), "add", scaler.min_)


@convert_transformer.register
def _(scaler: MaxAbsScaler, features: Sequence[Feature]) -> list[Feature]:
    return _with_operation(features, "divide", scaler.scale_)


@convert_transformer.register(OneHotEncoder)
@convert_transformer.register(OrdinalEncoder)
def _(encoder: OneHotEncoder | OrdinalEncoder, features: Sequence[Feature]) -> list[Feature]:
    probe = _EncoderProbe(encoder)
    return [
        code for number, feature in enumerate(features) for code in probe.features(number, feature)
    ]


class _EncoderProbe:
    """Finds out what an encoder makes of each category, by transforming it."""

    def __init__(self, encoder: OneHotEncoder | OrdinalEncoder) -> None:
        self._encoder = encoder
        self._usual = [categories[:1] for categories in encoder.categories_]
        widths = getattr(encoder, "_n_features_outs", [1] * len(self._usual))
        ends = np.cumsum(widths)
        self._parts = [slice(end - width, end) for end, width in zip(ends, widths, strict=True)]

    def features(self, number: int, feature: Feature) -> list[Feature]:
        """Return the features that one of the encoder's columns becomes."""
        if isinstance(feature, Encoded) or (isinstance(feature, Numeric) and feature.steps):
            raise NotCompilable(f"{type(self._encoder).__name__} of what was changed before")
        cells = [_as_python(c) for c in self._encoder.categories_[number] if not pd.isna(c)]
        known = [self._codes(number, cell) for cell in cells]
        others = [self._codes(number, cell) for cell in _other_cells(feature, cells)]
        encoded: list[Feature] = []
        for index in range(self._parts[number].stop - self._parts[number].start):
            codes = {c: code[index] for c, code in zip(cells, known, strict=True) if code}
            unknown, missing, all_missing = (code[index] if code else None for code in others)
            encoded.append(Encoded(feature.column, codes, unknown, missing, all_missing))
        return encoded

    def _codes(self, number: int, cell: Any) -> list[float] | None:
        """Return what the encoder makes of one cell; None when it fails."""
        dtype = self._usual[number].dtype
        cells = pd.Series([cell], dtype=dtype if _fits(cell, dtype) else None)
        columns = [*self._usual[:number], cells, *self._usual[number + 1 :]]
        names = getattr(self._encoder, "feature_names_in_", range(len(columns)))
        row = pd.DataFrame(dict(zip(names, columns, strict=True)))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an unknown category
                encoded = self._encoder.transform(row)
        except (ValueError, TypeError):
            return None
        dense = encoded.toarray() if hasattr(encoded, "toarray") else np.asarray(encoded)
        return [float(code) for code in dense[0, self._parts[number]]]


def _impute(feature: Feature, fill: Any) -> Feature:
    if isinstance(feature, Text):
        return feature if feature.imputed is not None else replace(feature, imputed=str(fill))
    if isinstance(feature, Encoded):
        return feature.map(lambda code: float(fill) if np.isnan(code) else code)
    return feature.with_step("fill", fill)


def _in_sparse_matrix(feature: Feature) -> Feature:
    return replace(feature, required=True) if isinstance(feature, Numeric) else feature


def _is_dropped(imputer: SimpleImputer, fill: Any) -> bool:
    """Return whether the imputer drops a column: it had no value at all in training."""
    return bool(pd.isna(fill)) and not imputer.keep_empty_features


def _with_operation(
    features: Sequence[Feature], operation: str, operands: Array | None
) -> list[Feature]:
    """Apply one operation to all features, if there are operands."""
    if operands is None:
        return list(features)
    pairs = zip(features, operands, strict=True)
    return [_apply(feature, operation, operand) for feature, operand in pairs]


def _apply(feature: Feature, operation: str, operand: float) -> Feature:
    if isinstance(feature, Text):
        raise NotCompilable("a scaler is given text")
    if isinstance(feature, Encoded):
        return feature.map(lambda code: OPERATIONS[operation](code, float(operand)))
    return feature.with_step(operation, operand)


def _as_python(category: Any) -> Any:
    return category.item() if isinstance(category, np.generic) else category


def _other_cells(feature: Feature, cells: Sequence[Any]) -> tuple[Any, Any, Any]:
    """Return an unknown cell, a missing one, and one of a column without any value.

    The last two are both NaN: serving makes NaN of a text column's None, see
    `predictor.inputs.restore_text_type`.
    """
    if not isinstance(feature, Text):
        unknown = not cells[0] if isinstance(cells[0], bool) else max(cells) + 1
        return unknown, np.nan, np.nan
    if feature.imputed is not None:
        return UNKNOWN_CATEGORY, feature.imputed, feature.imputed
    return UNKNOWN_CATEGORY, np.nan, np.nan


def _fits(cell: Any, dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "O" or not pd.isna(cell)
