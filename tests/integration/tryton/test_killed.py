"""Server 3's own processes, on a database in a file: commands, and what a dead one leaves."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from trytond.tests.test_tryton import DB_NAME
from trytond.transaction import Transaction

from tests.integration.tryton.conftest import NAME, Server2

CUSTOMERS = 8000


@dataclass
class Tryton:
    """Tryton's commands, and the database that they work on."""

    folder: Path
    environment: Mapping[str, str]

    def start(self, *command: str) -> subprocess.Popen[str]:
        program = [str(Path(sys.executable).parent / command[0]), *command[1:]]
        return subprocess.Popen(
            program,
            env=self.environment,
            cwd=self.folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *command: str) -> tuple[int, str, str]:
        process = self.start(*command)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def sql(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.folder / "erp.sqlite", timeout=30)) as connection:
            found = connection.execute(query, values).fetchall()
            connection.commit()
            return found

    def count(self, query: str) -> int:
        ((number,),) = self.sql(query)
        return int(str(number))


@pytest.fixture(scope="module")
def server3(
    activated: None,  # noqa: ARG001
    serving: Server2,
    secrets: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Tryton:
    folder = tmp_path_factory.mktemp("server3")
    (folder / "trytond.conf").write_text(
        f"[database]\nuri = sqlite://\npath = {folder}\n[terna]\nsecrets = {secrets}\n"
    )
    with (
        Transaction().start(DB_NAME, 1, readonly=True) as transaction,
        closing(sqlite3.connect(folder / "erp.sqlite")) as file,
    ):
        transaction.connection.backup(file)
    erp = serving.servers.settings.erp
    names = ("endpoint", "ca", "api_key_file", "certificate", "key")
    settings = {f"TERNA_ERP_{name.upper()}": str(getattr(erp, name)) for name in names}
    settings |= {"TRYTOND_CONFIG": str(folder / "trytond.conf"), "TZ": "UTC"}
    return Tryton(folder, os.environ | settings | {"PYTHONPATH": os.pathsep.join(sys.path)})


def fields(server3: Tryton, *options: str) -> tuple[int, str, str]:
    """Type `terna erp fields`."""
    given = {"--endpoint": NAME, "--database": "erp"} | dict(
        zip(options[::2], options[1::2], strict=True)
    )
    pairs = [part for pair in given.items() for part in pair]
    return server3.run("python", "-m", "terna", "erp", "fields", *pairs)


def test_fields_are_made_and_told(server3: Tryton) -> None:
    code, out, err = fields(server3, "--choices", "plan=basic,extra")
    assert (code, err) == (0, "")
    assert "new: minutes (float)" in out
    assert out.splitlines()[-1] == f"{NAME} version 1: 4 features, 5 changes"
    assert fields(server3)[1] == f"{NAME} version 1: 4 features, nothing changed\n"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--endpoint", "diabetes"), f"error: Server 2 serves '{NAME}', not 'diabetes'"),
        (("--database", "nonesuch"), "error: Tryton's database 'nonesuch' cannot be opened"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    server3: Tryton, options: tuple[str, ...], says: str
) -> None:
    code, out, err = fields(server3, *options)
    assert (code, out) == (1, "")
    assert err.startswith(says)
    assert err.count("\n") == 1


def test_killed_in_the_middle_no_label_is_doubled_and_none_is_lost(server3: Tryton) -> None:
    fields(server3, "--choices", "plan=basic,extra")
    fill(server3)
    all_tasks_are_due(server3)
    cron = server3.start("trytond-cron", "-d", "erp", "--once", "-vv")
    assert cron.stderr
    said = []
    for line in cron.stderr:
        said.append(line)
        if "<Task" in line:  # the first of eight is done
            break
    assert "<Task" in said[-1], "".join(said)
    cron.send_signal(signal.SIGKILL)
    cron.communicate()
    left = server3.count("SELECT count(*) FROM terna_customer_features WHERE waiting")
    labels = server3.count("SELECT count(*) FROM terna_label")
    assert 0 < left < CUSTOMERS
    assert left + labels == CUSTOMERS

    # Ten minutes later:
    server3.sql("UPDATE terna_customer_features SET queued_until = '2020-01-01 00:00:00'")
    all_tasks_are_due(server3)
    code, _, err = server3.run("trytond-cron", "-d", "erp", "--once", "-v")
    assert code == 0
    assert "failed" not in err
    assert server3.count("SELECT count(*) FROM ir_cron WHERE next_call IS NULL") == 0
    assert server3.count("SELECT count(*) FROM terna_customer_features WHERE waiting") == 0
    assert server3.count("SELECT count(*) FROM terna_label") == CUSTOMERS
    assert server3.count("SELECT count(DISTINCT features) FROM terna_label") == CUSTOMERS
    assert (
        server3.count(
            "SELECT count(*) FROM terna_customer_features c JOIN terna_label l"
            " ON l.features = c.id AND l.label = c.label AND l.question = c.question"
        )
        == CUSTOMERS
    )


def all_tasks_are_due(server3: Tryton) -> None:
    """Have one run call all scheduled tasks: Tryton's own too, each a writer of the database."""
    server3.sql("UPDATE ir_cron SET next_call = NULL")
    assert server3.count("SELECT count(*) FROM ir_cron WHERE active") > 1


def fill(server3: Tryton) -> None:
    """Make customers as an import does."""
    with closing(sqlite3.connect(server3.folder / "erp.sqlite")) as file:
        ((endpoint,),) = file.execute("SELECT id FROM terna_endpoint").fetchall()
        numbers = range(1000, 1000 + CUSTOMERS)
        file.executemany(
            "INSERT INTO party_party (id, name, code, active) VALUES (?, 'Ada', ?, 1)",
            [(number, str(number)) for number in numbers],
        )
        file.executemany(
            'INSERT INTO terna_customer_features (party, endpoint, "values", revision, question,'
            " waiting, why) VALUES (?, ?, ?, 1, 0, 0, 'new')",
            [(n, endpoint, f'{{"calls":{n % 9},"vip":true,"minutes":{n % 300}}}') for n in numbers],
        )
        file.commit()
