"""Stacks that serve what is attacked."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import mlflow.pyfunc
import pandas as pd
import psutil
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

from terna.progress import Silent
from terna.training import importing
from terna.training.job import CHURN_FEATURES
from terna.training.session import Session
from tests.adversarial.attacks import MODEL_OF_CODE, Costly
from tests.adversarial.beside import Served, memory_of
from tests.adversarial.bodies import CSV, body
from tests.e2e.customers import holdout_rows
from tests.e2e.stacks.stack import Stack

TRAINED, OF_CODE = "rfc_tune", "attacked_code"
"""Names of models; the replica in containers has trained the first one itself."""

ROW: dict[str, object] = {"x": 1.5}
"""Which `MODEL_OF_CODE` answers."""

WARM_UP = 3
"""Seconds."""

SETTLED = 1.02
"""How many times its memory serving may hold after another round."""

ROWS = 10_000
"""Of a large table: the process that answered it may keep memory for the next."""


def serving_a_trained_model(stack: Stack, **changed: float) -> Served:
    """Have a stack serve what `terna train` makes, which is compiled.

    Args:
        changed: settings of serving.
    """
    stack.serve(TRAINED, **changed)
    stack.ensure_serving(version=1)
    return _warm(stack, dict(zip(CHURN_FEATURES, holdout_rows(1)[0], strict=True)))


def serving_a_model_of_code(stack: Stack, folder: Path, **changed: float) -> Served:
    """Have a stack serve `MODEL_OF_CODE`, which only pyfunc answers.

    Args:
        folder: an empty one.
        changed: settings of serving.
    """
    stack.serve(OF_CODE, **changed)
    if stack.in_production() is None:
        stack.promote(_released(stack, folder))
    stack.wait_for_version(2)
    return _warm(stack, ROW)


def _released(stack: Stack, folder: Path) -> int:
    """Register the model as version 1, and the same released as version 2."""
    file, sample = folder / "model.py", folder / "sample.json"
    file.write_text(MODEL_OF_CODE)
    sample.write_bytes(body(dataframe_records=[ROW]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about type hints
        mlflow.pyfunc.save_model(
            str(folder / "model"),
            python_model=str(file),
            signature=ModelSignature(Schema([ColSpec(DataType.double, "x")])),
            pip_requirements=[],
        )
        session = Session.open(OF_CODE, stack.settings, Silent())
        registered = importing.register(session, str(folder / "model"), sample)
        return importing.release(session, registered.version.number).version.number


def _warm(stack: Stack, row: dict[str, object]) -> Served:
    """Return what is served once all of its child processes have answered large tables.

    They keep memory for the next: it is warm when another round adds none.
    """
    process, listener = stack.serving_process, stack.listeners[-1]
    table = pd.DataFrame([row])
    csv = [partial(_csv, table, rows) for rows in (1, ROWS)]
    requests = [Costly("CSV", each, CSV) for each in csv]
    requests.append(Costly("JSON", partial(body, dataframe_records=[row] * ROWS)))

    def warm() -> bool:
        before = memory_of(process)
        with ThreadPoolExecutor(len(requests)) as threads:
            list(threads.map(lambda each: each.run(listener, stack.model, WARM_UP), requests))
        grown = memory_of(process) > SETTLED * before
        return _children(process) > stack.settings.serving.threads and not grown

    stack.wait_until(warm)
    return Served(stack.model, body(dataframe_records=[row]), process, memory_of(process))


def _csv(table: pd.DataFrame, rows: int) -> bytes:
    return table.loc[[0] * rows].to_csv(index=False).encode()


def _children(process: int) -> int:
    """Count the processes of serving's inference pool: forks of one that is none of them."""
    found = psutil.Process(process).children(recursive=True)
    return sum("forkserver" in " ".join(_command(each)) for each in found) - 1


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
