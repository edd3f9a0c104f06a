"""Who signs model directories: this process with the key's file, or the signer that holds the key.

The signer is a process of another user (`terna signer`, security/signer_server.py), reached by a
Unix socket. Whoever may connect has model directories signed, and never reads the key.
"""

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from terna.contracts.version import SIGNATURE_FILE
from terna.errors import ModelRejected, SignerUnreachable
from terna.security import signing
from terna.settings import Training

SECONDS = 120
"""How long the signer may take for one model directory: it reads two gigabytes in a few seconds."""


class Signer(Protocol):
    """Signs model directories on behalf of training."""

    def sign(self, model: Path) -> None:
        """Write the signature of a model directory into it.

        Raises:
            ModelRejected: the directory cannot be signed.
            SettingsError: the key is missing or none.
            SignerUnreachable: the signer does not answer.
        """


@dataclass(frozen=True)
class KeyFile:
    """Signs with a key that this process reads."""

    key: Path

    def sign(self, model: Path) -> None:
        """Sign as `Signer.sign` says."""
        signing.sign(model, self.key)


@dataclass(frozen=True)
class SignerSocket:
    """Has the signer sign: it is handed the open files, and makes the digests itself."""

    path: Path

    def sign(self, model: Path) -> None:
        """Sign as `Signer.sign` says."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
                connection.settimeout(SECONDS)
                connection.connect(str(self.path))
                answer = _ask(connection, model)
        except (OSError, ValueError) as error:
            raise SignerUnreachable(
                f"The signer does not answer at {self.path} ({error}): nothing is signed; run"
                " this step again when it does."
            ) from None
        if refused := answer.get("error"):
            raise ModelRejected(f"The signer refuses to sign: {refused}")
        (model / SIGNATURE_FILE).write_text(answer["signature"])


def signer(settings: Training) -> Signer:
    """Return who signs: the signer where its socket is set, else this process."""
    return SignerSocket(Path(settings.signer)) if settings.signer else KeyFile(settings.signing_key)


def _ask(connection: socket.socket, model: Path) -> dict[str, str]:
    try:
        for path in signing.files_to_sign(model):
            _send(connection, path.relative_to(model).as_posix(), path)
        connection.shutdown(socket.SHUT_WR)
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has refused already, and its answer says why
    answer: dict[str, str] = json.loads(b"".join(_received(connection)))
    return answer


def _send(connection: socket.socket, name: str, path: Path) -> None:
    opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        socket.send_fds(connection, [name.encode()], [opened])
    finally:
        os.close(opened)


def _received(connection: socket.socket) -> Iterator[bytes]:
    while packet := connection.recv(1 << 16):
        yield packet
