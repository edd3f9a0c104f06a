"""Decides whether a verified version may serve, and by which path it answers."""

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
from terna.predictor.pyfunc_answers import PyfuncAnswers
from terna.predictor.pyfunc_model import PyfuncModel
from terna.serving.cache.compiled_cache import CompiledCache, made_for

logger = logging.getLogger("terna.serving")

TIMES = 5
"""How often one row is asked; the fastest answer counts, as others share the machine."""


class Validator:
    """Looks at one version after another, and remembers how fast the last one was."""

    def __init__(self, programs: CompiledCache, slower: float, compiled: bool = True) -> None:
        """
        Args:
            slower: how many times slower than its predecessor a version may be; 0 for any.
            compiled: whether versions are compiled at all.
        """
        self._programs = programs
        self._slower = slower
        self._compiled = compiled
        self._seconds = 0.0

    def judge(self, version: Version, folder: Path) -> str:
        """By which path the version answers, and why not by the fast one.

        Raises:
            ModelRejected: each kind of it; a program that was made stays unused.
        """
        original = PyfuncModel.load(version, folder)
        Predictor(version, lambda: original).check_reference(folder)
        rows, _ = reference_rows.read(folder)
        program, path = self._compile(original, rows, folder)
        model = Predictor(version, lambda: original, program)
        model.check_reference(folder)
        self._check_speed(model, Table(rows.values[:1], rows.columns))
        return path

    def _compile(
        self, original: PyfuncModel, rows: Table, folder: Path
    ) -> tuple[CompiledModel | None, str]:
        try:
            if not self._compiled:
                raise NotCompilable("TERNA_SERVING_COMPILE says so")
            asked = _in_order(rows, original.names)
            pyfunc = PyfuncAnswers(original.model)
            program, report = verification.compile_verified(
                original.model, pyfunc, asked, made_for(folder)
            )
        except NotCompilable as error:
            self._programs.forget(folder)
            logger.warning("answers by pyfunc: %s", error)
            return None, f"pyfunc: {error}"
        self._programs.keep(folder, program)
        logger.info(
            "%s: %d rows compared, every split of %d of %d trees tried, in %.1f s",
            *(program.backend, report.rows, report.trees_verified, report.trees, report.seconds),
        )
        return program, program.backend

    def _check_speed(self, model: Predictor, row: Table) -> None:
        seconds = min(_seconds(model, row) for _ in range(TIMES))
        if self._slower and self._seconds and seconds > self._slower * self._seconds:
            raise TooSlow(
                f"{model.version} takes {seconds * 1000:.2g} ms for a row, its predecessor"
                f" {self._seconds * 1000:.2g} ms, and"
                f" TERNA_SERVING_MAX_SLOWDOWN is {self._slower:g}."
            )
        self._seconds = seconds


def _in_order(rows: Table, names: Sequence[str]) -> Sequence[Sequence[Any]]:
    """The rows' cells in the signature's order."""
    place = {name: number for number, name in enumerate(rows.columns or names)}
    if not names or not set(names) <= place.keys():
        raise NotCompilable("the reference rows do not have the signature's columns")
    return [[row[place[name]] for name in names] for row in rows.values]


def _seconds(model: Predictor, row: Table) -> float:
    start = time.perf_counter()
    model.predict(row)
    return time.perf_counter() - start
