"""`terna erp …`: which command of the Tryton module it becomes."""

import importlib.machinery
import os
import sys

import pytest

from terna.cli import erp
from tests.unit.cli.running import Terna


class Became(SystemExit):
    """Ends the process, as it does when it becomes another one."""


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that it became, on a machine where trytond is."""
    commands: list[list[str]] = []

    def become(program: str, command: list[str]) -> None:
        assert program == command[0]
        commands.append(command)
        raise Became(0)

    spec = importlib.machinery.ModuleSpec("trytond", None)
    monkeypatch.setattr(erp, "find_spec", {"trytond": spec}.get)
    monkeypatch.setattr(os, "execv", become)
    return commands


def test_fields_becomes_the_modules_own_command(terna: Terna, became: list[list[str]]) -> None:
    terna("erp", "fields", "--endpoint", "churn", "--database", "erp")

    module = [sys.executable, "-m", "terna.erp.tryton"]
    assert became == [[*module, "fields", "--endpoint", "churn", "--database", "erp"]]


def test_choices_are_passed_on_one_by_one(terna: Terna, became: list[list[str]]) -> None:
    given = ["--choices", "plan=basic,extra", "--choices", "area=a b"]
    terna("erp", "fields", "--endpoint", "churn", "--database", "erp", *given)

    assert became[0][-4:] == given


def test_database_is_the_one_that_trytond_names(
    terna: Terna, became: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRYTOND_DATABASE_NAMES", "clinic")

    terna("erp", "fields", "--endpoint", "churn")

    assert became[0][-2:] == ["--database", "clinic"]


@pytest.mark.parametrize("missing", ["--endpoint", "--database"])
def test_option_that_is_missing_is_named(
    terna: Terna,
    became: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
) -> None:
    monkeypatch.delenv("TRYTOND_DATABASE_NAMES", raising=False)
    options = {"--endpoint": "churn", "--database": "erp"}
    del options[missing]

    done = terna("erp", "fields", *(text for pair in options.items() for text in pair))

    assert done.code == 2
    assert missing in done.err
    assert became == []


def test_machine_without_trytond_is_told_what_to_install(
    terna: Terna, became: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erp, "find_spec", {}.get)

    done = terna("erp", "fields", "--endpoint", "churn", "--database", "erp")

    assert (done.code, done.out, became) == (1, "", [])
    assert done.err == ("error: trytond is not installed here: pip install 'terna[tryton]'.\n")
