"""The validator: whether a verified version may serve, and by which backend it answers."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.verification import verification
from terna.contracts import reference_rows
from terna.contracts.scoring import Table
from terna.contracts.version import Version
from terna.errors import NotCompilable, TooSlow
from terna.predictor.predictor import Predictor
from terna.predictor.pyfunc_model import PyfuncModel
from terna.predictor.reference_check import check_reference_rows
from terna.serving.cache.compiled_cache import CompiledCache, cache_key

logger = logging.getLogger("terna.serving")

REPEATS = 5
"""How often one row is predicted; the fastest time counts, as others share the machine."""


class Validator:
    """A validator of one version after another, which remembers how fast the last one was."""

    def __init__(
        self, compiled_cache: CompiledCache, max_slowdown: float, compile_models: bool = True
    ) -> None:
        """
        Args:
            max_slowdown: how many times slower than its predecessor a version may be; 0 for any.
            compile_models: whether versions are compiled at all.
        """
        self._compiled_cache = compiled_cache
        self._max_slowdown = max_slowdown
        self._compile_models = compile_models
        self._seconds = 0.0

    def validate(self, version: Version, folder: Path) -> str:
        """Return which backend answers for the version, and why not the compiled one.

        Raises:
            ModelRejected: any subclass; a compiled model that was made stays unused.
        """
        pyfunc = PyfuncModel.load(version, folder)
        check_reference_rows(Predictor(version, lambda: pyfunc), folder)
        table, _ = reference_rows.read(folder)
        compiled, backend = self._compile(pyfunc, table, folder)
        predictor = Predictor(version, lambda: pyfunc, compiled)
        check_reference_rows(predictor, folder)
        self._check_speed(predictor, Table(table.values[:1], table.columns))
        return backend

    def _compile(
        self, pyfunc: PyfuncModel, table: Table, folder: Path
    ) -> tuple[CompiledModel | None, str]:
        try:
            if not self._compile_models:
                raise NotCompilable("TERNA_SERVING_COMPILE says so")
            rows = _rows_in_order(table, pyfunc.names)
            compiled, report = verification.compile_verified(
                pyfunc.model, pyfunc, rows, cache_key(folder)
            )
        except NotCompilable as error:
            self._compiled_cache.remove(folder)
            logger.warning("answers by pyfunc: %s", error)
            return None, f"pyfunc: {error}"
        self._compiled_cache.store(folder, compiled)
        logger.info(
            "%s: %d rows compared, every split of %d of %d trees tried, in %.1f s",
            *(compiled.backend, report.rows, report.trees_verified, report.trees, report.seconds),
        )
        return compiled, compiled.backend

    def _check_speed(self, predictor: Predictor, row: Table) -> None:
        seconds = min(measure_seconds(predictor, row) for _ in range(REPEATS))
        limit = self._max_slowdown * self._seconds
        if limit and seconds > limit:
            raise TooSlow(
                f"{predictor.version} takes {seconds * 1000:.2g} ms for a row, its predecessor"
                f" {self._seconds * 1000:.2g} ms, and"
                f" TERNA_SERVING_MAX_SLOWDOWN is {self._max_slowdown:g}."
            )
        self._seconds = seconds


def _rows_in_order(table: Table, names: Sequence[str]) -> Sequence[Sequence[Any]]:
    """Return the rows' cells in the schema's order."""
    position = {name: number for number, name in enumerate(table.columns or names)}
    if not names or not set(names) <= position.keys():
        raise NotCompilable("the reference rows do not have the schema's columns")
    return [[row[position[name]] for name in names] for row in table.values]


def measure_seconds(predictor: Predictor, row: Table) -> float:
    """Return how many seconds one prediction takes."""
    start = time.perf_counter()
    predictor.predict_table(row)
    return time.perf_counter() - start
