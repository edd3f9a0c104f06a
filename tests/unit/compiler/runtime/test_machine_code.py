"""The traversal's machine code comes from a process of its own, and stays as it is."""

import subprocess
import sys
from pathlib import Path

import pytest

from terna.compiler.runtime import assembler, machine_code
from terna.errors import NotCompilable

LOAD = """
import sys
from terna.compiler.runtime import compiled_model, machine_code, tree_traversal
machine_code.address("float32")
print("llvmlite" in sys.modules)
"""


def test_process_that_has_the_code_has_not_loaded_llvm() -> None:
    command = [sys.executable, "-c", LOAD]

    assert subprocess.run(command, capture_output=True, check=True).stdout == b"False\n"


@pytest.mark.parametrize("cells", ["float32", "float64"])
def test_code_is_a_kilobyte(cells: str) -> None:
    assert 0 < len(assembler.assemble(cells)) < 4096


def test_function_that_refers_to_another_is_no_code_by_itself() -> None:
    source = "declare void @other()\ndefine void @f() {\n call void @other()\n ret void\n}\n"

    with pytest.raises(ValueError, match="sections"):
        assembler.only_code(assembler.compile_ir(source))


def test_code_in_memory_can_be_executed_and_not_written() -> None:
    address = machine_code.address("float32")

    assert _permissions(address) == "r-xp"


def test_without_an_assembler_trees_are_left_to_pyfunc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_code, "ASSEMBLER", "terna.no_such_module")

    with pytest.raises(NotCompilable, match=r"no machine code for trees: .*no_such_module"):
        machine_code.address.__wrapped__("float32")


def _permissions(address: int) -> str:
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, permissions = line.split()[:2]
        first, last = (int(end, 16) for end in span.split("-"))
        if first <= address < last:
            return permissions
    raise AssertionError(f"nothing is at {address:#x}")
