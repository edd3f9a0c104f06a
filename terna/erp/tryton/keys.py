"""The ERP's keys: what identities are encrypted, searched and replaced by pseudonyms with.

Each is a file in `secrets/erp` with one key a line. The first is used for what is written; the
others are still known, so that a key is rotated by a new first line. A changed file is read again.
"""

import hmac
import unicodedata
from base64 import urlsafe_b64encode
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from trytond.exceptions import UserError

from terna.erp.tryton import configuration

IDENTITY, SEARCH, PSEUDONYM = "identity.key", "search.key", "pseudonym.key"

HASH_LENGTH = 43
"""Characters of a search hash: 256 bits in base64, without padding."""


def encrypt(text: str, column: str) -> str:
    """Return a text as its column holds it: its search hash, a colon, a Fernet token.

    Raises:
        UserError: a key is missing.
    """
    return f"{search_hashes(text, column)[0]}:{_fernet().encrypt(text.encode()).decode()}"


def decrypt(stored: str) -> str:
    """Return the text of what a column holds; what is not encrypted, such as `****`, as it is.

    Raises:
        UserError: the key is missing, or none of them has encrypted this.
    """
    if not is_encrypted(stored):
        return stored
    try:
        return _fernet().decrypt(_token(stored)).decode()
    except InvalidToken:
        raise UserError(
            f"No key in {_path(IDENTITY)} has encrypted this value: add the former key as a line."
        ) from None


def is_current(stored: str, column: str) -> bool:
    """Return whether what a column holds is encrypted and hashed with the first keys."""
    if not is_encrypted(stored):
        return False
    try:
        text = Fernet(keys(IDENTITY)[0]).decrypt(_token(stored)).decode()
    except InvalidToken:
        return False
    return stored[:HASH_LENGTH] == search_hashes(text, column)[0]


def is_encrypted(stored: str) -> bool:
    """Return whether what a column holds looks like the result of `encrypt`."""
    return stored[HASH_LENGTH : HASH_LENGTH + 6] == ":gAAAA"  # how every Fernet token begins


def search_hashes(text: str, column: str) -> list[str]:
    """Return the hash of a normalized text by each key, the key in use first.

    A column has hashes of its own, so that equal values of two columns do not look equal.

    Raises:
        UserError: the key is missing.
    """
    message = f"{column}\0{normalized(text)}".encode()
    return [_base64(hmac.digest(key, message, sha256)) for key in keys(SEARCH)]


def pseudonym(party: int, endpoint: str, key: bytes) -> str:
    """Return what stands for a customer at an endpoint: 43 characters of base64."""
    return _base64(hmac.digest(key, f"{endpoint}\0{party}".encode(), sha256))


def generation(key: bytes) -> str:
    """Return what names a key without telling it."""
    return sha256(b"generation\0" + key).hexdigest()[:8]


def normalized(text: str) -> str:
    """Return a text as it is compared: without case, and but for e-mail without punctuation."""
    text = unicodedata.normalize("NFKC", text).casefold()
    if "@" in text:
        return text.strip()
    return "".join(character for character in text if character not in " \t-./()")


def keys(name: str) -> tuple[bytes, ...]:
    """Return the keys of a file, the one in use first.

    Raises:
        UserError: there is none.
    """
    path = _path(name)
    try:
        found = _lines(path, path.stat().st_mtime_ns)
    except OSError:
        found = ()
    if not found:
        raise UserError(
            f"{path} holds no key: `terna certificates` makes it. If it was lost, put it back."
        )
    return found


def _path(name: str) -> Path:
    return configuration.secrets() / name


@lru_cache(maxsize=16)
def _lines(path: Path, _modified: int) -> tuple[bytes, ...]:
    return tuple(path.read_bytes().split())


def _fernet() -> MultiFernet:
    return _multi_fernet(keys(IDENTITY))


@lru_cache(maxsize=2)
def _multi_fernet(found: tuple[bytes, ...]) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in found])
    except ValueError:
        raise UserError(
            f"{_path(IDENTITY)} holds a line that is no Fernet key: 32 bytes in base64."
        ) from None


def _token(stored: str) -> bytes:
    return stored[HASH_LENGTH + 1 :].encode()


def _base64(digest: bytes) -> str:
    return urlsafe_b64encode(digest).decode().rstrip("=")
