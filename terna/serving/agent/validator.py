"""Decides whether a verified version may serve, and by which path it answers."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from terna.compiler.runtime.compiled_model import Program
from terna.compiler.verification import verification
from terna.contracts import reference_rows
from terna.contracts.scoring import Rows
from terna.contracts.version import Version
from terna.errors import NotCompilable, TooSlow
from terna.predictor.predictor import LoadedModel
from terna.predictor.pyfunc_model import Original
from terna.serving.cache.compiled_cache import Programs, made_for

logger = logging.getLogger("terna.serving")

TIMES = 5
"""How often one row is asked; the fastest answer counts, as others share the machine."""


class Judge:
    """Looks at one version after another, and remembers how fast the last one was."""

    def __init__(self, programs: Programs, slower: float, compiled: bool = True) -> None:
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
            ModelRefused: each kind of it; a program that was made stays unused.
        """
        original = Original.load(version, folder)
        LoadedModel(version, lambda: original).check_reference(folder)
        rows, _ = reference_rows.read(folder)
        program, path = self._compile(original, rows, folder)
        model = LoadedModel(version, lambda: original, program)
        model.check_reference(folder)
        self._check_speed(model, Rows(rows.values[:1], rows.columns))
        return path

    def _compile(self, original: Original, rows: Rows, folder: Path) -> tuple[Program | None, str]:
        try:
            if not self._compiled:
                raise NotCompilable("TERNA_SERVING_COMPILE says so")
            asked = _in_order(rows, original.names)
            program, compared = verification.accepted(original.model, asked, made_for(folder))
        except NotCompilable as error:
            self._programs.forget(folder)
            logger.warning("answers by pyfunc: %s", error)
            return None, f"pyfunc: {error}"
        self._programs.keep(folder, program)
        logger.info(
            "%s: %d rows compared, every split of %d of %d trees tried, in %.1f s",
            *(program.kind, compared.rows, compared.trees, compared.of, compared.seconds),
        )
        return program, program.kind

    def _check_speed(self, model: LoadedModel, row: Rows) -> None:
        seconds = min(_seconds(model, row) for _ in range(TIMES))
        if self._slower and self._seconds and seconds > self._slower * self._seconds:
            raise TooSlow(
                f"{model.version} takes {seconds * 1000:.2g} ms for a row, its predecessor"
                f" {self._seconds * 1000:.2g} ms, and"
                f" TERNA_SERVING_MAX_SLOWDOWN is {self._slower:g}."
            )
        self._seconds = seconds


def _in_order(rows: Rows, names: Sequence[str]) -> Sequence[Sequence[Any]]:
    """The rows' cells in the signature's order."""
    place = {name: number for number, name in enumerate(rows.columns or names)}
    if not names or not set(names) <= place.keys():
        raise NotCompilable("the reference rows do not have the signature's columns")
    return [[row[place[name]] for name in names] for row in rows.values]


def _seconds(model: LoadedModel, row: Rows) -> float:
    start = time.perf_counter()
    model.predict(row)
    return time.perf_counter() - start
