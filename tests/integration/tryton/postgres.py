"""A Postgres of its own: Debian's, in a folder of its own, without a password."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from terna.ports import free_port

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
"""Where Debian's packages have initdb and pg_ctl: of the newest version, if any."""

AS_ROOT = os.geteuid() == 0
"""As whom Postgres does not run: as Debian's user of it, then."""


@contextmanager
def postgres() -> Iterator[str]:
    """Run a server, where `PROGRAMS` are installed.

    Returns:
        its URI, as the section [database] has it.
    """
    with TemporaryDirectory() as data:
        if AS_ROOT:
            shutil.chown(data, "postgres")
        run("initdb", "--pgdata", data, "--username=erp", "--auth=trust", "--no-sync")
        port = free_port()
        options = f"-h 127.0.0.1 -p {port} -k '' -c fsync=off"
        control = ("pg_ctl", "--pgdata", data, "--silent", "--wait")
        run(*control, "--options", options, "--log", f"{data}/log", "start")
        try:
            yield f"postgresql://erp@127.0.0.1:{port}"
        finally:
            run(*control, "--mode=immediate", "stop")


def run(program: str, *arguments: str) -> str:
    """Run one of `PROGRAMS`; return what it prints."""
    (programs,) = PROGRAMS
    done = subprocess.run(
        [str(programs / program), *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        user="postgres" if AS_ROOT else None,
        cwd="/",
    )
    return done.stdout
