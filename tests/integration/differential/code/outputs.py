"""A model whose parameter `kind` chooses what it returns, or how it fails."""

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST
from mlflow.pyfunc.model import PythonModel


def frame(rows: pd.DataFrame) -> pd.DataFrame:
    """Every kind of column, missing values among them."""
    n = len(rows)
    return pd.DataFrame(
        {
            "text": rows["text"],
            "number": np.where(np.arange(n) % 2 == 0, np.nan, 0.1),
            "whole": np.arange(n, dtype="int32"),
            "truth": np.arange(n) % 2 == 0,
            "when": pd.date_range("2026-11-21", periods=n, freq="h"),
            "never": pd.Series([pd.NaT] * n),
            "nothing": [None] * n,
        },
        index=range(7, 7 + n),
    )


class Outputs(PythonModel):
    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any]) -> Any:
        return getattr(self, params["kind"])(model_input, params)

    def columns(self, rows: pd.DataFrame, params: Any) -> Any:
        """What the signature's enforcement made of the rows."""
        return [
            {name: str(rows[name].dtype.kind) for name in rows.columns},
            rows.astype(object).where(rows.notna(), None).to_dict("split"),
        ]

    def parameters(self, rows: Any, params: Any) -> Any:
        return [{name: type(value).__name__ for name, value in params.items()}, params]

    def frame(self, rows: Any, params: Any) -> Any:
        return frame(rows)

    def series(self, rows: Any, params: Any) -> Any:
        return pd.Series(np.arange(len(rows)) / 3, name="share")

    def unnamed(self, rows: Any, params: Any) -> Any:
        return pd.Series(["a"] * len(rows))

    def texts(self, rows: Any, params: Any) -> Any:
        return np.array(["nō", "yes", '"quoted"\n', "\ud800"][: len(rows)])

    def probabilities(self, rows: Any, params: Any) -> Any:
        share = (np.arange(len(rows)) + 1) / 7
        return np.column_stack([share, 1 - share])

    def singles(self, rows: Any, params: Any) -> Any:
        return (np.arange(len(rows)) / 7).astype("float32")

    def extremes(self, rows: Any, params: Any) -> Any:
        return [0.1, 1e16, 1e-7, -0.0, 5e-324, 1e22, 123456789012345678, np.float64(1) / 3]

    def missing(self, rows: Any, params: Any) -> Any:
        return np.array([np.nan, np.inf, -np.inf, 1.0])

    def dates(self, rows: Any, params: Any) -> Any:
        return [datetime.date(2026, 11, 21), datetime.datetime(2026, 11, 21, 8, 30), pd.NaT]

    def days(self, rows: Any, params: Any) -> Any:
        return np.array(["2026-11-21", "NaT"], dtype="datetime64[D]")

    def moments(self, rows: Any, params: Any) -> Any:
        return np.array(["2026-11-21T08:30"], dtype="datetime64[ns]")

    def mapping(self, rows: Any, params: Any) -> Any:
        return {"label": np.array(["no"]), "share": np.float32(0.1), 3: None, "raw": b"\x00bytes"}

    def scalar(self, rows: Any, params: Any) -> Any:
        return np.int64(len(rows))

    def nothing(self, rows: Any, params: Any) -> Any:
        return None

    def tuples(self, rows: Any, params: Any) -> Any:
        return [("a", 1), ("b", 2)]

    def truths(self, rows: Any, params: Any) -> Any:
        return np.array([True, False])

    def records(self, rows: Any, params: Any) -> Any:
        return [
            {"label": text, "share": np.float32(0.1), "top": [1, None]} for text in rows["text"]
        ]

    def arrays(self, rows: Any, params: Any) -> Any:
        return {"share": np.arange(4).reshape(2, 2) / 3, "label": np.array(["a", "b"])}

    def frames(self, rows: Any, params: Any) -> Any:
        return {"first": frame(rows)[["text", "whole"]], "second": [1]}

    def text(self, rows: Any, params: Any) -> Any:
        return "only\u2028text — 客"

    def double(self, rows: Any, params: Any) -> Any:
        return 0.1 + 0.2

    def truth(self, rows: Any, params: Any) -> Any:
        return np.bool_(True)

    def empty(self, rows: Any, params: Any) -> Any:
        return pd.DataFrame({"a": []})

    def times(self, rows: Any, params: Any) -> Any:
        return pd.Series(pd.date_range("2026-11-21", periods=2, freq="s", tz="Europe/Berlin"))

    def nested(self, rows: Any, params: Any) -> Any:
        return pd.DataFrame({"list": [np.array([1, 2])], "record": [{"a": np.float64(0.1)}]})

    def categories(self, rows: Any, params: Any) -> Any:
        return pd.DataFrame({"plan": pd.Categorical(["a", None, "b"])})

    def nullable(self, rows: Any, params: Any) -> Any:
        return pd.DataFrame({"whole": pd.array([1, None], "Int64"), "t": pd.array([True, None])})

    def whole(self, rows: Any, params: Any) -> Any:
        return np.array([2**63, 2**64 - 1], dtype="uint64")

    def objects(self, rows: Any, params: Any) -> Any:
        return np.array([1, "a", None, 0.5, np.nan], dtype=object)

    def indexed(self, rows: Any, params: Any) -> Any:
        return pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_tuples([(1, "x"), (2, "y")]))

    def repeated(self, rows: Any, params: Any) -> Any:
        return pd.DataFrame([[1, 2]], columns=["a", "a"])

    def durations(self, rows: Any, params: Any) -> Any:
        return pd.DataFrame({"lasts": pd.to_timedelta(["1 day", "90 s"])})

    def decimals(self, rows: Any, params: Any) -> Any:
        return [decimal.Decimal("0.1")]

    def unwritable(self, rows: Any, params: Any) -> Any:
        return [object()]

    def complex(self, rows: Any, params: Any) -> Any:
        return np.array([1 + 2j])

    def fails(self, rows: Any, params: Any) -> Any:
        raise ValueError(f"cannot take {rows.to_dict()}")

    def refuses(self, rows: Any, params: Any) -> Any:
        raise MlflowException.invalid_parameter_value(f"cannot take {rows.to_dict()}")

    def breaks(self, rows: Any, params: Any) -> Any:
        raise MlflowException(f"broken by {rows.to_dict()}")

    def misses(self, rows: Any, params: Any) -> Any:
        raise MlflowException("no such thing", error_code=RESOURCE_DOES_NOT_EXIST)


set_model(Outputs())
