"""The compiled models of the model cache, sealed with this server's own secret.

A model directory is signed by training. Its compiled model is made here, so training's signature
does not cover it: the seal does, and only who can read this server's private key can make one.
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

SOURCES = (".py", ".ll")
"""How the names of the compiler's own files end, in all its folders."""

SEAL_BYTES = 32
"""Of HMAC-SHA-256."""

LIBRARIES = ("llvmlite", "mlflow-skinny", "numpy", "pandas", "scikit-learn")
"""Libraries that a compiled model depends on: it is compiled anew when a version changes."""


class CompiledCache:
    """A file beside each model directory that has a compiled model."""

    def __init__(self, secret: Path) -> None:
        """
        Args:
            secret: a file that nobody else can read; the seal's key is derived from it.
        """
        self._secret = secret

    def store(self, directory: Path, compiled: CompiledModel) -> None:
        """Put a compiled model beside the model directory that it was made of, sealed."""
        content = compiled.encode()
        write_private(path_for(directory), self._seal(content) + content)

    def load(self, directory: Path) -> CompiledModel | None:
        """Return a directory's compiled model; None where none was made and sealed here."""
        try:
            sealed = path_for(directory).read_bytes()
            seal, content = sealed[:SEAL_BYTES], sealed[SEAL_BYTES:]
            if hmac.compare_digest(seal, self._seal(content)):
                return CompiledModel.decode(content, cache_key(directory))
        except (OSError, NotCompilable):
            pass
        return None

    def remove(self, directory: Path) -> None:
        """Remove a directory's compiled model, if it has one."""
        path_for(directory).unlink(missing_ok=True)

    def _seal(self, content: bytes) -> bytes:
        key = sha256(b"compiled models of terna: " + self._secret.read_bytes()).digest()
        return hmac.digest(key, content, "sha256")


def cache_key(directory: Path) -> str:
    """Return a digest of what a compiled model depends on: signed files, our code, libraries."""
    root = Path(compiler.__file__).parent
    code = sorted(path for path in root.rglob("*") if path.suffix in SOURCES)
    digests = (
        sha256(path.read_bytes()).hexdigest() for path in (directory / SIGNATURE_FILE, *code)
    )
    versions = (f"{name}=={version(name)}" for name in LIBRARIES)
    return sha256("\n".join([sys.version, *versions, *digests]).encode()).hexdigest()


def path_for(directory: Path) -> Path:
    """Return where a model directory's compiled model is, or would be."""
    return directory.with_name(f".compiled-{directory.name}")
