"""`terna model …`."""

import os
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import mlflow.pyfunc
import mlflow.xgboost
import numpy as np
import pandas as pd
import pytest
import xgboost
from mlflow.pyfunc.model import PythonModel

from terna.registry import client, runs
from terna.registry import registry as registry_module
from terna.security import signing
from terna.training.importing import SOURCE_TAG
from tests.fakes import MemoryRegistry, MemoryRuns
from tests.unit.cli.running import Terna

POINTS = pd.DataFrame({"a": np.arange(8.0), "b": np.arange(8.0)})


@pytest.fixture
def registry(terna: Terna, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryRegistry:  # noqa: ARG001
    """A registry in memory, and all keys in the working directory."""
    registry, memory = MemoryRegistry(tmp_path / "registry"), MemoryRuns()
    monkeypatch.setattr(client, "connect", lambda _: None)
    monkeypatch.setattr("terna.training.session.connect", lambda _: None)
    monkeypatch.setattr("terna.training.session.MLflowRegistry", lambda *_: registry)
    monkeypatch.setattr("terna.training.session.MLflowRuns", lambda *_: memory)
    monkeypatch.setattr(registry_module, "MLflowRegistry", lambda *_: registry)
    monkeypatch.setattr(runs, "MLflowRuns", lambda *_: memory)
    for private, public in (
        ("secrets/training/signing.key", "certs/training/signing.pub"),
        ("secrets/release/release.key", "certs/training/release.pub"),
    ):
        signing.ensure_signing_keys(Path(private), Path(public))
    return registry


@pytest.fixture
def booster(terna: Terna) -> str:  # noqa: ARG001
    """A model without code, with an input example."""
    model = xgboost.train({"nthread": 1}, xgboost.DMatrix(POINTS, POINTS["a"]), 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about integers
        mlflow.xgboost.save_model(
            model, "booster", input_example=POINTS.head(3), pip_requirements=[]
        )
    return "booster"


class Doubling(PythonModel):
    """A custom pyfunc."""

    def predict(self, context: Any, model_input, params=None):  # type: ignore[no-untyped-def] # noqa: ARG002
        return (model_input["a"] * 2).tolist()


class Leaving:
    """Ends the process that unpickles it."""

    def __reduce__(self) -> Any:
        return os._exit, (7,)


@pytest.fixture
def custom(terna: Terna) -> str:  # noqa: ARG001
    """A model with code, with an input example."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # a child does not know the tests
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about pickles
        mlflow.pyfunc.save_model(
            "custom", python_model=Doubling(), input_example=POINTS.head(3), pip_requirements=[]
        )
    return "custom"


def test_registered_model_would_serve_and_is_promoted(
    terna: Terna, registry: MemoryRegistry, booster: str
) -> None:
    made = terna(
        *("model", "register", booster, "--name", "price"),
        *("--tag", "owner=sales", "--alias", "candidate"),
    )
    assert (made.code, made.out.splitlines()[-1]) == (
        0,
        "price version 1 is registered: `terna promote 1 --name price`",
    )
    assert registry.tags["price", 1] == {"owner": "sales", SOURCE_TAG: booster}

    assert "price version 1 would serve" in terna("model", "validate", "1", "--name", "price").out
    assert terna("promote", "1", "--name", "price").code == 0
    assert registry.production("price") == registry.version("price", 1)


def test_code_is_promoted_only_once_it_is_released(
    terna: Terna, registry: MemoryRegistry, custom: str
) -> None:
    made = terna("model", "register", custom, "--name", "price")
    assert "`terna model sign 1 --name price --release`" in made.out

    refused = terna("promote", "1", "--name", "price")
    assert refused.code == 1
    assert refused.err.startswith("error: price version 1 is not promoted, as it would not serve: ")
    assert len(refused.err.splitlines()) == 1
    assert registry.production("price") is None

    released = terna("model", "sign", "1", "--name", "price", "--release")
    assert "price version 2 is version 1, released: its loader_module is" in released.out
    assert terna("promote", "2", "--name", "price").code == 0
    assert registry.production("price") == registry.version("price", 2)


def test_version_of_others_is_signed_as_a_new_version(
    terna: Terna, registry: MemoryRegistry, booster: str
) -> None:
    registry.register("price", Path(booster), "m-other", "")
    refused = terna("model", "validate", "1", "--name", "price")
    assert (refused.code, "it has no file model.sig" in refused.err) == (1, True)

    signed = terna("model", "sign", "1", "--name", "price")
    assert "price version 2 is version 1, signed" in signed.out
    assert terna("model", "validate", "2", "--name", "price").code == 0


def test_model_that_ends_its_process_ends_the_command_with_one_line(
    terna: Terna, registry: MemoryRegistry, custom: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()  # what MLflow says when it saves the model
    Path(custom, "python_model.pkl").write_bytes(pickle.dumps(Leaving()))
    done = terna("model", "register", custom, "--name", "price")
    assert (done.code, done.err) == (
        1,
        "error: The model ends the process that loads it: with exit code 7.\n",
    )
    assert registry.versions == {}


@pytest.mark.parametrize("tag", ["owner", "=sales", ""])
def test_tag_without_key_or_value_is_refused(
    terna: Terna, registry: MemoryRegistry, booster: str, tag: str
) -> None:
    done = terna("model", "register", booster, "--name", "price", "--tag", tag)
    assert (done.code, "KEY=VALUE" in done.err) == (1, True)
    assert registry.versions == {}


def test_name_of_the_model_is_required(terna: Terna, booster: str) -> None:
    done = terna("model", "register", booster)
    assert (done.code, "--name" in done.err) == (2, True)


def test_model_alone_lists_its_commands(terna: Terna) -> None:
    done = terna("model", "--help")
    assert all(name in done.out for name in ("register", "sign", "validate"))
    assert "check" not in done.out.split("Commands")[1].split("validate")[0]
