"""The compiled models of the model cache, sealed with this server's own secret."""

import sys
from hashlib import sha256
from importlib.metadata import version as installed
from pathlib import Path

from terna import compiler
from terna.compiler.runtime.compiled_model import CompiledModel
from terna.contracts.version import SIGNATURE_FILE, Version
from terna.errors import NotCompilable
from terna.serving.cache.seal import Seal, describe

SOURCES = (".py", ".ll")
"""How the names of the compiler's own files end, in all its folders."""

LIBRARIES = ("llvmlite", "mlflow-skinny", "numpy", "pandas", "scikit-learn")
"""Libraries that a compiled model depends on: it is compiled anew when a version changes."""


class CompiledCache:
    """A file beside each model directory that has a compiled model.

    It is sealed over the version too: another version's compiled model is not used for it.
    """

    def __init__(self, secret: Path) -> None:
        """
        Args:
            secret: a file that nobody else can read; the seal's key is derived from it.
        """
        self._seal = Seal(secret)

    def store(self, version: Version, directory: Path, content: bytes) -> None:
        """Put an encoded compiled model beside the model directory that it was made of, sealed."""
        self._seal.write(path_for(directory), content, _subject(version))

    def load(self, version: Version, directory: Path) -> CompiledModel | None:
        """Return a version's compiled model; None where none was made and sealed here."""
        content = self._seal.read(path_for(directory), _subject(version))
        try:
            return CompiledModel.decode(content, cache_key(directory)) if content else None
        except (OSError, NotCompilable):
            return None

    def remove(self, directory: Path) -> None:
        """Remove a directory's compiled model, if it has one."""
        path_for(directory).unlink(missing_ok=True)


def cache_key(directory: Path) -> str:
    """Return a digest of what a compiled model depends on: signed files, our code, libraries."""
    root = Path(compiler.__file__).parent
    code = sorted(path for path in root.rglob("*") if path.suffix in SOURCES)
    digests = (
        sha256(path.read_bytes()).hexdigest() for path in (directory / SIGNATURE_FILE, *code)
    )
    versions = (f"{name}=={installed(name)}" for name in LIBRARIES)
    return sha256("\n".join([sys.version, *versions, *digests]).encode()).hexdigest()


def path_for(directory: Path) -> Path:
    """Return where a model directory's compiled model is, or would be."""
    return directory.with_name(f".compiled-{directory.name}")


def _subject(version: Version) -> str:
    return f"compiled model of {describe(version)}"
