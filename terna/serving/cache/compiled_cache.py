"""The compiled programs of the local copies, sealed with this server's own secret.

A model directory is signed by training. Its program is made here, so training's signature does
not cover it: the seal does, and only who reads this server's private key can make one.
"""

import hmac
import sys
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from terna import compiler
from terna.compiler.runtime.compiled_model import CompiledModel
from terna.contracts.version import SIGNATURE_FILE
from terna.errors import NotCompilable
from terna.files import write_private

CODE = (".py", ".ll")
"""How the names of the compiler's own files end, in all its folders."""
SEAL = 32
"""Bytes of a seal, HMAC-SHA-256."""

LIBRARIES = ("llvmlite", "mlflow-skinny", "numpy", "pandas", "scikit-learn")
"""Another version of one of them compiles anew."""


class CompiledCache:
    """A file beside each copy that has a program."""

    def __init__(self, secret: Path) -> None:
        self._secret = secret

    def keep(self, copy: Path, program: CompiledModel) -> None:
        """Put a program beside the copy that it was made of, sealed."""
        content = program.encode()
        write_private(place(copy), self._seal(content) + content)

    def of(self, copy: Path) -> CompiledModel | None:
        """The program of a copy; None where there is none that was made and sealed here."""
        try:
            sealed = place(copy).read_bytes()
            seal, content = sealed[:SEAL], sealed[SEAL:]
            if hmac.compare_digest(seal, self._seal(content)):
                return CompiledModel.decode(content, made_for(copy))
        except (OSError, NotCompilable):
            pass
        return None

    def forget(self, copy: Path) -> None:
        place(copy).unlink(missing_ok=True)

    def _seal(self, content: bytes) -> bytes:
        key = sha256(b"programs of terna: " + self._secret.read_bytes()).digest()
        return hmac.digest(key, content, "sha256")


def made_for(copy: Path) -> str:
    """A digest of what a program depends on: the signed files, our own code and the libraries."""
    code = sorted(p for p in Path(compiler.__file__).parent.rglob("*") if p.suffix in CODE)
    digests = (sha256(path.read_bytes()).hexdigest() for path in (copy / SIGNATURE_FILE, *code))
    versions = (f"{name}=={version(name)}" for name in LIBRARIES)
    return sha256("\n".join([sys.version, *versions, *digests]).encode()).hexdigest()


def place(copy: Path) -> Path:
    """Where a copy's program is."""
    return copy.with_name(f".program-{copy.name}")
