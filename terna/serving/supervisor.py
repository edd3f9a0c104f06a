"""A process that a server keeps at its side: started with it, again when it ends, ended with it."""

import os
import subprocess
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

AGAIN = 2.0
"""Seconds before it is started again."""

LEAVE = 5.0
"""Seconds it has to end by itself."""


class Supervisor:
    """`terna COMMAND`, running between `with` and its end."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._ending = threading.Event()
        self._process = self._start()
        self._thread = threading.Thread(target=self._keep, name=command, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(LEAVE)
        self._process.kill()
        self._process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        # One thread in the models' libraries: more would take the cores of requests. One arena of
        # memory: each check of a signature has new threads, which would leave theirs half empty.
        sparing = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
        command = [sys.executable, "-m", "terna", self._command]
        return subprocess.Popen(command, env=os.environ | sparing)

    def _keep(self) -> None:
        while True:
            self._process.wait()
            if self._ending.wait(AGAIN):
                return
            self._process = self._start()
