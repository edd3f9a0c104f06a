"""MLflow's private names are used in one module, so that an upgrade has one module to check."""

import ast
from collections.abc import Iterator
from pathlib import Path

import terna

PRIVATE_MODULES = (
    "mlflow.models.utils",
    "mlflow.pyfunc.scoring_server",
    "mlflow.pyfunc.utils",
    "mlflow.utils.proto_json_utils",
)
MODULE = "predictor/mlflow_private.py"


def private_imports(source: str) -> Iterator[str]:
    """Yield what a module imports of MLflow that is private or undocumented."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from filter(is_private, names)


def is_private(name: str) -> bool:
    package, *parts = name.split(".")
    private = any(part.startswith("_") for part in parts)
    in_private_module = any(f"{name}.".startswith(f"{module}.") for module in PRIVATE_MODULES)
    return package == "mlflow" and (private or in_private_module)


def test_private_name_or_module_of_mlflow_is_found() -> None:
    source = """
import mlflow.models.utils
from mlflow.models import Model, _private
from mlflow.pyfunc import scoring_server, load_model
def late():
    from mlflow.utils.proto_json_utils import NumpyEncoder
"""
    assert list(private_imports(source)) == [
        "mlflow.models.utils",
        "mlflow.models._private",
        "mlflow.pyfunc.scoring_server",
        "mlflow.utils.proto_json_utils.NumpyEncoder",
    ]


def test_only_mlflow_private_imports_private_names_of_mlflow() -> None:
    root = Path(terna.__file__).parent
    found = {
        str(path.relative_to(root)): names
        for path in root.rglob("*.py")
        if (names := list(private_imports(path.read_text())))
    }

    assert MODULE in found
    assert {path: names for path, names in found.items() if path != MODULE} == {}
