"""The options that say what to train on."""

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from terna.cli.options import TableOptions, with_table_options
from terna.errors import DataError
from terna.training.job import CHURN_REQUEST, TrainingRequest


def test_no_option_means_the_churn_customers() -> None:
    assert TableOptions().request() == CHURN_REQUEST


def test_every_option_reaches_the_request() -> None:
    options = TableOptions("sqlite:///db", "SELECT 1", "left", ["age", "plan"], "yes", "1-9")

    assert options.request() == TrainingRequest(
        "sqlite:///db", "SELECT 1", "left", ("age", "plan"), "yes", "1-9"
    )


def test_data_without_target_says_what_to_add() -> None:
    with pytest.raises(DataError, match="Add --target COLUMN"):
        TableOptions(data="customers.csv").request()


@pytest.mark.parametrize(
    "described", [{"target": "left"}, {"query": "SELECT 1"}, {"feature": ["a"]}, {"positive": "y"}]
)
def test_description_without_data_says_what_to_add(described: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="Add --data"):
        TableOptions(**described).request()


def test_command_gets_the_table_options_in_place_of_its_parameter() -> None:
    received: list[tuple[str, TableOptions, bool]] = []

    @with_table_options
    def command(*, name: str = "a", table: TableOptions, keep: bool = False) -> None:
        received.append((name, table, keep))

    app = typer.Typer()
    app.command()(command)
    done = CliRunner().invoke(
        app, ["--name", "b", "--data", "c.csv", "--feature", "x", "--feature", "y", "--keep"]
    )

    assert done.exit_code == 0, done.output
    assert received == [("b", TableOptions(data="c.csv", feature=["x", "y"]), True)]
