"""Whether Tryton answers and reaches its database: the route, and who asks it."""

import socket
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Any

from trytond.protocols.wrappers import Response, with_pool, with_transaction
from trytond.wsgi import app

from terna.errors import TernaError

SECONDS = 8
"""How long Tryton has to answer."""


@app.route("/<database_name>/terna/health", methods=["GET"])
@with_pool
@with_transaction(readonly=True)
def health(request: Any, pool: Any) -> Response:
    """Answer 204 when the database can be asked."""
    pool.get("terna.endpoint").search([], limit=1)
    return Response(status=HTTPStatus.NO_CONTENT)


def ask(path: str, database: str) -> None:
    """Return when Tryton says so by its Unix socket.

    Raises:
        TernaError: it does not.
    """
    connection = _SocketConnection(path)
    try:
        connection.request("GET", f"/{database}/terna/health")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        raise TernaError(f"Tryton does not answer ({type(error).__name__}).") from None
    finally:
        connection.close()
    if status != HTTPStatus.NO_CONTENT:
        raise TernaError(f"Tryton answers {status}.")


class _SocketConnection(HTTPConnection):
    """HTTP by a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
