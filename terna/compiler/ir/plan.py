"""The plan of a compiled model, as it is kept on disk: numbers and names, no code.

Each array is the bytes of little-endian numbers. A row becomes an array of doubles, its slots:
those of the numeric columns first, then those that are looked up, and a zero at the end.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

TREES_PER_GROUP = 16
"""How many trees are traversed in step."""


class Number(Struct, frozen=True, tag="number"):
    """A cell that goes into every slot of its column as it is."""

    missing: tuple[float, ...]
    """What each slot holds for a missing value: NaN, or -inf where that goes left."""
    nullable: bool
    """Whether the pyfunc model answers for a missing value."""


class Lookup(Struct, frozen=True, tag="lookup"):
    """A cell that is looked up, and becomes the doubles that it is listed with."""

    known: list[tuple[Any, tuple[float, ...]]]
    unknown: tuple[float, ...] | None
    """For any other cell; None where the pyfunc model fails on those."""
    missing: tuple[float, ...] | None
    all_missing: tuple[float, ...] | None
    """For the cells of a column without any value: MLflow makes None of them, not NaN."""


class Column(Struct, frozen=True):
    """One column of the schema."""

    name: str
    data_type: str
    """MLflow's: boolean, integer, long, float, double or string."""
    slots: int
    """How many doubles a cell becomes."""
    cells: Number | Lookup


def slot_order(columns: Sequence[Column]) -> list[int]:
    """Return the columns' numbers in the order of their slots: numeric columns first."""
    return sorted(range(len(columns)), key=lambda n: isinstance(columns[n].cells, Lookup))


class Step(Struct, frozen=True):
    """One operation on every slot of every row, such as subtracting the means."""

    operation: str
    """fill, add, subtract, multiply, divide or to_float32."""
    operand: bytes
    """float64, shape (slots,); NaN where `fill` leaves a slot alone."""


class Trees(Struct, frozen=True, tag="trees"):
    """Decision trees, laid out to be traversed eight at a time: see tree_traversal.ll."""

    nodes: bytes
    """`nodes.NODE`, shape (nodes,)."""
    cells_in_float32: bool
    """Whether cells are rounded to float32 before they are compared."""
    leaf_values: bytes
    """float64, shape (distinct leaves, leaf_width)."""
    roots: bytes
    """int32, eight a group."""
    targets: bytes
    """int32, eight a group: the first sum that a tree adds to."""
    leaf_width: int
    """To how many sums a leaf adds."""
    base_scores: tuple[float, ...]
    """What the sums start from."""
    sums_in_float32: bool
    """Whether sums are rounded to float32 at each addition, as XGBoost does."""


def only_sum(trees: Trees, index: int) -> Trees:
    """Return the trees with one sum of theirs, of trees that add to all sums."""
    values = np.frombuffer(trees.leaf_values, "<f8").reshape(-1, trees.leaf_width)[:, index]
    base_score = trees.base_scores[index]
    return replace(trees, leaf_values=values.tobytes(), leaf_width=1, base_scores=(base_score,))


class Linear(Struct, frozen=True, tag="linear"):
    """Weighted sums of the slots."""

    slots: bytes
    """int64, shape (features,): the slot of each feature."""
    coefficients: bytes
    """float64, shape (sums, features)."""
    intercepts: tuple[float, ...]
    products: int = 1
    """By how many matrices the pyfunc model multiplies: they have as many sums each."""
    layout: str = "columns"
    """A key of `linear.PRODUCTS`: how the pyfunc model's rows lie in memory, which decides
    the order of additions."""
    coefficient_order: str = "F"
    """How its coefficients lie in memory: by sums ("F") or by features ("C")."""


class Calibrator(Struct, frozen=True):
    """From one score to a probability: a sigmoid, or points to interpolate between."""

    sum_index: int
    slope: float | None = None
    offset: float = 0.0
    x: bytes = b""
    """float64: the points' scores, ascending."""
    y: bytes = b""
    """float64: their probabilities."""


class Postprocessor(Struct, frozen=True):
    """From sums to probabilities, or to the value of a regression."""

    name: str
    """A key of `postprocessing.POSTPROCESSORS`."""
    scale: float = 1.0
    """What sums are multiplied with first; for `mean` and `calibrated`, divided by."""
    in_float32: bool = False
    calibrators: tuple[Calibrator, ...] = ()
    """Fold by fold: one a class, or one where there are two. Labels follow from them then."""
    classes: int = 0
    """How many the calibrators are for."""


class Threshold(Struct, frozen=True, tag="threshold"):
    """One of two labels, by one of the sums."""

    sum_index: int
    bound: float
    """The smallest sum that is labelled `above`."""
    below: Any
    above: Any


class Argmax(Struct, frozen=True, tag="argmax"):
    """The label of the largest sum; of the first one, when several are."""

    labels: list[Any]
    divisor: float = 1.0
    """Dividing can make two sums equal, so it comes first where the pyfunc model divides."""


class Value(Struct, frozen=True, tag="value"):
    """A number a row."""


class Probabilities(Struct, frozen=True, tag="probabilities"):
    """A list of probabilities a row, one a class."""


Output = Threshold | Argmax | Value | Probabilities
"""What the model's `predict` returns for a row."""


class Plan(Struct, frozen=True):
    """A whole compiled model."""

    cache_key: str
    """The digest of the model directory and of the libraries it was compiled with."""
    columns: list[Column]
    steps: list[Step]
    engine: Trees | Linear
    postprocessor: Postprocessor
    output: Output
    classes: list[Any] | None = None
    """A classifier's, in the order of its probabilities."""
    has_equal_probabilities: bool = False
    """Whether the verification found each probability equal to the pyfunc model's."""
