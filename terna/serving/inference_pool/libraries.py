"""The models' libraries that are installed here, imported before the first child is forked."""

from contextlib import suppress
from importlib import import_module

for name in ("mlflow.sklearn", "skops.io", "sklearn.ensemble", "sklearn.pipeline"):
    with suppress(ImportError):
        import_module(name)
