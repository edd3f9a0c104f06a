"""A supervisor: starts a command beside the server, again when it ends, and ends it at last.

When the server itself is killed, the kernel ends the command.
"""

import os
import subprocess
import threading
from types import TracebackType
from typing import Self

from terna.processes import ending_with_this_process, stop, terna_command

RESTART_SECONDS = 2.0
"""How long it waits before it starts the command again."""

STOP_SECONDS = 5.0
"""How long the command has to end by itself."""


class Supervisor:
    """A process `terna COMMAND` that runs from the start of a `with` block to its end."""

    def __init__(self, command: str) -> None:
        """Start the command."""
        self._command = command
        self._ending = threading.Event()
        self._process = self._start()
        self._thread = threading.Thread(target=self._restart, name=command, daemon=True)

    def __enter__(self) -> Self:
        """Restart the command from now on whenever it ends."""
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        """Stop the command for good."""
        self._ending.set()
        stop(self._process, STOP_SECONDS)

    def _start(self) -> subprocess.Popen[bytes]:
        # One thread in the models' libraries: more would take the cores of requests. One memory
        # arena: each check of a signature has new threads, which would leave theirs half empty.
        limits = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
        command = ending_with_this_process(terna_command(self._command))
        return subprocess.Popen(command, env=os.environ | limits)

    def _restart(self) -> None:
        while True:
            self._process.wait()
            if self._ending.wait(RESTART_SECONDS):
                return
            self._process = self._start()
