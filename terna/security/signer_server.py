"""The signer: holds the key that signs model versions, and signs what others hand to it.

It is handed the open files of a model directory, by name, and makes the digests from what it reads
itself. The kernel says who asks (SO_PEERCRED): each signature is in the audit log with that name.
"""

import hashlib
import json
import logging
import os
import pwd
import socket
import stat
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from socketserver import BaseRequestHandler, ThreadingMixIn, UnixStreamServer
from threading import Lock
from typing import Any

from terna.errors import ModelRejected, SettingsError, TernaError
from terna.security import model_formats, signing
from terna.security.audit import AuditLog

logger = logging.getLogger("terna.signer")

MOST_FILES = 10_000
MOST_AT_A_TIME = 4
"""Requests of one user, so that nobody keeps others from the signer."""

IDLE_SECONDS = 30
"""Seconds between two files after which whoever asks has gone."""

CHUNK = 1 << 20
PACKET = 1 << 15
LONGEST_NAME = 4096


class SignerServer(ThreadingMixIn, UnixStreamServer):
    """Listens on a Unix socket that every user may connect to."""

    socket_type = socket.SOCK_SEQPACKET
    daemon_threads = True

    def __init__(self, path: Path, key: Path, max_bytes: int, audit: AuditLog) -> None:
        """
        Args:
            path: where the socket is made; one that an ended signer left is replaced.
            key: the private key.
            max_bytes: how many bytes the files of a model directory may have together.

        Raises:
            SettingsError: the key is missing or none, or the socket cannot be made.
        """
        signing.check_private_key(key)
        self.key, self.max_bytes, self.audit = key, max_bytes, audit
        self._asking: Counter[int] = Counter()
        self._lock = Lock()
        try:
            path.unlink(missing_ok=True)
            super().__init__(str(path), _Request)
            path.chmod(0o666)
        except OSError as error:
            raise SettingsError(f"The signer cannot listen at {path}: {error.strerror}.") from None

    def verify_request(self, request: Any, _: Any) -> bool:
        """Turn away who asks for too much at a time."""
        user = peer(request)
        with self._lock:
            if self._asking[user] >= MOST_AT_A_TIME:
                return False
            self._asking[user] += 1
            return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one request, and count it no longer."""
        user = peer(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._asking[user] -= 1


@dataclass(frozen=True)
class Seen:
    """A model directory as the signer has read it."""

    digests: dict[str, bytes]
    mlmodel: bytes


class _Request(BaseRequestHandler):
    request: socket.socket
    server: SignerServer

    def handle(self) -> None:
        """Sign one model directory, or say why not; the audit log has both."""
        who = name_of(peer(self.request))
        self.request.settimeout(IDLE_SECONDS)
        what = ""
        try:
            seen = _read(self.request, self.server.max_bytes)
            what = _identity(seen.mlmodel)
            signature = signing.sign_digests("model", seen.digests, self.server.key)
        except (TernaError, OSError) as error:
            self._record(who, what, "refused")
            self._answer({"error": str(error)})
        else:
            self._record(who, what, "ok")
            self._answer({"signature": signature})

    def _record(self, who: str, what: str, outcome: str) -> None:
        logger.info("%s: sign model %s: %s", who, what, outcome)
        try:
            self.server.audit.record(who, "sign model", what, "server 1", outcome)
        except SettingsError as error:
            logger.warning("%s", error)

    def _answer(self, answer: dict[str, str]) -> None:
        encoded = json.dumps(answer).encode()
        for start in range(0, len(encoded), PACKET):
            self.request.sendall(encoded[start : start + PACKET])


def peer(connection: socket.socket) -> int:
    """Return the id of the user at the other end of a Unix socket, as the kernel knows it."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    user: int = struct.unpack("3i", credentials)[1]
    return user


def name_of(user: int) -> str:
    """Return a user's name; where nobody has one for it, the id."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _read(connection: socket.socket, max_bytes: int) -> Seen:
    """Read every file that is handed over, until there is no more."""
    digests: dict[str, bytes] = {}
    mlmodel, left = b"", max_bytes
    while True:
        packet, handed, *_ = socket.recv_fds(connection, LONGEST_NAME, 1)
        if not packet:
            return Seen(digests, mlmodel)
        try:
            name = _checked(packet, handed, digests)
            digest, size = hashlib.sha256(), 0
            while chunk := os.pread(handed[0], CHUNK, size):
                digest.update(chunk)
                size += len(chunk)
                if size > left:
                    raise ModelRejected(f"its files have more than {max_bytes} bytes together.")
                if name == "MLmodel" and size <= model_formats.MAX_MLMODEL_BYTES:
                    mlmodel += chunk
            digests[name] = digest.digest()
            left -= size
        finally:
            for each in handed:
                os.close(each)


def _checked(packet: bytes, handed: list[int], digests: dict[str, bytes]) -> str:
    name = packet.decode(errors="replace")
    path = PurePosixPath(name)
    if str(path) != name or path.is_absolute() or ".." in path.parts or name in signing.UNSIGNED:
        raise ModelRejected(f"{name[:80]!r} is no path of a file to sign.")
    if name in digests or len(digests) >= MOST_FILES:
        raise ModelRejected(f"it has a file twice, or more than {MOST_FILES} files.")
    if len(handed) != 1 or not stat.S_ISREG(os.fstat(handed[0]).st_mode):
        raise ModelRejected(f"{name[:80]!r} is no file.")
    return name


def _identity(mlmodel: bytes) -> str:
    """Return which model and run a directory says that it was made for."""
    metadata = model_formats.read_metadata(mlmodel)
    model, run = (metadata.get(key) for key in ("model", "run_id"))
    if not (isinstance(model, str) and isinstance(run, str) and model and run):
        raise ModelRejected("its MLmodel does not name the model and the run it was made for.")
    return f"{model[:200]} of run {run[:80]}"
