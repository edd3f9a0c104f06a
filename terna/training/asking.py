"""What a model is asked in a child process: new reference rows, those that it has, a hold-out.

Each function returns what `model_process` wants: what JSON knows, and bytes.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd

from terna.contracts import reference_rows
from terna.contracts.scoring import JSON, ScoringRequest
from terna.contracts.version import Version
from terna.errors import DataError, LoadFailed, RequestError
from terna.predictor.mlflow_private import enter_serving_environment
from terna.predictor.model_process import Answer
from terna.predictor.predictor import Predictor
from terna.predictor.pyfunc_model import PyfuncModel
from terna.predictor.reference_check import check_reference_rows
from terna.training import model_file
from terna.training.sample import read_sample

Document = Mapping[str, Any]


def check_answers(version: Mapping[str, Any], folder: str) -> Answer:
    """Load a model directory whose signature has been verified, and ask it its reference rows.

    Args:
        version: as the fields of `Version`.

    Raises:
        ModelRejected: it cannot be loaded, or it answers other than training recorded.
    """
    asked = Version(**version)
    pyfunc = PyfuncModel.load(asked, Path(folder))
    check_reference_rows(Predictor(asked, lambda: pyfunc), Path(folder))
    return None, b""


def predict(version: Mapping[str, Any], folder: str, table: str) -> Answer:
    """Load a model directory whose signature has been verified, and ask it for a table.

    Args:
        version: as the fields of `Version`.
        table: a Parquet file of rows as the model takes them, n of them.

    Returns:
        The n predictions, in the bytes, as JSON.

    Raises:
        LoadFailed: it cannot be loaded.
        DataError: it fails on the table.
    """
    pyfunc = PyfuncModel.load(Version(**version), Path(folder))
    try:
        predictions = np.asarray(pyfunc.model.predict(pd.read_parquet(table))).tolist()
    except Exception as error:  # a model of other columns, or of other libraries
        raise DataError(f"it fails on the hold-out ({type(error).__name__})") from error
    return None, json.dumps(predictions).encode()


def add_reference_rows(folder: str, sample: str | None, seed: int) -> Answer:
    """Ask the model of a directory, and write its answers into it as reference rows.

    A scikit-learn model that is a pickle is put into skops' format, where that can hold it and
    answers the same.

    Raises:
        DataError: no schema, nothing to ask the model, or it answers no good.
        LoadFailed: it cannot be loaded.
    """
    place = Path(folder)
    model = load(place)
    document = _document(model, Path(sample) if sample else None, seed)
    predictions = ask(model, document)
    if ask(model, document) != predictions:
        raise DataError("The model answers the same rows differently each time: it cannot serve.")
    with TemporaryDirectory() as temporary:
        copy = Path(shutil.copytree(place, Path(temporary, "model")))
        if model_file.convert_to_skops(copy) and ask(load(copy), document) == predictions:
            shutil.rmtree(place)
            shutil.copytree(copy, place)
    reference_rows.write(place, document, predictions)
    return None, b""


def load(folder: Path) -> PyfuncModel:
    """Load a model directory as serving does, whosever it is.

    Raises:
        LoadFailed: it cannot be loaded.
    """
    enter_serving_environment()
    try:
        model = mlflow.pyfunc.load_model(str(folder))
    except Exception as error:
        raise LoadFailed(f"The model cannot be loaded: {_first_line(error)}") from error
    return PyfuncModel(model, model.metadata.get_serving_input(str(folder)))


def ask(model: PyfuncModel, document: Document) -> Any:
    """Return a model's predictions for a request, by the code that answers clients.

    Raises:
        DataError: it fails, or answers with what no response can hold.
    """
    predictor = Predictor(Version("", 0, ""), lambda: model)
    request = ScoringRequest(JSON, json.dumps(document).encode())
    try:
        answer = json.loads(predictor.predict(request).body)
        json.dumps(answer, allow_nan=False)
    except RequestError as error:
        raise DataError(f"The model fails on the sample: {_first_line(error)}") from error
    except ValueError as error:
        raise DataError("The model answers NaN on the sample.") from error
    is_wrapped = isinstance(answer, dict) and answer.keys() == {"predictions"}
    return answer["predictions"] if is_wrapped else answer


def _document(model: PyfuncModel, sample: Path | None, seed: int) -> Document:
    if model.schema is None:
        raise DataError(
            "The model has no schema, so that nobody can tell which requests fit it: log it again"
            " with `signature=` or `input_example=`."
        )
    if sample is not None:
        return read_sample(sample, model.schema, seed)
    if not model.example:
        raise DataError("The model has no input example to ask it for: add --sample FILE.")
    return dict(json.loads(model.example))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300] if str(error) else type(error).__name__
