"""Compiled models with something changed, and what they would read beyond their arrays.

Each is decoded and asked in a child process, so that a crash is seen.
"""

import multiprocessing
import random
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any

import msgspec
import numpy as np

from terna.compiler.ir.nodes import NODE
from terna.compiler.ir.plan import TREES_PER_GROUP, Plan, Trees
from terna.compiler.runtime import tree_traversal
from terna.compiler.runtime.compiled_model import CompiledModel
from terna.compiler.runtime.preprocessing import step_function
from terna.compiler.runtime.row_parsing import NeedsPyfunc, RowParser
from terna.errors import NotCompilable

REFUSED, ACCEPTED, CRASHED = "refused", "accepted", "the process crashed"
NUMBERS = (0, 1, -1, 2, 7, 8, 255, 2**15, 2**31 - 1, 2**31, -(2**31), 2**62, 1 << 40)
FLOATS = (0.0, -0.0, 1.0, -1.0, 5e-324, 1e308, float("nan"), float("inf"), float("-inf"))
NAMES = ("", "mean", "sigmoid", "calibrated", "fill", "divide", "long", "string", "trees", "linear")


def mutations(content: bytes, seed: int) -> Iterator[bytes]:
    """Yield the encoded plan with bytes or parts of it changed, without an end."""
    chance = random.Random(seed)
    while True:
        if chance.random() < 0.2:
            yield _with_other_bytes(content, chance)
            continue
        document = msgspec.msgpack.decode(content)
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            _change(document, chance)
        yield msgspec.msgpack.encode(document)


def _with_other_bytes(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed[: chance.randrange(len(changed))] if chance.random() < 0.1 else changed)


def _change(document: Any, chance: random.Random) -> None:
    """Change one value anywhere in a decoded document."""
    holder, key = chance.choice(list(_places(document)))
    holder[key] = _changed(holder[key], chance)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def _changed(value: Any, chance: random.Random) -> Any:
    if isinstance(value, bytes):
        return _changed_array(value, chance)
    if isinstance(value, list) and chance.random() < 0.8:
        at = chance.randrange(len(value) + 1)
        return chance.choice(([], value[:at], value + value[at:], value[:at] + value[at + 1 :]))
    if isinstance(value, str) and chance.random() < 0.8:
        return chance.choice(NAMES)
    return chance.choice((*NUMBERS, *FLOATS, None, True, False, "", [], {}, b"", value))


def _changed_array(content: bytes, chance: random.Random) -> bytes:
    """Change a number of an array, or its length."""
    if not content or chance.random() < 0.2:
        at = chance.randrange(len(content) + 1)
        return chance.choice((b"", content[:at], content + content[at:], content[: at // 8 * 8]))
    size = chance.choice((1, 2, 4, 8))
    at = chance.randrange(len(content) // size + 1) * size
    number = chance.choice((*NUMBERS, chance.getrandbits(64), len(content) // 4, len(content) // 8))
    if chance.random() < 0.3:
        new = np.array(chance.choice(FLOATS), "<f8" if size == 8 else "<f4").tobytes()[:size]
    else:
        new = (number % 2 ** (8 * size)).to_bytes(size, "little")
    return content[:at] + new + content[at + size :]


def outcomes(contents: Iterable[bytes], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Yield what becomes of each model that is decoded and asked, in a child process.

    That is REFUSED, ACCEPTED, or what went wrong; after a crash, another child is started.
    """
    child = None
    for content in contents:
        child = child or _Child(rows)
        outcome = child.ask(content)
        yield outcome or CRASHED
        child = child if outcome else None
    if child:
        child.end()


class _Child:
    def __init__(self, rows: Sequence[Sequence[Any]]) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_answer, args=(theirs, rows), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, content: bytes) -> str | None:
        """Return the outcome; None when the process has crashed."""
        try:
            self._connection.send(content)
            return str(self._connection.recv())
        except (EOFError, OSError):
            self._process.join()
            return None

    def end(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.join()


def _answer(connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
    np.seterr(all="ignore")
    tree_traversal.VISITS = 1  # so that few rows are shared by threads as many are
    while True:
        try:
            content = connection.recv()
        except EOFError:
            return
        connection.send(outcome_of(content, rows))


def outcome_of(content: bytes, rows: Sequence[Sequence[Any]]) -> str:
    """Return whether the content is accepted, or what would go wrong if it were asked."""
    try:
        compiled = CompiledModel.decode(content, "m1")
    except NotCompilable:
        return REFUSED
    try:
        expected = checked_sums(compiled.plan, rows)
    except IndexError as error:
        return f"read out of bounds: {error}"
    times = 3 * tree_traversal.CHUNK // len(rows)
    try:
        compiled.predict_rows(rows)
        if expected is None:
            return ACCEPTED
        one_by_one, by_columns = compiled.sums(rows), compiled.sums([*rows] * times)
    except Exception as error:
        return f"predicting raises {type(error).__name__}"
    same = _equal(one_by_one, expected) and _equal(by_columns, expected * times)
    return ACCEPTED if same else "the sums are others"


def _equal(sums: Sequence[float], expected: Sequence[float]) -> bool:
    return np.array_equal(np.array(sums), np.array(expected), equal_nan=True)


def checked_sums(plan: Plan, rows: Sequence[Sequence[Any]]) -> list[float] | None:
    """Return what the traversal of trees adds up, as it does but with every index checked.

    None for linear models, and for rows that the model leaves to pyfunc.

    Raises:
        IndexError: it would read or write beyond an array, or never end.
    """
    if not isinstance(plan.engine, Trees):
        return None
    try:
        cells = RowParser(plan.columns).parse(rows)
    except NeedsPyfunc:
        return None
    slots = 1 + sum(column.slots for column in plan.columns)
    for step in plan.steps:
        cells = step_function(step, slots)(cells)
    if len(cells) != len(rows) * slots:
        raise IndexError("cells")
    walker = _Walker(plan.engine, slots)
    with np.errstate(all="ignore"):
        return [
            total for at in range(len(rows)) for total in walker.sums(cells[at * slots :][:slots])
        ]


class _Walker:
    """Trees, traversed number by number."""

    def __init__(self, trees: Trees, slots: int) -> None:
        self._trees, self._bits = trees, (slots - 1).bit_length()
        node = NODE[trees.cells_in_float32]
        packed = np.frombuffer(
            trees.nodes[: len(trees.nodes) // node.itemsize * node.itemsize], node
        )
        self._thresholds, self._links = packed["threshold"], packed["link"].tolist()
        self._places = packed["threshold"].view(f"<i{node['threshold'].itemsize}").tolist()
        self._values = np.frombuffer(trees.leaf_values[: len(trees.leaf_values) // 8 * 8]).tolist()
        groups = len(trees.roots) // (4 * TREES_PER_GROUP)
        self._count = TREES_PER_GROUP * groups
        self._roots, self._targets = (
            np.frombuffer(part[: len(part) // 4 * 4], "<i4").tolist()
            for part in (trees.roots, trees.targets)
        )

    def sums(self, cells: Sequence[float]) -> list[float]:
        """Return one row's sums."""
        trees, sums = self._trees, list(self._trees.base_scores)
        rounded = np.array(cells).astype(self._thresholds.dtype)
        for tree in range(self._count):
            leaf = self._leaf(_at(self._roots, tree, "roots"), rounded)
            target = _at(self._targets, tree, "targets")
            for place in range(trees.leaf_width):
                value = _at(self._values, leaf * trees.leaf_width + place, "leaf values")
                total = _at(sums, target + place, "sums") + value
                sums[target + place] = float(np.float32(total)) if trees.sums_in_float32 else total
        return sums

    def _leaf(self, node: int, cells: Any) -> int:
        """Return the place of the leaf that the cells come to from a node."""
        for _ in range(len(self._links) + 1):
            link = _at(self._links, node, "nodes")
            cell = _at(cells, link & (1 << self._bits) - 1, "cells")
            above = not cell <= self._thresholds[node]
            distance = link >> self._bits
            if not distance and not above:
                return int(self._places[node])
            node += distance + above
        raise IndexError("endless")


def _at(numbers: Any, index: int, name: str) -> Any:
    if not 0 <= index < len(numbers):
        raise IndexError(name)
    return numbers[index]
