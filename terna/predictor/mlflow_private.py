"""Every private or undocumented name of MLflow that Terna uses: what an MLflow upgrade must check.

MLflow's scoring server does its work in these functions. Calling them is what makes Terna's
responses equal to MLflow's.
"""

from mlflow.environment_variables import _MLFLOW_IS_IN_SERVING_ENVIRONMENT
from mlflow.models import Model
from mlflow.models.utils import _enforce_schema as enforce_schema
from mlflow.pyfunc.scoring_server import _parse_json_data as parse_json_data
from mlflow.pyfunc.scoring_server import parse_csv_input, parse_parquet_input
from mlflow.pyfunc.utils.serving_data_parser import is_unified_llm_input
from mlflow.utils.proto_json_utils import (
    NumpyEncoder,
    cast_df_types_according_to_schema,
    dataframe_from_parsed_json,
)
from mlflow.utils.proto_json_utils import _get_jsonable_obj as jsonable

__all__ = [
    "NumpyEncoder",
    "cast_df_types_according_to_schema",
    "dataframe_from_parsed_json",
    "enforce_schema",
    "enter_serving_environment",
    "has_type_hints",
    "is_unified_llm_input",
    "jsonable",
    "parse_csv_input",
    "parse_json_data",
    "parse_parquet_input",
]


def enter_serving_environment() -> None:
    """Tell MLflow that models are loaded to serve: those with type hints ask for it."""
    _MLFLOW_IS_IN_SERVING_ENVIRONMENT.set("true")


def has_type_hints(metadata: Model) -> bool:
    """Return whether the model's schema was made from the type hints of its `predict`."""
    return bool(metadata._is_signature_from_type_hint())
