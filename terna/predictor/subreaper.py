"""Runs a command, and ends with it all that it has started, in whatever session.

A program by itself, as the kernel gives the orphans of a process to an ancestor that has asked for
them. `model_process` starts it; it imports nothing of Terna, so that it starts in milliseconds.
"""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
"""Of prctl(2)."""


class Stopped(Exception):
    """This process was told to end, or its parent has ended."""


def main(arguments: Sequence[str]) -> NoReturn:
    """Run a command, end all that it has started, and end as it did.

    Args:
        arguments: the process id of the parent, and the command.
    """
    parent, command = int(arguments[0]), list(arguments[1:])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, _stop)
    status = signal.SIGKILL.value
    try:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() == parent:
            status = _run(command)
    except Stopped:
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _end_descendants()
    _end_as(os.waitstatus_to_exitcode(status))


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process."""
    ctypes.CDLL(None).prctl(option, value)


def _run(command: list[str]) -> int:
    """Return how a command ended, which the kernel kills when this process does."""
    this = os.getpid()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        if os.getppid() == this:
            os.execv(command[0], command)  # noqa: S606 - no shell is wanted
        os._exit(1)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # a pipe ends when the command has closed its end
    return os.waitpid(child, 0)[1]


def _stop(_number: int, _frame: object) -> None:
    raise Stopped


def _end_descendants() -> None:
    """Kill the children, and those that become children as orphans, until there is none."""
    with suppress(ChildProcessError):
        while True:
            for child in _children():
                with suppress(OSError):
                    os.kill(child, signal.SIGKILL)
            os.waitpid(-1, 0)


def _children() -> Iterator[int]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            _state, parent, *_ = stat.read_text(errors="replace").rpartition(")")[2].split()
            if int(parent) == os.getpid():
                yield int(stat.parent.name)


def _end_as(code: int) -> NoReturn:
    """End with an exit code; by a signal where it is negative."""
    if code < 0:
        with suppress(OSError):  # SIGKILL has no handler
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
