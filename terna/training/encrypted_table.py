"""Tables at rest: Parquet's own encryption, with a key that only the training server has.

https://parquet.apache.org/docs/file-format/data-pages/encryption/
"""

import base64
import io
import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from pyarrow.parquet.encryption import (
    CryptoFactory,
    EncryptionConfiguration,
    KmsClient,
    KmsConnectionConfig,
)

from terna.errors import SettingsError

KEY_NAME = "tables"
"""What a file calls the key that it needs."""


def encrypt(table: pd.DataFrame, key: Path) -> bytes:
    """Return a table as an encrypted Parquet file, without its index.

    Raises:
        SettingsError: the key is missing, or is none.
    """
    configuration = EncryptionConfiguration(
        footer_key=KEY_NAME, uniform_encryption=True, data_key_length_bits=256
    )
    properties = _factory(key).file_encryption_properties(KmsConnectionConfig(), configuration)
    file = io.BytesIO()
    columns = pa.Table.from_pandas(table, preserve_index=False)
    parquet.write_table(columns, file, encryption_properties=properties)
    return file.getvalue()


def decrypt(path: Path, key: Path) -> pd.DataFrame:
    """Read a table from a Parquet file, encrypted or from before tables were.

    Raises:
        SettingsError: the key is missing, is none, or is not the one of this file.
    """
    properties = _factory(key).file_decryption_properties(KmsConnectionConfig())
    try:
        table = parquet.read_table(path, decryption_properties=properties)
    except InvalidUnwrap:
        raise SettingsError(
            f"{path} is encrypted with another key than {key}: bring that key back, or run"
            " `terna acquire` again."
        ) from None
    return pd.DataFrame(table.to_pandas())


class _Keys(KmsClient):  # type: ignore[misc]  # pyarrow has no types
    """What Parquet asks to encrypt the keys of a file, by the key of all tables (RFC 3394)."""

    def __init__(self, key: bytes) -> None:
        super().__init__()
        self._key = key

    def wrap_key(self, key_bytes: bytes, _name: str) -> bytes:
        return base64.b64encode(aes_key_wrap(self._key, key_bytes))

    def unwrap_key(self, wrapped_key: bytes, _name: str) -> bytes:
        return aes_key_unwrap(self._key, base64.b64decode(wrapped_key))


def _factory(key: Path) -> CryptoFactory:
    keys = _Keys(_read_key(key))
    return CryptoFactory(lambda _: keys)


def _read_key(path: Path) -> bytes:
    """Read the 32 bytes of a key, which its file has in hexadecimal digits."""
    try:
        text = path.read_text().strip()
    except OSError as error:
        raise SettingsError(
            f"The key {path}, with which tables are encrypted, is missing: bring it back from your"
            " backup, or make a new one with `terna certificates`, in containers with `docker"
            " compose up`, and run `terna acquire` again."
        ) from error
    if not re.fullmatch("[0-9a-fA-F]{64}", text):
        raise SettingsError(f"{path} is no key for tables: 64 hexadecimal digits.")
    return bytes.fromhex(text)
