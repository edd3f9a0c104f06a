"""What runs where trytond is: a process of its own, as the module is under the GPL.

`python -m terna.erp.tryton fields --endpoint NAME`, with trytond's own settings: `TRYTOND_CONFIG`
names its configuration file, and `TRYTOND_DATABASE_NAMES` the database. The containers also run
`init`, `label` and `healthcheck`.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from trytond.exceptions import UserError
from trytond.pool import Pool
from trytond.transaction import Transaction

from terna.erp.schema import Schema
from terna.erp.tryton import server2, setup
from terna.erp.tryton.health import ask
from terna.erp.tryton.mapping import map_schema
from terna.errors import SettingsError, TernaError
from terna.settings import Settings


def main(arguments: Sequence[str]) -> int:
    """Run a command; return its exit code: 0 when it is done, 1 when a line says why not."""
    parser = argparse.ArgumentParser(prog="terna erp")
    commands = parser.add_subparsers(dest="command", required=True)
    fields = commands.add_parser("fields", help="make an endpoint's features from its schema")
    fields.add_argument("--endpoint", required=True, help="the registered model's name")
    fields.add_argument("--database", default=os.environ.get("TRYTOND_DATABASE_NAMES", ""))
    fields.add_argument("--choices", action="append", type=_choices, default=[])
    fields.set_defaults(
        run=lambda asked: make_fields(asked.endpoint, asked.database, dict(asked.choices))
    )
    init = commands.add_parser("init", help="make what is missing in an empty or older database")
    init.set_defaults(run=lambda asked: setup.run(asked.database, _first_customers(asked)))
    label = commands.add_parser("label", help="make the served endpoint, ask for its first labels")
    label.set_defaults(run=lambda asked: setup.label(asked.database, _first_customers(asked)))
    for command in (init, label):
        command.add_argument("database")
        command.add_argument("--customers", type=Path, help="a CSV file, a row for each")
    healthcheck = commands.add_parser("healthcheck", help="end well when Tryton has its database")
    healthcheck.add_argument("socket")
    healthcheck.add_argument("database")
    healthcheck.set_defaults(run=lambda asked: ask(asked.socket, asked.database))
    asked = parser.parse_args(arguments)
    try:
        for line in asked.run(asked) or ():
            print(line)  # noqa: T201 - this is a command
    except (TernaError, UserError) as error:
        message = error.message if isinstance(error, UserError) else error
        print(f"error: {message}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _first_customers(asked: argparse.Namespace) -> Path | None:
    """Return the table of the customers to begin with; None where the settings want none.

    Raises:
        SettingsError: a setting cannot be used.
    """
    return asked.customers if Settings.load().erp.customers else None


def make_fields(name: str, database: str, choices: Mapping[str, list[str]]) -> list[str]:
    """Make an endpoint's features from its schema; return a line for each change, and a summary.

    Args:
        choices: texts that a feature may have, by its name.

    Raises:
        SettingsError: there is no such database, or server 2 serves another model.
        TernaError: server 2 does not answer, or its model has no columns.
        UserError: a column names customers.
    """
    model, schema = server2.read_schema()
    if model != name:
        raise SettingsError(f"Server 2 serves {model!r}, not {name!r}: --endpoint names it.")
    _open(database)
    with Transaction().start(database, 0):
        changes = map_schema(name, schema, choices)
    return [*changes, _summary(name, schema, len(changes))]


def _choices(option: str) -> tuple[str, list[str]]:
    """Read `plan=basic,extra`."""
    name, equals, texts = option.partition("=")
    if not (name and equals and texts):
        raise argparse.ArgumentTypeError(f"{option!r} is not FEATURE=TEXT,TEXT")
    return name, texts.split(",")


def _open(database: str) -> None:
    """Load the modules of a database.

    Raises:
        SettingsError: there is no such database, or the module is not activated there.
    """
    if not database:
        raise SettingsError("Name Tryton's database: --database, or TRYTOND_DATABASE_NAMES.")
    with warnings.catch_warnings(record=True):  # of what Python will remove, by packages of trytond
        Pool.start()
    pool = Pool(database)
    try:
        with Transaction().start(database, 0, readonly=True):
            pool.init()
    except Exception as error:  # each backend has errors of its own
        raise SettingsError(
            f"Tryton's database {database!r} cannot be opened ({type(error).__name__}):"
            " TRYTOND_CONFIG names the file that says where it is."
        ) from error
    if "terna.endpoint" not in dict(pool.iterobject()):
        raise SettingsError(
            f"The module is not activated in {database!r}: trytond-admin -d {database} -u terna"
            " --activate-dependencies."
        )


def _summary(name: str, schema: Schema, changes: int) -> str:
    changed = f"{changes} changes" if changes else "nothing changed"
    return f"{name} version {schema.version}: {len(schema.columns)} features, {changed}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
