"""Compiles the tree traversal to machine code, with LLVM, in a process of its own.

LLVM takes 80 MB of a process that has used it once; the function takes 1 kB. So each process that
traverses trees runs this one, and keeps what it writes to standard output.
"""

import sys
from pathlib import Path

import llvmlite.binding as llvm

SOURCE = Path(__file__).with_name("tree_traversal.ll")


def main() -> None:
    """Write the machine code for cells of the type that is the only argument."""
    (cells,) = sys.argv[1:]
    sys.stdout.buffer.write(assemble(cells))


def assemble(cells: str) -> bytes:
    """Return the function's machine code for this processor, which may lie at any address.

    Args:
        cells: what cells are compared as, `float32` or `float64`.

    Raises:
        ValueError: it would need more than its own bytes.
    """
    return only_code(compile_ir(_source(cells)))


def compile_ir(source: str) -> bytes:
    """Return the object file that LLVM makes of source in its own language."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(source)
    target = llvm.Target.from_default_triple()
    machine = target.create_target_machine(opt=2, reloc="pic", codemodel="small")
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.slp_vectorization = options.loop_vectorization = False  # gathers are slower here
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return bytes(machine.emit_object(module))


def _source(cells: str) -> str:
    """Return the traversal in LLVM's language."""
    source = SOURCE.read_text()
    if cells == "float32":
        return source
    return source.replace("type float", "type double").replace(
        "fptrunc double %exact.cell", "bitcast double %exact.cell"
    )


def only_code(file: bytes) -> bytes:
    """Return the code of an object file that holds one function.

    Raises:
        ValueError: the function refers to something outside itself.
    """
    sections = {s.name(): s.data() for s in llvm.ObjectFileRef.from_data(file).sections()}
    more = [name for name in sections if name and name.startswith((b".rela", b".rodata", b".data"))]
    if more:
        raise ValueError(f"the object file has the sections {more}")
    return bytes(sections[b".text"])


if __name__ == "__main__":
    main()
