"""Sign and verify a model directory, with OpenSSF Model Signing and an elliptic-curve key.

Source: https://github.com/sigstore/model-transparency (its `model_signing` library). The signature
covers the name and content of every file; not file modes and times, empty folders, or the name of
the model directory itself.

A directory has one signature or two, each in a file that neither of them covers: training signs
every version, and whoever releases models also those that hold code (security/model_formats.py).
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from terna.contracts.version import RELEASE_FILE, SIGNATURE_FILE
from terna.errors import ModelRejected, SettingsError, SignatureInvalid
from terna.files import locked, write_private, write_public
from terna.security.ca import new_key, read_key

if TYPE_CHECKING:
    # Imported where used: it takes 0.3 to 0.6 s (sigstore, tuf, requests).
    from model_signing import hashing, signing, verifying

UNSIGNED = (SIGNATURE_FILE, RELEASE_FILE)
"""The files at the top of a model directory that no signature covers: the signatures."""

LONGEST_REASON = 400
"""Characters of the library's message that an error of ours repeats."""

# The library prints digests as Python objects, which no person can read.
DIGESTS = re.compile(r""": Expected \\?'Digest\(.*?, Actual \\?'Digest\(.*?\)\\?'(?=["'])""")


def ensure_signing_keys(private: Path, public: Path) -> None:
    """Make the P-256 key pair that signs models, in PEM, where it is missing.

    A missing public key is derived from the private one. Safe to interrupt, and to run twice.

    Raises:
        SettingsError: the private key is lost or no elliptic-curve key; a file cannot be written.
    """
    try:
        with locked(private.parent):
            _ensure_keys(private, public)
    except OSError as error:
        raise SettingsError(f"cannot make the keys that sign models: {error}") from error


def _ensure_keys(private: Path, public: Path) -> None:
    if public.exists() and not private.exists():
        raise SettingsError(
            f"{public} has lost its private key {private}: put the key back, or delete {public} "
            "and run again for a new pair, with which no older model version verifies"
        )
    if not private.exists():
        write_private(private, new_key())
    if not public.exists():
        write_public(public, _public_pem(private))


def _public_pem(private: Path) -> bytes:
    public = read_key(private).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def sign(model: Path, private_key: Path, signature: str = SIGNATURE_FILE) -> None:
    """Sign every file of the model directory but the signatures, and write the file `signature`.

    Raises:
        SettingsError: the private key is missing or no elliptic-curve key in PEM.
        ModelRejected: the directory cannot be signed, such as for a symbolic link in it.
    """
    signer = _signer(private_key)
    try:
        _check_folders_readable(model)
        signer.sign(model, model / signature)
    except Exception as error:
        raise ModelRejected(f"{_printable(model)} cannot be signed: {_reason(error)}") from error


def check_private_key(private_key: Path) -> None:
    """Return when a file holds a private key that can sign; raises SettingsError when not."""
    _signer(private_key)


def files_to_sign(model: Path) -> list[Path]:
    """Return every file of a model directory but the signatures, in order.

    Raises:
        ModelRejected: there is something in it that is neither a file nor a folder.
    """
    found = sorted(path for path in model.rglob("*") if not path.is_dir() or path.is_symlink())
    for path in found:
        if path.is_symlink() or not path.is_file():
            raise ModelRejected(f"{_printable(path)} is no file: the model cannot be signed.")
    try:
        _check_folders_readable(model)
    except OSError as error:
        raise ModelRejected(f"{_printable(model)} cannot be signed: {_reason(error)}") from error
    return [path for path in found if path.relative_to(model).as_posix() not in UNSIGNED]


def sign_digests(name: str, digests: Mapping[str, bytes], private_key: Path) -> str:
    """Return the signature of a model directory, made from the digests of its files.

    Args:
        name: the model's name, which the signature holds and nobody verifies.
        digests: the SHA-256 of every file but the signatures, by its path in the directory.

    Raises:
        SettingsError: the private key is missing or no elliptic-curve key in PEM.
    """
    from model_signing import manifest
    from model_signing._hashing.hashing import Digest
    from model_signing._signing import sign_ec_key, signing

    serialization = manifest._FileSerialization("sha256", ignore_paths=map(Path, sorted(UNSIGNED)))
    items = [serialization.new_item(path, Digest("sha256", d)) for path, d in digests.items()]
    payload = signing.Payload(manifest.Manifest(name, items, serialization))
    try:
        signature: Any = sign_ec_key.Signer(private_key).sign(payload)
    except Exception as error:
        raise _key_error("private", private_key, error) from error
    return str(signature.bundle.to_json())


def verify(model: Path, public_key: Path, signature: str = SIGNATURE_FILE) -> None:
    """Return only when the model directory holds the files that were signed, and no other.

    Args:
        signature: the name of the signature's file, by training unless another is named.

    Raises:
        SettingsError: the public key is missing or no elliptic-curve key in PEM.
        SignatureInvalid: the signature is missing, broken or by another key; a file was changed,
            added, removed or renamed; there is a symbolic link; or anything else went wrong.
    """
    verifier = _verifier(public_key)
    try:
        _check_signature_exists(model / signature)
        _check_unsigned_files(model)
        _check_folders_readable(model)
        verifier.verify(model, model / signature)
    except Exception as error:  # the library raises many kinds, and none of them means verified
        raise _invalid(model, public_key, error) from error


def signed_files(model: Path, public_key: Path) -> frozenset[str]:
    """Return the paths of the files that the signature in a model directory is of.

    Only the signature is verified: the files need not be there yet.

    Raises:
        SettingsError: the public key is missing or no elliptic-curve key in PEM.
        SignatureInvalid: the signature is missing, broken or by another key.
    """
    from model_signing._signing import sign_ec_key, sign_sigstore_pb

    _verifier(public_key)  # says what is wrong with a key
    try:
        _check_signature_exists(model / SIGNATURE_FILE)
        signature = sign_sigstore_pb.Signature.read(model / SIGNATURE_FILE)
        manifest = sign_ec_key.Verifier(public_key).verify(signature)
        return frozenset(file.identifier for file in manifest.resource_descriptors())
    except Exception as error:
        raise _invalid(model, public_key, error) from error


def is_release_signed(model: Path, release_key: Path) -> bool:
    """Return whether the release key has signed the files that the model directory holds.

    Args:
        release_key: the public half; it is not read where there is no such signature.

    Raises:
        SettingsError: the key is missing or no elliptic-curve key in PEM.
    """
    if not (model / RELEASE_FILE).is_file():
        return False
    try:
        verify(model, release_key, RELEASE_FILE)
    except SignatureInvalid:
        return False
    return True


def _signer(private_key: Path) -> "signing.Config":
    from model_signing import signing

    try:
        config = signing.Config()
        signer = config.use_elliptic_key_signer(private_key=private_key)
    except Exception as error:
        raise _key_error("private", private_key, error) from error
    return signer.set_hashing_config(_hashing_config())


def _verifier(public_key: Path) -> "verifying.Config":
    from model_signing import verifying

    try:
        config = verifying.Config()
        verifier = config.use_elliptic_key_verifier(public_key=public_key)
    except Exception as error:
        raise _key_error("public", public_key, error) from error
    return verifier.set_hashing_config(_hashing_config())


def _invalid(model: Path, public_key: Path, error: Exception) -> SignatureInvalid:
    return SignatureInvalid(
        f"{_printable(model)} is not what training signed with the key of {public_key}: "
        f"{_reason(error)}; serve another version, or train and sign again"
    )


def _key_error(half: str, key: Path, error: Exception) -> SettingsError:
    return SettingsError(
        f"the {half} key that models are signed with cannot be used, {key}: {_reason(error)}; "
        "make it with `terna certificates`, or put it back"
    )


def _hashing_config() -> "hashing.Config":
    from model_signing import hashing

    class HashEveryFile(hashing.Config):
        # While verifying, the library also ignores the paths that the signed manifest names.
        # A model must not decide which of its files are verified.
        def add_ignored_paths(self, **_: object) -> None:
            pass

    config = HashEveryFile()  # type: ignore[no-untyped-call]
    return config.set_ignored_paths(paths=list(UNSIGNED), ignore_git_paths=False)


def _check_signature_exists(signature: Path) -> None:
    # Not left to the library: it would wait for ever to read a named pipe.
    if not signature.is_file():
        raise FileNotFoundError(f"it has no file {signature.name}")


def _check_unsigned_files(model: Path) -> None:
    # What lies in a folder of such a name would be left out of the signature, too.
    for name in UNSIGNED:
        path = model / name
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise OSError(f"{name} is a folder, a symlink, or no file at all")


def _check_folders_readable(model: Path) -> None:
    # The library's `Path.glob` skips a folder that it may not list, whose files may still be read.
    def refuse(error: OSError) -> None:
        raise error

    for _ in os.walk(model, onerror=refuse):
        pass


def _reason(error: Exception) -> str:
    text = DIGESTS.sub("", _printable(error)).replace("\\'", "'") or type(error).__name__
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}…"


def _printable(value: object) -> str:
    """Return one printable line, whatever characters a file's name holds."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(value)
    )
