"""The options that say what to train on."""

from pathlib import Path
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


# ---- where a password stands --------------------------------------------------------------------

URL = "postgresql+psycopg://ada:s3cret@db/customers"


@pytest.mark.parametrize("url", [URL, "postgresql://db/customers?user=ada&password=s3cret"])
def test_password_on_the_command_line_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(DataError, match="--data @FILE") as raised:
        TableOptions(data=url, query="SELECT 1", target="left").request()
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("url", ["sqlite:///db", "postgresql://ada@db/customers", "a:b@c.csv"])
def test_source_without_a_password_is_taken(url: str) -> None:
    assert TableOptions(data=url, query="SELECT 1", target="left").request().data == url


def test_source_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"{URL}\n")
    options = TableOptions(data=f"@{tmp_path}/url", query="SELECT 1", target="left")
    assert options.request().data == URL


def test_missing_file_of_a_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing cannot be read: FileNotFoundError"):
        TableOptions(data=f"@{tmp_path}/nothing", target="left").request()


def test_source_comes_from_the_settings_where_no_option_names_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERNA_TRAINING_DATA", URL)
    assert TableOptions(query="SELECT 1", target="left").request().data == URL
    assert TableOptions(data="c.csv", target="left").request().data == "c.csv"
    assert TableOptions().request() == CHURN_REQUEST


def test_allowed_identifiers_reach_the_request() -> None:
    options = TableOptions(data="c.csv", target="left", allow_identifier=["phone"])
    assert options.request().allowed_identifiers == ("phone",)
