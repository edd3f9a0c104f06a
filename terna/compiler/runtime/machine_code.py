"""Loads the tree traversal's machine code into this process, without LLVM."""

import os
import subprocess
import sys
from functools import cache
from mmap import MAP_PRIVATE, PROT_EXEC, PROT_READ, mmap

import numpy as np

from terna.errors import NotCompilable

ASSEMBLER = "terna.compiler.runtime.assembler"


@cache
def address(cells: str) -> int:
    """Return where the traversal's machine code is, for as long as this process lives.

    Args:
        cells: what cells are compared as, `float32` or `float64`.

    Raises:
        NotCompilable: the assembler has failed, or this system executes no such memory.
    """
    try:
        memory = _executable(_assembled(cells))
    except OSError as error:
        raise NotCompilable(f"no machine code for trees: {error.strerror}") from error
    _KEPT.append(memory)
    return int(np.frombuffer(memory, np.uint8).ctypes.data)


_KEPT: list[mmap] = []


def _assembled(cells: str) -> bytes:
    # -P: no module of the folder that this process happens to be in.
    command = [sys.executable, "-P", "-m", ASSEMBLER, cells]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").splitlines() or [f"exit {done.returncode}"]
        raise NotCompilable(f"no machine code for trees: {said[-1]}")
    return done.stdout


def _executable(code: bytes) -> mmap:
    """Return a copy of the code that can be executed, and was never writable at the same time."""
    file = os.memfd_create("tree_traversal")
    try:
        os.write(file, code)
        return mmap(file, len(code), MAP_PRIVATE, PROT_READ | PROT_EXEC)
    finally:
        os.close(file)
