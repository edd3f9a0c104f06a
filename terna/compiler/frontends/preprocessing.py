"""What a fitted pipeline makes of each column, before its last step sees it."""

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

from terna.compiler.ir.features import UNKNOWN, Coded, Feature, Numeric, Text
from terna.errors import NotCompilable

Array = NDArray[Any]
CHANGES: Mapping[str, Callable[[float, float], float]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
}


@singledispatch
def encode(transformer: object, features: Sequence[Feature]) -> list[Feature]:
    """What a fitted transformer makes of the features.

    Raises:
        NotCompilable: it does something else than is known here.
    """
    if transformer in ("passthrough", None):
        return list(features)
    raise NotCompilable(f"{type(transformer).__name__} is not compiled")


@encode.register
def _(pipeline: Pipeline, features: Sequence[Feature]) -> list[Feature]:
    for _, transformer in pipeline.steps:
        features = encode(transformer, features)
    return list(features)


@encode.register
def _(union: FeatureUnion, features: Sequence[Feature]) -> list[Feature]:
    if union.transformer_weights:
        raise NotCompilable("FeatureUnion with weights is not compiled")
    parts = [encode(part, features) for _, part in union.transformer_list if part != "drop"]
    return [feature for part in parts for feature in part]


@encode.register
def _(columns: ColumnTransformer, features: Sequence[Feature]) -> list[Feature]:
    if columns.transformer_weights:
        raise NotCompilable("ColumnTransformer with weights is not compiled")
    made: list[Feature] = []
    for name, transformer, _ in columns.transformers_:
        taken = [features[i] for i in columns._transformer_to_input_indices[name]]
        if transformer != "drop" and taken:
            made += encode(transformer, taken)
    return [_sparse(feature) for feature in made] if columns.sparse_output_ else made


@encode.register
def _(function: FunctionTransformer, features: Sequence[Feature]) -> list[Feature]:
    if function.func is not None:
        raise NotCompilable("FunctionTransformer with a function is not compiled")
    return list(features)


@encode.register
def _(imputer: SimpleImputer, features: Sequence[Feature]) -> list[Feature]:
    if imputer.add_indicator:
        raise NotCompilable("SimpleImputer with an indicator is not compiled")
    if not (isinstance(imputer.missing_values, float) and np.isnan(imputer.missing_values)):
        raise NotCompilable("SimpleImputer for other values than NaN is not compiled")
    pairs = zip(features, imputer.statistics_, strict=True)
    return [_impute(feature, fill) for feature, fill in pairs if not _left_out(imputer, fill)]


@encode.register
def _(scaler: StandardScaler, features: Sequence[Feature]) -> list[Feature]:
    centred = _each(features, "subtract", scaler.mean_ if scaler.with_mean else None)
    return _each(centred, "divide", scaler.scale_)


@encode.register
def _(scaler: RobustScaler, features: Sequence[Feature]) -> list[Feature]:
    centred = _each(features, "subtract", scaler.center_ if scaler.with_centering else None)
    return _each(centred, "divide", scaler.scale_ if scaler.with_scaling else None)


@encode.register
def _(scaler: MinMaxScaler, features: Sequence[Feature]) -> list[Feature]:
    if scaler.clip:
        raise NotCompilable("MinMaxScaler that clips is not compiled")
    return _each(_each(features, "multiply", scaler.scale_), "add", scaler.min_)


@encode.register
def _(scaler: MaxAbsScaler, features: Sequence[Feature]) -> list[Feature]:
    return _each(features, "divide", scaler.scale_)


@encode.register(OneHotEncoder)
@encode.register(OrdinalEncoder)
def _(encoder: OneHotEncoder | OrdinalEncoder, features: Sequence[Feature]) -> list[Feature]:
    ask = _Asked(encoder)
    return [code for number, feature in enumerate(features) for code in ask.codes(number, feature)]


class _Asked:
    """An encoder, asked for what it makes of each category of each of its columns."""

    def __init__(self, encoder: OneHotEncoder | OrdinalEncoder) -> None:
        self._encoder = encoder
        self._usual = [categories[:1] for categories in encoder.categories_]
        widths = getattr(encoder, "_n_features_outs", [1] * len(self._usual))
        ends = np.cumsum(widths)
        self._parts = [slice(end - width, end) for end, width in zip(ends, widths, strict=True)]

    def codes(self, number: int, feature: Feature) -> list[Feature]:
        """The features that one of its columns becomes."""
        if isinstance(feature, Coded) or (isinstance(feature, Numeric) and feature.steps):
            raise NotCompilable(f"{type(self._encoder).__name__} of what was changed before")
        cells = [_plain(c) for c in self._encoder.categories_[number] if not pd.isna(c)]
        known = [self._ask(number, cell) for cell in cells]
        others = [self._ask(number, cell) for cell in _others(feature, cells)]
        made: list[Feature] = []
        for place in range(self._parts[number].stop - self._parts[number].start):
            codes = {c: code[place] for c, code in zip(cells, known, strict=True) if code}
            unknown, missing, nulls = (code[place] if code else None for code in others)
            made.append(Coded(feature.column, codes, unknown, missing, nulls))
        return made

    def _ask(self, number: int, cell: Any) -> list[float] | None:
        """What it makes of one cell; None when it fails."""
        dtype = self._usual[number].dtype
        cells = pd.Series([cell], dtype=dtype if _fits(cell, dtype) else None)
        columns = [*self._usual[:number], cells, *self._usual[number + 1 :]]
        names = getattr(self._encoder, "feature_names_in_", range(len(columns)))
        row = pd.DataFrame(dict(zip(names, columns, strict=True)))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an unknown category
                made = self._encoder.transform(row)
        except (ValueError, TypeError):
            return None
        dense = made.toarray() if hasattr(made, "toarray") else np.asarray(made)
        return [float(code) for code in dense[0, self._parts[number]]]


def _impute(feature: Feature, fill: Any) -> Feature:
    if isinstance(feature, Text):
        return feature if feature.filled is not None else replace(feature, filled=str(fill))
    if isinstance(feature, Coded):
        return feature.each(lambda code: float(fill) if np.isnan(code) else code)
    return feature.then("fill", fill)


def _sparse(feature: Feature) -> Feature:
    return replace(feature, required=True) if isinstance(feature, Numeric) else feature


def _left_out(imputer: SimpleImputer, fill: Any) -> bool:
    """A column that had no value at all in training."""
    return bool(pd.isna(fill)) and not imputer.keep_empty_features


def _each(features: Sequence[Feature], name: str, operands: Array | None) -> list[Feature]:
    if operands is None:
        return list(features)
    return [_changed(f, name, operand) for f, operand in zip(features, operands, strict=True)]


def _changed(feature: Feature, name: str, operand: float) -> Feature:
    if isinstance(feature, Text):
        raise NotCompilable("a scaler is given text")
    if isinstance(feature, Coded):
        return feature.each(lambda code: CHANGES[name](code, float(operand)))
    return feature.then(name, operand)


def _plain(category: Any) -> Any:
    return category.item() if isinstance(category, np.generic) else category


def _others(feature: Feature, cells: Sequence[Any]) -> tuple[Any, Any, Any]:
    """Cells that are unknown, missing, and missing in every row: `keep_texts` has NaN for both."""
    if not isinstance(feature, Text):
        unknown = not cells[0] if isinstance(cells[0], bool) else max(cells) + 1
        return unknown, np.nan, np.nan
    if feature.filled is not None:
        return UNKNOWN, feature.filled, feature.filled
    return UNKNOWN, np.nan, np.nan


def _fits(cell: Any, dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "O" or not pd.isna(cell)
