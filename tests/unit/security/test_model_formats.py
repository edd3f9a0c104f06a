"""Which model directories can run code when they are loaded, before any loader runs."""

import shutil
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightgbm
import mlflow.lightgbm
import mlflow.pyfunc
import mlflow.sklearn
import mlflow.xgboost
import numpy as np
import pytest
import xgboost
import yaml
from mlflow.pyfunc.model import PythonModel
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from terna.errors import FormatRefused
from terna.security.model_formats import TRUSTED_TYPES, check_formats, find_code
from terna.training import model_file
from terna.training.families import FAMILIES
from tests.unit.training.lab import fit_family

POINTS = np.random.default_rng(0).normal(size=(60, 3))
LABELS = (POINTS[:, 0] > 0).astype(int)
SKOPS: dict[str, Any] = {"skops_trusted_types": sorted(TRUSTED_TYPES)}
NO_REQUIREMENTS: dict[str, Any] = {"pip_requirements": []}


def save_sklearn(folder: Path, estimator: Any, **options: Any) -> None:
    mlflow.sklearn.save_model(estimator.fit(POINTS, LABELS), str(folder), **options)


def save_xgboost(folder: Path, model: Any) -> None:
    mlflow.xgboost.save_model(model, str(folder), **NO_REQUIREMENTS)


def save_lightgbm(folder: Path, model: Any, **options: Any) -> None:
    mlflow.lightgbm.save_model(model, str(folder), **NO_REQUIREMENTS, **options)


def xgboost_booster() -> xgboost.Booster:
    return xgboost.train({"nthread": 1}, xgboost.DMatrix(POINTS, LABELS), 2)


def lightgbm_booster() -> lightgbm.Booster:
    return lightgbm.train({"verbose": -1}, lightgbm.Dataset(POINTS, LABELS), 2)


class Doubling(PythonModel):
    """A custom pyfunc."""

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def] # noqa: ARG002
        return model_input * 2


WITHOUT_CODE: dict[str, Callable[[Path], None]] = {
    "scikit-learn, skops": partial(
        save_sklearn, estimator=RandomForestClassifier(3), **SKOPS, **NO_REQUIREMENTS
    ),
    "scikit-learn, a pipeline": partial(
        save_sklearn,
        estimator=make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=2)),
        **SKOPS,
        **NO_REQUIREMENTS,
    ),
    "scikit-learn, neighbours": partial(
        save_sklearn,
        estimator=KNeighborsClassifier(),
        pyfunc_predict_fn="predict_proba",
        **SKOPS,
        **NO_REQUIREMENTS,
    ),
    "scikit-learn, XGBoost in a pipeline": partial(
        save_sklearn,
        estimator=make_pipeline(StandardScaler(), xgboost.XGBClassifier(n_estimators=2)),
        **SKOPS,
        **NO_REQUIREMENTS,
    ),
    "XGBoost, booster": lambda folder: save_xgboost(folder, xgboost_booster()),
    "XGBoost, classifier": lambda folder: save_xgboost(
        folder, xgboost.XGBClassifier(n_estimators=2).fit(POINTS, LABELS)
    ),
    "LightGBM, booster": lambda folder: save_lightgbm(folder, lightgbm_booster()),
    "LightGBM, classifier": lambda folder: save_lightgbm(
        folder, lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(POINTS, LABELS)
    ),
}


def save_code_paths(folder: Path) -> None:
    code = folder.with_name("helpers.py")
    code.write_text("x = 1\n")
    save_sklearn(
        folder, RandomForestClassifier(3), code_paths=[str(code)], **SKOPS, **NO_REQUIREMENTS
    )


def save_loader(folder: Path) -> None:
    data = folder.with_name("weights.bin")
    data.write_text("1")
    mlflow.pyfunc.save_model(
        str(folder), loader_module="my_loader", data_path=str(data), **NO_REQUIREMENTS
    )


WITH_CODE: dict[str, tuple[Callable[[Path], None], str]] = {
    "cloudpickle": (
        partial(
            save_sklearn,
            estimator=RandomForestClassifier(3),
            serialization_format="cloudpickle",
            **NO_REQUIREMENTS,
        ),
        "it is a pickle",
    ),
    "pickle": (
        partial(
            save_sklearn,
            estimator=RandomForestClassifier(3),
            serialization_format="pickle",
            **NO_REQUIREMENTS,
        ),
        "it is a pickle",
    ),
    "LightGBM as a pickle": (
        lambda folder: save_lightgbm(
            folder,
            lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(POINTS, LABELS),
            serialization_format="cloudpickle",
        ),
        "it is a pickle",
    ),
    "custom pyfunc": (
        lambda folder: mlflow.pyfunc.save_model(
            str(folder), python_model=Doubling(), **NO_REQUIREMENTS
        ),
        "loader_module is 'mlflow.pyfunc.model'",
    ),
    "loader module": (save_loader, "loader_module is 'my_loader'"),
    "code_paths": (save_code_paths, "its MLmodel sets 'code'"),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every model of this file, each in a folder of its name."""
    root = tmp_path_factory.mktemp("formats")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about pickles
        for name, save in WITHOUT_CODE.items():
            save(root / name)
        for name, (save, _) in WITH_CODE.items():
            save(root / name)
    return root


@pytest.fixture
def forest(saved: Path, tmp_path: Path) -> Path:
    """A copy of a directory without code, to change."""
    return shutil.copytree(saved / "scikit-learn, skops", tmp_path / "model")


def change(folder: Path, flavor: str, **values: Any) -> Path:
    """Change a flavor's configuration in MLmodel."""
    path = folder / "MLmodel"
    document = yaml.safe_load(path.read_text())
    document["flavors"][flavor] |= values
    path.write_text(yaml.safe_dump(document))
    return folder


@pytest.mark.parametrize("name", WITHOUT_CODE)
def test_format_without_code_needs_no_release(saved: Path, name: str) -> None:
    check_formats(saved / name, is_release=False)
    assert find_code(saved / name) == ""


@pytest.mark.parametrize("name", WITH_CODE)
def test_format_with_code_needs_a_release(saved: Path, name: str) -> None:
    reason = WITH_CODE[name][1]
    assert reason in find_code(saved / name)
    with pytest.raises(FormatRefused, match="terna model sign --release") as refused:
        check_formats(saved / name, is_release=False)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("name", WITH_CODE)
def test_released_format_with_code_is_allowed(saved: Path, name: str) -> None:
    assert find_code(saved / name)
    check_formats(saved / name, is_release=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_everything_that_terna_trains_is_without_code(tmp_path: Path, family: str) -> None:
    mlflow.sklearn.save_model(
        fit_family(FAMILIES[family]),
        str(tmp_path / "model"),
        skops_trusted_types=list(model_file.TRUSTED_TYPES),
        **NO_REQUIREMENTS,
    )
    assert find_code(tmp_path / "model") == ""


def test_types_that_training_trusts_are_on_the_list() -> None:
    assert set(model_file.TRUSTED_TYPES) <= TRUSTED_TYPES


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "operator.methodcaller",
        "sklearn.utils._testing.assert_run_python_script_without_output",
        7,
    ],
)
def test_type_that_is_not_on_the_list_needs_a_release(forest: Path, name: Any) -> None:
    change(forest, "sklearn", skops_trusted_types=["sklearn.tree._tree.Tree", name])
    assert "skops_trusted_types" in find_code(forest)


@pytest.mark.parametrize(
    ("flavor", "values", "reason"),
    [
        ("python_function", {"code": "code"}, "sets 'code'"),
        ("python_function", {"config": {"a": 1}}, "sets 'config'"),
        ("python_function", {"unheard_of": "x"}, "sets 'unheard_of'"),
        ("python_function", {"predict_fn": "__reduce__"}, "predict_fn"),
        ("python_function", {"predict_fn": ["predict"]}, "predict_fn"),
        ("python_function", {"loader_module": "mlflow.sklearn.model"}, "loader_module"),
        ("python_function", {"loader_module": ["mlflow.sklearn"]}, "loader_module"),
        ("python_function", {"data": "nested/model.skops"}, "not beside its MLmodel"),
        ("python_function", {"model_path": "../model.skops"}, "not beside its MLmodel"),
        ("python_function", {"model_path": "/etc/hostname"}, "not beside its MLmodel"),
        ("python_function", {"data": ".."}, "not beside its MLmodel"),
        ("python_function", {"data": {"a": 1}}, "not beside its MLmodel"),
        ("sklearn", {"serialization_format": "pickle"}, "it is a pickle"),
        ("sklearn", {"serialization_format": None}, "it is a pickle"),
        ("sklearn", {"skops_trusted_types": "os.system"}, "no list"),
        ("sklearn", {"code": "code"}, "sets 'code'"),
    ],
)
def test_mlmodel_that_leads_a_loader_elsewhere_needs_a_release(
    forest: Path, flavor: str, values: dict[str, Any], reason: str
) -> None:
    nested = forest / "nested"
    nested.mkdir()
    shutil.copy(forest / "model.skops", nested)
    change(forest, flavor, **values)
    assert reason in find_code(forest)


def test_flavor_that_is_missing_needs_a_release(forest: Path) -> None:
    # MLflow takes a model without the flavor's configuration for a pickle.
    document = yaml.safe_load((forest / "MLmodel").read_text())
    del document["flavors"]["sklearn"]
    (forest / "MLmodel").write_text(yaml.safe_dump(document))
    assert "no flavor sklearn" in find_code(forest)


@pytest.mark.parametrize("name", ["helper.py", "deep/model.PKL", "library.so"])
def test_file_of_code_beside_the_model_needs_a_release(forest: Path, name: str) -> None:
    (forest / name).parent.mkdir(exist_ok=True)
    (forest / name).write_text("")
    assert repr(name) in find_code(forest)


def test_link_to_the_models_file_needs_a_release(forest: Path) -> None:
    (forest / "other.skops").symlink_to(forest / "model.skops")
    change(forest, "python_function", model_path="other.skops")
    assert "not beside its MLmodel" in find_code(forest)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"flavors: [",
        b"flavors: []",
        b"- flavors",
        b"\xff\xfe\x00",
        b"flavors: !!python/object/apply:os.system [id]",
        b"[" * 100_000,
        b"flavors: {}",
        b"flavors: {python_function: 7}",
    ],
)
def test_mlmodel_that_cannot_be_read_needs_a_release(forest: Path, content: bytes) -> None:
    (forest / "MLmodel").write_bytes(content)
    assert find_code(forest).startswith("its MLmodel ")


def test_directory_without_mlmodel_needs_a_release(tmp_path: Path) -> None:
    assert find_code(tmp_path) == "its MLmodel cannot be read"


@pytest.mark.parametrize("name", ["os.system", "xgboost.sklearn.__builtins__", "numpy.dtype", 7])
def test_xgboost_class_that_is_not_on_the_list_needs_a_release(
    saved: Path, tmp_path: Path, name: Any
) -> None:
    folder = shutil.copytree(saved / "XGBoost, booster", tmp_path / "model")
    assert "model_class" in find_code(change(folder, "xgboost", model_class=name))


def directory(folder: Path, flavor: str, data: str, **configuration: Any) -> Path:
    """A directory of a flavor whose library is not installed here, as MLflow writes it."""
    (folder / data).write_bytes(b"weights")
    pyfunc = {"loader_module": f"mlflow.{flavor}", "data": data, "python_version": "3.11.7"}
    flavors = {"python_function": pyfunc, flavor: {"data": data, "code": None, **configuration}}
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors}))
    return folder


@pytest.mark.parametrize(
    ("configuration", "reason"),
    [
        ({"providers": ["CPUExecutionProvider"], "onnx_session_options": None}, ""),
        ({"onnx_session_options": {"inter_op_num_threads": 2}}, ""),
        ({"providers": [["QNNExecutionProvider", {"backend_path": "evil.so"}]]}, "providers"),
        ({"providers": "CPUExecutionProvider"}, "providers"),
        ({"onnx_session_options": {"extra_session_config": {"a": "b"}}}, "extra_session_config"),
        ({"onnx_session_options": ["x"]}, "onnx_session_options"),
    ],
)
def test_onnx_needs_a_release_only_with_options_that_name_libraries(
    tmp_path: Path, configuration: dict[str, Any], reason: str
) -> None:
    found = find_code(directory(tmp_path, "onnx", "model.onnx", onnx_version="1", **configuration))
    assert (reason in found) if reason else found == ""


@pytest.mark.parametrize(("saved_as", "needs"), [("cbm", False), ("json", False), ("py", True)])
def test_catboost_needs_a_release_unless_it_is_saved_as_data(
    tmp_path: Path, saved_as: str, needs: bool
) -> None:
    found = find_code(
        directory(
            *(tmp_path, "catboost", "model.cb"),
            catboost_version="1.2",
            save_format=saved_as,
            model_type="CatBoostClassifier",
        )
    )
    assert bool(found) == needs
