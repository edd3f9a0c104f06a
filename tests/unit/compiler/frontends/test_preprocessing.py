"""Pipelines that people put before an estimator, compiled or refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from terna.compiler.compile import compile_model
from terna.errors import NotCompilable
from tests.unit.compiler.models import as_loaded, check, classes, customers

pytestmark = pytest.mark.filterwarnings("ignore")
NUMBERS = ["minutes", "calls", "vip"]
TEXTS = ["plan", "city"]


def selected(*parts: Any, remainder: Any = "drop") -> ColumnTransformer:
    return ColumnTransformer([(str(i), *p) for i, p in enumerate(parts)], remainder=remainder)


ENCODINGS: dict[str, Callable[[], Any]] = {
    "columns passed through by name": lambda: selected(("passthrough", NUMBERS)),
    "columns by position": lambda: selected(("passthrough", [0, 2])),
    "columns by kind": lambda: selected(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), TEXTS),
        ("passthrough", make_column_selector(dtype_include="number")),
    ),
    "the remainder too": lambda: selected(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False, drop="first"), ["plan"]),
        ("drop", ["city"]),
        remainder="passthrough",
    ),
    "unknown categories fail": lambda: selected(
        (OneHotEncoder(handle_unknown="error", sparse_output=False), ["plan"]),
        ("passthrough", NUMBERS),
    ),
    "rare categories together": lambda: selected(
        (
            OneHotEncoder(
                handle_unknown="infrequent_if_exist", sparse_output=False, min_frequency=9
            ),
            TEXTS,
        ),
        ("passthrough", NUMBERS),
    ),
    "an order with gaps": lambda: selected(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), TEXTS),
        ("passthrough", NUMBERS),
    ),
    "the commonest text for a missing one": lambda: selected(
        (
            make_pipeline(
                SimpleImputer(strategy="most_frequent"),
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            ),
            TEXTS,
        ),
        ("passthrough", NUMBERS),
    ),
    "numbers as categories": lambda: selected(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["calls", "vip"]),
        ("passthrough", ["minutes"]),
    ),
    "scalers, one after another": lambda: selected(
        (make_pipeline(SimpleImputer(), MinMaxScaler(), StandardScaler()), ["minutes"]),
        (make_pipeline(RobustScaler(), MaxAbsScaler()), ["calls"]),
        (make_pipeline(OrdinalEncoder(), StandardScaler()), ["vip"]),
    ),
    "a scaler that keeps gaps": lambda: selected((StandardScaler(), NUMBERS)),
    "pipelines within pipelines": lambda: make_pipeline(
        selected(
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["plan"]),
            remainder=selected((SimpleImputer(), [0]), remainder="drop"),
        ),
        FunctionTransformer(),
        selected(("passthrough", [0, 1, 4])),
    ),
    "a union": lambda: make_pipeline(
        selected((SimpleImputer(), NUMBERS)),
        FeatureUnion([("as it is", "passthrough"), ("scaled", StandardScaler())]),
    ),
}


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize(
    "estimator",
    [RandomForestClassifier(10, random_state=0), HistGradientBoostingClassifier(max_iter=9)],
)
def test_compiled_pipeline_predicts_the_same(name: str, estimator: Any) -> None:
    model = make_pipeline(ENCODINGS[name](), estimator)

    check(model.fit(customers(), classes(customers())))


def test_missing_number_in_sparse_matrix_needs_pyfunc() -> None:
    encoding = selected((OneHotEncoder(handle_unknown="ignore"), TEXTS), ("passthrough", NUMBERS))
    table = customers(missing=False)
    model = make_pipeline(encoding, RandomForestClassifier(5)).fit(table, classes(table))
    assert model[0].sparse_output_
    compiled = check(model, table)

    assert compiled.predict_rows([[None, "basic", 3, True, "city 1"]]) is None
    assert compiled.predict_rows([[1.5, "basic", 3, True, "city 1"]]) is not None


def test_category_that_the_encoder_fails_on_needs_pyfunc() -> None:
    encoding = ENCODINGS["unknown categories fail"]()
    model = make_pipeline(encoding, RandomForestClassifier(5)).fit(
        customers(), classes(customers())
    )
    compiled = check(model)

    assert compiled.predict_rows([[1.5, "never seen", 3, True, "city 1"]]) is None


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: make_pipeline(ENCODINGS["a union"](), PCA(), LogisticRegression()), "PCA"),
        (
            lambda: make_pipeline(
                selected((FunctionTransformer(np.abs), ["calls"])), LogisticRegression()
            ),
            "FunctionTransformer with a function",
        ),
        (
            lambda: make_pipeline(
                selected((SimpleImputer(add_indicator=True), NUMBERS)), LogisticRegression()
            ),
            "indicator",
        ),
        (
            lambda: make_pipeline(
                selected((OneHotEncoder(), ["vip"]), ("passthrough", ["vip"])),
                RandomForestClassifier(9, random_state=0),
            ),
            "both as a number and by category",
        ),
    ],
)
def test_unsupported_transformer_is_refused_with_a_reason(
    make: Callable[[], Any], why: str
) -> None:
    model = make().fit(customers(), classes(customers()))

    with pytest.raises(NotCompilable, match=why):
        compile_model(as_loaded(model, customers()))
