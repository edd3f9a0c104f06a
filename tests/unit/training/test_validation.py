"""Whether a version would serve: its model runs in a child process."""

import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pytest
from mlflow.models import infer_signature

from terna.contracts import reference_rows
from terna.contracts.version import RELEASE_FILE, Version
from terna.errors import (
    FormatRefused,
    LoadFailed,
    ModelRejected,
    ReferenceMismatch,
    SignatureInvalid,
)
from terna.security import signing
from terna.settings import Settings
from terna.training.asking import check_answers
from terna.training.validation import validate
from tests.fakes import MemoryRegistry
from tests.unit.workshop import NAME, Workshop


class Platform:
    """A registry in memory, and the keys that the workshop signs with."""

    def __init__(self, root: Path, workshop: Workshop) -> None:
        self.root, self.workshop = root, workshop
        self.registry = MemoryRegistry(root / "registry")
        keys = {"release_key": root / "release.key", "release_public_key": root / "release.pub"}
        signing.ensure_signing_keys(*keys.values())
        defaults = Settings.load()
        training = {"signing_public_key": workshop.public_key, **keys}
        self.settings = replace(defaults, training=defaults.training.model_copy(update=training))

    def make(self, change: Any = None, run_id: str = "run1") -> Version:
        number = len(self.registry.versions.get(NAME, [])) + 1
        folder = self.workshop.make(self.root / f"model{number}", "run1", change=change)
        return self.registry.register(NAME, folder, f"m-{number}", run_id)

    def make_python(self, load: str, release: bool = True) -> Version:
        """Register a pyfunc in Python that runs `load` when it is loaded, and answers 1."""

        def change(folder: Path) -> None:
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
            save_python(folder, load)
            if release:
                signing.sign(folder, self.settings.training.release_key, RELEASE_FILE)

        return self.make(change)

    def validate(self, version: Version, seconds: float = 120) -> None:
        training = self.settings.training.model_copy(update={"model_seconds": seconds})
        validate(self.registry, version, replace(self.settings, training=training))


def save_python(folder: Path, load: str) -> None:
    script = folder.with_suffix(".py")
    script.write_text(
        "import os, time, mlflow\n"
        "class Model(mlflow.pyfunc.PythonModel):\n"
        "    def load_context(self, context):\n"
        f"        {load}\n"
        "    def predict(self, context, model_input, params=None):\n"
        "        return [1] * len(model_input)\n"
        "mlflow.models.set_model(Model())\n"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about type hints
        mlflow.pyfunc.save_model(
            str(folder),
            python_model=str(script),
            signature=infer_signature([{"a": 1.0}]),
            metadata={"model": NAME, "run_id": "run1"},
            pip_requirements=[],
        )
    rows = {"columns": ["a"], "data": [[1.0], [2.0]]}
    reference_rows.write(folder, {"dataframe_split": rows}, [1, 1])


@pytest.fixture
def platform(tmp_path: Path, workshop: Workshop) -> Platform:
    return Platform(tmp_path, workshop)


def reason(platform: Platform, version: Version, kind: type[ModelRejected]) -> str:
    with pytest.raises(kind) as refused:
        platform.validate(version)
    assert len(str(refused.value).splitlines()) == 1
    return str(refused.value)


def test_version_that_training_published_would_serve(platform: Platform) -> None:
    version = platform.make()
    platform.validate(version)
    assert platform.registry.production(NAME) is None


def test_changed_version_would_not_serve(platform: Platform) -> None:
    version = platform.make()
    (platform.registry.files(version) / "MLmodel").write_text("changed")
    assert "Hash mismatch" in reason(platform, version, SignatureInvalid)


def test_version_of_another_run_would_not_serve(platform: Platform) -> None:
    version = platform.make(run_id="run2")
    assert "another model or run" in reason(platform, version, ModelRejected)


def test_version_that_answers_otherwise_would_not_serve(platform: Platform) -> None:
    def change(folder: Path) -> None:
        path = folder / reference_rows.FILE
        path.write_text(path.read_text().replace('"predictions": ["', '"predictions": ["not '))

    assert "answers 1 of " in reason(platform, platform.make(change), ModelRejected)


def test_code_that_nobody_released_is_never_loaded(platform: Platform, tmp_path: Path) -> None:
    mark = tmp_path / "loaded"
    version = platform.make_python(f"open({str(mark)!r}, 'w')", release=False)
    assert "loader_module" in reason(platform, version, FormatRefused)
    assert not mark.exists()


def test_released_code_would_serve(platform: Platform, tmp_path: Path) -> None:
    mark = tmp_path / "loaded"
    platform.validate(platform.make_python(f"open({str(mark)!r}, 'w')"))
    assert mark.exists()


def test_code_would_serve_without_release_where_a_setting_says_so(platform: Platform) -> None:
    version = platform.make_python("pass", release=False)
    serving = platform.settings.serving.model_copy(update={"require_release": False})
    platform.settings = replace(platform.settings, serving=serving)
    platform.validate(version)
    assert not (platform.registry.files(version) / RELEASE_FILE).exists()


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        ("os._exit(0)", "ends the process that loads it: with exit code 0"),
        ("os._exit(3)", "ends the process that loads it: with exit code 3"),
        ("os.abort()", "ends the process that loads it: by SIGABRT"),
        ("1 / 0", "cannot be loaded: ZeroDivisionError"),
    ],
)
def test_model_that_ends_its_process_would_not_serve(
    platform: Platform, load: str, expected: str
) -> None:
    assert expected in reason(platform, platform.make_python(load), ModelRejected)


def test_model_that_hangs_would_not_serve(platform: Platform) -> None:
    version = platform.make_python("time.sleep(600)")
    with pytest.raises(ModelRejected, match="TERNA_TRAINING_MODEL_SECONDS, which is 8"):
        platform.validate(version, seconds=8)


def identity(run_id: str) -> dict[str, Any]:
    return asdict(Version(NAME, 1, "", run_id))


def test_answers_are_checked_in_this_process_too(platform: Platform, tmp_path: Path) -> None:
    folder = platform.workshop.make(tmp_path / "plain")
    check_answers(identity("run1"), str(folder))
    with pytest.raises(LoadFailed, match="another model or run"):
        check_answers(identity("run9"), str(folder))
    (folder / reference_rows.FILE).unlink()
    with pytest.raises(ReferenceMismatch, match="no reference rows"):
        check_answers(identity("run1"), str(folder))
