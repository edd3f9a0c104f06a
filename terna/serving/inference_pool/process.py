"""The worker's end of one child process."""

import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import NoReturn

from terna.contracts.version import Version
from terna.errors import InternalError, TimedOut
from terna.predictor.compiled_predictor import Prediction
from terna.serving.inference_pool import calls
from terna.serving.inference_pool.calls import Call, Done, Failed, Reply, TimeLimit
from terna.settings import Serving

CHILD = "terna.serving.inference_pool.child"

START_SECONDS = 300
"""How long a child has to load its version."""

# Imported once in a process that then forks each child: importing MLflow takes seconds, and 180 MB.
_FORKSERVER = multiprocessing.get_context("forkserver")
_FORKSERVER.set_forkserver_preload([CHILD, "terna.serving.inference_pool.libraries"])


class InferenceProcess:
    """A child process that has loaded one version; one thread at a time calls it."""

    def __init__(self, version: Version, serving: Serving) -> None:
        """Start the child, and wait until it has loaded the version.

        Raises:
            InternalError: it cannot be loaded; the message says why.
            TimedOut: it takes longer than `START_SECONDS`.
        """
        self._connection, theirs = multiprocessing.Pipe()
        arguments = (theirs, version, serving)
        self._process = _FORKSERVER.Process(target=_run, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self.is_usable = True
        """Whether it can take another call."""
        reply = self._receive(time.monotonic() + START_SECONDS)
        if isinstance(reply, Failed):
            self.kill()
            raise reply.error()

    def call(self, call: Call, deadline: float) -> Prediction:
        """Return the response to a call.

        Args:
            deadline: the time of `time.monotonic` after which the child is killed.

        Raises:
            RequestError: any subclass; TimedOut or InternalError where the child has ended.
        """
        self._send(call)
        reply = self._receive(deadline)
        if isinstance(reply, TimeLimit):
            reply = self._receive(min(deadline, time.monotonic() + reply.seconds))
        if not isinstance(reply, (Done, Failed)):
            self._end("The model's process broke its protocol.")
        if reply.has_grown:
            self.close()
        return _result(reply)

    def close(self) -> None:
        """Have the child, which waits for a call, end by itself."""
        self.is_usable = False
        self._connection.close()

    def kill(self) -> None:
        """End the child at once, whatever it does."""
        self.is_usable = False
        self._process.kill()
        self._connection.close()
        self._process.join()  # until nothing of it is left: it takes milliseconds

    def _send(self, call: Call) -> None:
        try:
            self._connection.send_bytes(calls.encode(call))
        except OSError:
            self._end("The model's process has ended: ask again.")

    def _receive(self, deadline: float) -> Reply:
        try:
            if self._connection.poll(max(0, deadline - time.monotonic())):
                reply: Reply = calls.decode_reply(self._connection.recv_bytes())
                return reply
        except (OSError, EOFError, ValueError):
            self._end("The model's process has ended on this request.")
        self.kill()
        raise TimedOut

    def _end(self, message: str) -> NoReturn:
        self.kill()
        raise InternalError(message) from None


def _result(reply: Done | Failed) -> Prediction:
    if isinstance(reply, Failed):
        raise reply.error()
    return reply.prediction


def _run(connection: Connection, version: Version, serving: Serving) -> None:
    from terna.serving.inference_pool import child  # imports MLflow: only where it was forked

    child.run(connection, version, serving)
