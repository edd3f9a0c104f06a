"""How serving is reached: its address, the CA, the API key, and a client certificate."""

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from terna.errors import SettingsError

File = str | os.PathLike[str]


@dataclass(frozen=True)
class Connection:
    """Where labels are asked for, and as whom. Nothing is opened or read until a client is made."""

    endpoint: str
    """The URL that predictions are asked of: `https://HOST:8443/invocations`."""
    ca: File | None = None
    """The CA that the endpoint is verified with; None for those that this machine trusts."""
    api_key: str = field(default="", repr=False)
    """The API key, for those who do not keep it in a file."""
    api_key_file: File | None = None
    """The file of the API key. It is read again when serving refuses the key."""
    certificate: File | None = None
    """The client's certificate, which serving's own port asks for; the reverse proxy does not."""
    key: File | None = None
    """The certificate's private key; None where it is in the same file."""
    timeout_seconds: float = 10
    """Seconds that one response may take to begin, or to go on."""
    deadline_seconds: float = 30
    """Seconds after the beginning of a call in which a server that is busy is asked again."""


def tls_context(connection: Connection) -> ssl.SSLContext:
    """Return what verifies the endpoint, and shows it the client's certificate where it has one.

    Raises:
        SettingsError: a file cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=connection.ca)
    except OSError as error:
        raise SettingsError(
            f"{connection.ca} is no CA certificate that can be read: `ca` of the connection, or"
            " TERNA_ERP_CA, names it."
        ) from error
    if connection.certificate is not None:
        try:
            context.load_cert_chain(connection.certificate, connection.key)
        except OSError as error:
            raise SettingsError(
                f"{connection.certificate} and {connection.key} are no certificate and its key"
                " that can be read: `certificate` and `key` of the connection, or"
                " TERNA_ERP_CERTIFICATE and TERNA_ERP_KEY, name them."
            ) from error
    return context


def authorization(connection: Connection) -> dict[str, str]:
    """Return the header with the API key; none without a key.

    Raises:
        SettingsError: its file cannot be read, or no header can hold it.
    """
    key = connection.api_key or _read_key(connection.api_key_file)
    if not key.isascii() or not key.isprintable():
        raise SettingsError(
            f"{connection.api_key_file or '`api_key` of the connection'} is no API key: it has"
            " characters that a header cannot hold."
        )
    return {"authorization": f"Bearer {key}"} if key else {}


def _read_key(file: File | None) -> str:
    if file is None:
        return ""
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{file} holds no API key that can be read: `api_key_file` of the connection, or"
            " TERNA_ERP_API_KEY_FILE, names it. `terna certificates` makes the first keys."
        ) from error
