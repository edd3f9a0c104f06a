"""`python -m terna.erp.tryton`: sets a database up for the ERP, and asks whether it answers."""

import argparse
import sys
from pathlib import Path

from terna.errors import TernaError


def main() -> int:
    """Run the command that the command line names; return the exit code."""
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except TernaError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m terna.erp.tryton", description=__doc__)
    commands = parser.add_subparsers(required=True)
    init = commands.add_parser("init", help="make the database, its users and its customers")
    init.add_argument("database")
    init.add_argument("--customers", type=Path, help="a CSV file, a row of features a customer")
    init.set_defaults(run=_init)
    healthcheck = commands.add_parser("healthcheck", help="end well when Tryton has its database")
    healthcheck.add_argument("socket")
    healthcheck.add_argument("database")
    healthcheck.set_defaults(run=_healthcheck)
    return parser


def _init(arguments: argparse.Namespace) -> None:
    from terna.erp.tryton import setup

    setup.run(arguments.database, arguments.customers)


def _healthcheck(arguments: argparse.Namespace) -> None:
    from terna.erp.tryton.health import ask

    ask(arguments.socket, arguments.database)


if __name__ == "__main__":
    sys.exit(main())
