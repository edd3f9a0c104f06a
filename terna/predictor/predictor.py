"""One version that answers: by its program what is plain, by its original whatever else is asked.

The original needs MLflow and the library that trained it. A worker whose program answers every
request never imports them, which is most of its memory and of its start.
"""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from terna.contracts import reference_rows
from terna.contracts.scoring import JSON, PLAIN_JSON, Rows, Table, plain_rows, render
from terna.contracts.version import Version
from terna.errors import BadRequest, ReferenceMismatch, RequestError

if TYPE_CHECKING:
    from terna.predictor.pyfunc_model import PyfuncModel

logger = logging.getLogger("terna.serving")

COMPILED, PYFUNC = "compiled", "pyfunc"
"""The paths on which a request is answered."""

FEW_ROWS = 16
"""What a compiled model answers in the event loop; more would keep other requests waiting longer
than handing them to a thread takes."""


class CompiledModel(Protocol):
    """A compiled model: it answers as MLflow's pyfunc does, or leaves it to that."""

    @property
    def names(self) -> Sequence[str]:
        """The columns of a row, in the signature's order."""

    def predict_rows(self, rows: Rows) -> list[Any] | None:
        """A prediction a row; None when a cell is not plainly of its column's type.

        Args:
            rows: n rows in the signature's order, of what JSON knows; None is a missing value.
        """


class Prediction(NamedTuple):
    """The answer to a request."""

    body: bytes
    path: str
    """On which it was found."""
    rows: int


class Predictor:
    """A version that answers."""

    def __init__(
        self,
        version: Version,
        original: Callable[[], "PyfuncModel"],
        program: CompiledModel | None = None,
        on_failure: Callable[[], object] = lambda: None,
    ) -> None:
        """
        Args:
            original: loads the original, from a directory whose signature has been verified.
            on_failure: called when the program fails, before the original is asked.

        Raises:
            LoadFailed: without a program the original is loaded now.
        """
        self.version = version
        self.compiled = program is not None
        self.program = program
        self._load = original
        self._on_failure = on_failure
        self._loading = Lock()
        self._original: PyfuncModel | None = None
        self._names = list(program.names if program else self.original.names)

    @property
    def path(self) -> str:
        """How what is plainly a table is answered."""
        return COMPILED if self.compiled else PYFUNC

    @property
    def original(self) -> "PyfuncModel":
        """The model as MLflow loads it; loaded when it is first asked, which takes seconds.

        Raises:
            LoadFailed: it cannot be loaded.
        """
        with self._loading:
            self._original = self._original or self._load()
            return self._original

    def plain_rows(self, content_type: str, body: bytes) -> Rows | None:
        """The rows of a body that the compiled model may answer; None where there is any doubt."""
        plain = self.program and content_type in PLAIN_JSON
        return plain_rows(body, self._names) if plain else None

    def predict_rows(self, rows: Rows) -> list[Any] | None:
        """What the compiled model returns; None where the original must be asked."""
        try:
            return self.program.predict_rows(rows) if self.program else None
        except Exception as error:  # the original knows better, or says what is wrong
            self._on_failure()
            logger.error("the compiled model failed: %s", type(error).__name__)
            return None

    def answer(self, content_type: str, body: bytes) -> Prediction:
        """What MLflow's scoring server answers.

        Raises:
            RequestError: each kind of it.
        """
        rows = self.plain_rows(content_type, body)
        predictions = self.predict_rows(rows) if rows else None
        if rows and predictions is not None:
            return Prediction(render(predictions), COMPILED, len(rows))
        return self.original.answer(content_type, body, self.program)

    def predict(self, rows: Table) -> list[Any]:
        """One prediction a row, asked as clients ask.

        Raises:
            RequestError: as `answer` does.
        """
        table = {"columns": rows.columns or self._names, "data": rows.values}
        body = json.dumps({"dataframe_split": table}).encode()
        predictions: list[Any] = json.loads(self.answer(JSON, body).body)["predictions"]
        return predictions

    def check_reference(self, folder: Path) -> None:
        """Answer the reference rows as training recorded them, which also warms the model up.

        Raises:
            ReferenceMismatch: the answers differ, or there are no such rows.
        """
        try:
            rows, expected = reference_rows.read(folder)
        except (OSError, ValueError, KeyError, BadRequest) as error:
            raise ReferenceMismatch(f"{self.version} has no reference rows.") from error
        try:
            answered = self.predict(rows)
        except RequestError as error:
            raise ReferenceMismatch(f"{self.version} fails on its reference rows.") from error
        if not _is_finite(answered):
            raise ReferenceMismatch(f"{self.version} answers NaN on its reference rows.")
        different = sum(a != b for a, b in zip(answered, expected, strict=False))
        if not answered or len(answered) != len(expected) or different:
            raise ReferenceMismatch(
                f"{self.version} answers {different} of {len(expected)} reference rows other than"
                " training recorded."
            )


def _is_finite(predictions: list[Any]) -> bool:
    try:
        json.dumps(predictions, allow_nan=False)
    except ValueError:
        return False
    return True
