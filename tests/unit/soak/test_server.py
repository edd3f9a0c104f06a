"""The questions by which versions are told apart."""

from pathlib import Path

import pytest

from bench.stage import Model
from soak.clients import Target
from soak.server import BATCH, EVERY, MOST, Server
from terna.erp.connection import Connection
from terna.errors import TernaError


def server(first: list[str], second: list[str]) -> Server:
    customers = [[number] for number in range(len(first))]
    models = [
        Model("soak", number, Path(), ["x"], customers, labels)
        for number, labels in ((1, first), (2, second))
    ]
    target = Target(Connection("https://localhost/invocations"))
    return Server("local", "nginx", target, models, lambda _: None, 1, ("127.0.0.1", 1))


def test_every_question_tells_the_versions_apart() -> None:
    first, second = ["no"] * 300, ["no", "yes"] * 150
    questions = server(first, second).questions()
    assert all(
        each.predictions
        == {"1": ["no"] * len(each.predictions["1"]), "2": ["yes"] * len(each.predictions["1"])}
        for each in questions
    )
    sizes = [len(each.predictions["1"]) for each in questions]
    assert sizes[: EVERY + 1] == [1] * EVERY + [BATCH]
    assert sizes.count(1) == 150 <= MOST


def test_versions_that_hardly_differ_are_refused() -> None:
    with pytest.raises(TernaError, match="differ on 3 customers only"):
        server(["no"] * 300, ["yes"] * 3 + ["no"] * 297).questions()
