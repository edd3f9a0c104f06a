"""Tryton with Terna's module as a server of its own, and a client that speaks JSON-RPC to it."""

import base64
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from cryptography.fernet import Fernet

from terna.ports import free_port
from terna.processes import stop
from tests.running import wait_until

DATABASE = "erp"
ADMINISTRATOR = "admin"
PASSWORD = "correct horse 1"
WEB_CLIENT = Path(os.environ.get("SAO_ROOT", "/usr/share/tryton-sao/www"))
"""Where Debian's tryton-sao 7.0 is, which a newer Debian than this machine's may have brought."""


@dataclass(frozen=True)
class Session:
    """Somebody who is logged in."""

    login: str
    user: int
    key: str

    @property
    def authorization(self) -> str:
        return _session(self.login, self.user, self.key)


class Erp:
    """A running server: its folder, and what a client asks it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.http = httpx.Client(base_url=self.url, timeout=60)

    def call(self, method: str, *params: Any, session: Session | None = None) -> Any:
        """Return the result of a call; raises Refused with what the server answers instead."""
        answer = self.ask(method, *params, session=session)
        if not answer.is_success:
            raise Refused(answer.status_code)
        if "error" in answer.json():
            raise Refused(*answer.json()["error"])
        return answer.json()["result"]

    def ask(self, method: str, *params: Any, session: Session | None = None) -> httpx.Response:
        """Return the answer to a call as it comes."""
        headers = {"Authorization": session.authorization} if session else {}
        body = {"id": 1, "method": method, "params": params}
        return self.http.post(f"/{DATABASE}/", json=body, headers=headers)

    def log_in(self, login: str, **parameters: Any) -> Session:
        """Log in with these parameters, such as `password` and `totp_code`."""
        user, key = self.call("common.db.login", login, parameters)
        return Session(login, user, key)

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement on the database itself."""
        with closing(sqlite3.connect(self.folder / f"{DATABASE}.sqlite", 30)) as connection:
            rows = connection.execute(sql, values).fetchall()
            connection.commit()
        return rows

    def audit(self) -> str:
        """Return what the audit log has."""
        return (self.folder / "audit.jsonl").read_text()

    def log(self) -> str:
        """Return what the server itself has said."""
        return (self.folder / "erp.log").read_text()


class Refused(Exception):
    """What a server answers instead of a result: a status, or the arguments of an error."""


def make_database(folder: Path, uri: str = "sqlite://") -> None:
    """Make a database in which Terna's module is activated, and an administrator.

    Args:
        uri: of Postgres, where an empty database is; else the database is a file in the folder.
    """
    if uri == "sqlite://":
        (folder / f"{DATABASE}.sqlite").touch()
    (folder / "password").write_text(PASSWORD)
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / "identity.key").write_bytes(Fernet.generate_key())
    (secrets / "search.key").write_text("1" * 64)
    (secrets / "pseudonym.key").write_text("2" * 64)
    configuration = _write_configuration(folder, {"database": {"uri": uri}})
    command = [_program("trytond-admin"), "-c", str(configuration), "-d", DATABASE]
    command += ["-u", "terna", "--activate-dependencies", "--email", "", "-l", "de", "es"]
    environment = {**os.environ, "TRYTONPASSFILE": str(folder / "password")}
    subprocess.run(command, env=environment, check=True, capture_output=True, text=True)


@contextmanager
def running_erp(folder: Path, port: int = 0, **sections: dict[str, str]) -> Iterator[Erp]:
    """Run the server on the database of a folder.

    Args:
        port: 0 for a free one.
        sections: what its `trytond.conf` has beside the defaults, for each section.
    """
    configuration = _write_configuration(folder, sections)
    port = port or free_port()
    command = [
        _program("gunicorn"),
        "--bind",
        f"127.0.0.1:{port}",
        "--threads",
        "8",
        "--no-control-socket",
    ]
    command += ["trytond.application:app"]
    environment = {
        **os.environ,
        "TRYTOND_CONFIG": str(configuration),
        "TERNA_AUDIT_LOG": str(folder / "audit.jsonl"),
    }
    erp = Erp(folder, port)
    with (
        (folder / "erp.log").open("a") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            wait_until(lambda: process.poll() is not None or _answers(erp), 60)
            assert process.poll() is None, erp.log()
            yield erp
        finally:
            erp.http.close()
            stop(process, 10)


def _answers(erp: Erp) -> bool:
    try:
        return bool(erp.call("model.res.user.fields_get") is None)
    except Refused:
        return True
    except httpx.TransportError:
        return False


def _write_configuration(folder: Path, sections: dict[str, dict[str, str]]) -> Path:
    all_of_them = {
        "database": {"uri": "sqlite://", "path": str(folder)},
        "terna": {"secrets": str(folder / "secrets")},
        "web": {"root": str(WEB_CLIENT)},
        "session": {"authentications": "password+totp", "timeout": "900", "max_age": "28800"},
    }
    for name, options in sections.items():
        all_of_them[name] = all_of_them.get(name, {}) | options
    lines = [
        f"[{name}]\n" + "".join(f"{option} = {value}\n" for option, value in options.items())
        for name, options in all_of_them.items()
    ]
    file = folder / "trytond.conf"
    file.write_text("\n".join(lines))
    return file


def _program(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _session(login: str, user: int, key: str) -> str:
    return "Session " + base64.b64encode(f"{login}:{user}:{key}".encode()).decode()
