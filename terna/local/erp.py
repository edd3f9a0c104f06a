"""The ERP as a local process: Tryton on SQLite beside the demo's servers."""

import csv
import io
import re
import ssl
import sys
from collections.abc import Sequence
from configparser import RawConfigParser
from pathlib import Path
from typing import Any, Self

import httpx

from terna.files import write_private
from terna.ports import free_port
from terna.processes import Process
from terna.progress import Reporter
from terna.settings import Settings

DATABASE = "erp"
PORT = 8443
"""Where it listens when the port is free: server 3's in the containers."""

WEB_CLIENT = Path("/usr/share/tryton-sao/www")
"""Where Debian's tryton-sao has the web client."""

SERIES = "7.0"
"""Of Tryton: its web client takes a server of the same one only."""


class LocalErp:
    """Tryton with Terna's module, from the start of a `with` block to its end.

    It runs as processes, as the module is under another licence than this program. Nothing runs
    scheduled tasks: labels are asked for once, and by whom uses it.
    """

    def __init__(
        self,
        root: Path,
        settings: Settings,
        reporter: Reporter,
        columns: Sequence[str],
        customers: Sequence[Sequence[Any]],
    ) -> None:
        """Remember where it is and what it begins with. Starts nothing yet.

        Args:
            root: the folder that has `secrets/`, `certs/` and `.terna/`.
            settings: of the local servers; each model has a database of its own.
            columns: the names of the features.
            customers: their values for each customer, None where one is not known.
        """
        self._settings, self._reporter = settings, reporter
        self._table = _csv(columns, customers)
        self._secrets = root / "secrets/erp"
        self._folder = root / ".terna/erp" / settings.serving.model
        self._log = root / ".terna/logs/erp.log"
        self._port = free_port(PORT)
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"https://localhost:{self._port}"

    @property
    def passwords(self) -> Path:
        """The folder with a password for each of its first users."""
        return self._secrets / "users"

    def __enter__(self) -> Self:
        """Make what is missing in the database, ask for first labels, and serve it.

        Raises:
            TernaError: a part fails; names the log that says why.
        """
        self._make_files()
        self._make_customers()
        with self._reporter.step("starting the ERP"):
            self._process = Process("the ERP", self._environment(), self._log, self._server())
            try:
                self._process.wait_until(self._answers)
            except BaseException:
                self._process.stop()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        if self._process:
            self._process.stop()

    def describe_web_client(self) -> str:
        """Return where customers are shown in a browser, or how they would be."""
        series = web_client_series(WEB_CLIENT)
        if series == SERIES:
            return f"{self.url}  as one of {', '.join(self._logins())}"
        missing = f"is {series}" if series else "is not installed"
        return (
            f"{self.url}  has no web client: tryton-sao {missing}, and it takes {SERIES},"
            " of Debian 13 (trixie): sudo apt install tryton-sao"
        )

    def _logins(self) -> list[str]:
        return sorted(path.name for path in self.passwords.iterdir())

    def _make_files(self) -> None:
        """Make the database, empty as Tryton wants it, and Tryton's configuration."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        database = self._folder / f"{DATABASE}.sqlite"
        if not database.exists():
            write_private(database, b"")
        write_private(self._configuration(), self._options().encode())

    def _make_customers(self) -> None:
        """Make the customers and ask for their labels. The table lies there meanwhile only."""
        table = self._folder / "customers.csv"
        write_private(table, self._table)
        try:
            with self._reporter.step("setting up the ERP"):
                self._run("init", DATABASE, "--customers", str(table))
            with self._reporter.step("asking for the labels of the ERP's customers"):
                self._run("label", DATABASE, "--customers", str(table))
        finally:
            table.unlink()

    def _configuration(self) -> Path:
        return self._folder / "trytond.conf"

    def _options(self) -> str:
        """Return Tryton's settings; services/erp/trytond.conf has those of the containers."""
        found, erp = RawConfigParser(), self._settings.erp
        fits = web_client_series(WEB_CLIENT) == SERIES
        found.read_dict(
            {
                "database": {"uri": "sqlite://", "path": self._folder, "default_name": DATABASE},
                "web": {"root": WEB_CLIENT if fits else ""},
                "session": {
                    "authentications": "password+totp",
                    "timeout": 1800,
                    "max_age": 86400,
                },
                "terna": {
                    "secrets": self._secrets,
                    "endpoint": erp.endpoint,
                    "ca": erp.ca,
                    "api_key_file": erp.api_key_file,
                    "certificate": erp.certificate,
                    "key": erp.key,
                },
            }
        )
        text = io.StringIO()
        found.write(text)
        return text.getvalue()

    def _environment(self) -> dict[str, str]:
        return self._settings.environment() | {"TRYTOND_CONFIG": str(self._configuration())}

    def _run(self, *arguments: str) -> None:
        """Run a command of the Tryton module.

        Raises:
            TernaError: it fails.
        """
        command = [sys.executable, "-m", "terna.erp.tryton", *arguments]
        process = Process(f"terna erp {arguments[0]}", self._environment(), self._log, command)
        try:
            process.wait()
        except BaseException:  # Ctrl-C does not reach it: it has a process group of its own
            process.stop()
            raise

    def _server(self) -> list[str]:
        erp = self._settings.erp
        return [
            *(sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{self._port}"),
            *("--threads", "8", "--no-control-socket"),
            *("--certfile", str(erp.certificate), "--keyfile", str(erp.key)),
            "trytond.application:app",
        ]

    def _answers(self) -> bool:
        asked = {"id": 1, "method": "common.db.list", "params": []}
        context = ssl.create_default_context(cafile=self._settings.erp.ca)
        try:
            answer = httpx.post(self.url, json=asked, verify=context)
            return bool(answer.json()["result"] == [DATABASE])
        except (httpx.HTTPError, ValueError, KeyError):
            return False


def web_client_series(folder: Path) -> str:
    """Return the series of Tryton's web client in a folder, such as 7.0; empty without one."""
    try:
        script = (folder / "dist/tryton-sao.js").read_text(encoding="utf-8")
    except OSError:
        return ""
    found = re.search(r"__version__: '(\d+\.\d+)\.", script)
    return found[1] if found else ""


def _csv(columns: Sequence[str], customers: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([columns, *customers])
    return text.getvalue().encode()
