"""What a program is, as it is kept on disk: numbers and names, nothing that is executed.

Each array is the bytes of little-endian numbers.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct

LANES = 8
"""How many trees are walked in step."""
NODE = np.dtype([("threshold", "<f8"), ("slot", "<i4"), ("left", "<i4")])
"""As walk.ll has it."""


class Number(Struct, frozen=True, tag="number"):
    """A cell goes into every slot of its column as it is."""

    missing: tuple[float, ...]
    """What each slot holds instead for a missing value: NaN, or -inf where that goes left."""
    nullable: bool
    """Whether the original answers for a missing value; a row that has one is not plain if not."""


class Table(Struct, frozen=True, tag="table"):
    """A cell is looked up, and its doubles go into the slots of its column."""

    known: list[tuple[Any, tuple[float, ...]]]
    unknown: tuple[float, ...] | None
    """For any other cell; None where the original fails on those."""
    missing: tuple[float, ...] | None
    nulls: tuple[float, ...] | None
    """For a missing cell of a column that has nothing else: MLflow hands on None, not NaN."""


class Column(Struct, frozen=True):
    """One column of the signature."""

    name: str
    kind: str
    """MLflow's type: boolean, integer, long, float, double or string."""
    slots: int
    """How many doubles a cell becomes."""
    cells: Number | Table


def layout(columns: Sequence[Column]) -> list[int]:
    """The columns in the order of their slots: numbers first."""
    return sorted(range(len(columns)), key=lambda n: isinstance(columns[n].cells, Table))


class Step(Struct, frozen=True):
    """One operation on every slot of every row, such as subtracting the means."""

    name: str
    """fill, add, subtract, multiply, divide or narrow."""
    operand: bytes
    """float64, shape (slots,); NaN where `fill` leaves a slot alone."""


class Trees(Struct, frozen=True, tag="trees"):
    """Decision trees, laid out to be walked eight at a time: see walk.ll."""

    nodes: bytes
    """`NODE`, shape (nodes,); the right child lies beside the left one."""
    leaf: bytes
    """int32: where a node's values are."""
    values: bytes
    """float64, shape (leaves, width)."""
    roots: bytes
    """int32, eight a group."""
    targets: bytes
    """int32, eight a group: the first output that a tree adds to."""
    depths: bytes
    """int32, one a group."""
    width: int
    baseline: tuple[float, ...]
    """What the sums start from, one an output."""
    narrow: bool
    """Whether sums are rounded to float32 at each step, as XGBoost does."""


class Linear(Struct, frozen=True, tag="linear"):
    """A weighted sum of the slots an output."""

    order: bytes
    """int64: the slots in the order of the weights."""
    weights: bytes
    """float64, shape (features, outputs)."""
    intercepts: tuple[float, ...]


class Calibrator(Struct, frozen=True):
    """From one score to a calibrated share: a sigmoid, or points to interpolate between."""

    output: int
    slope: float | None = None
    offset: float = 0.0
    known: bytes = b""
    """float64: the points' scores, ascending."""
    made: bytes = b""
    """float64: their shares."""


class Link(Struct, frozen=True):
    """From sums to probabilities, or to the value of a regression."""

    name: str
    """mean, expit, softmax, exp, identity or calibrated."""
    scale: float = 1.0
    """What the sums are multiplied with first; for `mean` and `calibrated`, divided by."""
    narrow: bool = False
    """Whether it is computed in float32."""
    calibrators: tuple[Calibrator, ...] = ()
    """Fold by fold: one a class, or one where there are two. Labels go by the shares then."""
    classes: int = 0
    """How many the calibrators are for."""


class Threshold(Struct, frozen=True, tag="threshold"):
    """One of two labels, by one of the sums."""

    output: int
    bound: float
    """The smallest sum that is labelled `above`."""
    below: Any
    above: Any


class Largest(Struct, frozen=True, tag="largest"):
    """The label of the largest output; of the first one, when several are."""

    labels: list[Any]
    divisor: float = 1.0
    """Dividing can make two sums equal, so it comes first where the original divides."""


class Value(Struct, frozen=True, tag="value"):
    """A number a row."""


class Probabilities(Struct, frozen=True, tag="probabilities"):
    """A list of probabilities a row, one a class."""


class Plan(Struct, frozen=True):
    """A whole program."""

    made_for: str
    """The digest of the model directory and of the libraries it was compiled with."""
    columns: list[Column]
    steps: list[Step]
    engine: Trees | Linear
    link: Link
    answer: Threshold | Largest | Value | Probabilities
