"""Downloads the files of a version that training signed, and no others.

What is downloaded is known before: the signature comes first, and names every file. Their number
and sizes are held against limits before the first of them is asked for.
"""

from collections.abc import Mapping
from pathlib import Path

from terna.contracts.version import RELEASE_FILE, SIGNATURE_FILE, Version
from terna.errors import FilesRefused, SignatureInvalid
from terna.registry.registry import Registry
from terna.security import signing

MAX_FILES = 1000
"""Files of a version, at most."""

SIGNATURES = frozenset({SIGNATURE_FILE, RELEASE_FILE})
"""The files that no signature covers: training's, and that of the release key."""

MAX_SIGNATURE_BYTES = 1_000_000
"""Of a signature, which has some 200 bytes for each file."""


def download_signed(
    registry: Registry, version: Version, folder: Path, public_key: Path, max_bytes: int
) -> None:
    """Copy a version's files into an empty folder, and verify their signature there.

    Args:
        max_bytes: of all files together.

    Raises:
        FilesRefused: they are too many or too large; none but the signature was downloaded, or
            one that is larger than the registry says.
        SignatureInvalid: they are not what training signed.
        TrackingUnreachable, TrackingRefused: they cannot be downloaded.
    """
    sizes = registry.list_files(version, MAX_FILES)
    _check_sizes(version, sizes, max_bytes)
    for path in SIGNATURES & sizes.keys():
        _download(registry, version, folder, path, sizes[path])
    signed = signing.signed_files(folder, public_key)
    if signed != sizes.keys() - SIGNATURES:
        raise SignatureInvalid(
            f"{version} is not what training signed: {_differences(signed, sizes)}; serve another"
            " version, or train and sign again"
        )
    for path in sorted(signed):
        _download(registry, version, folder, path, sizes[path])
    signing.verify(folder, public_key)


def _check_sizes(version: Version, sizes: Mapping[str, int], max_bytes: int) -> None:
    if SIGNATURE_FILE not in sizes:
        raise SignatureInvalid(
            f"{version} is not what training signed: it has no file {SIGNATURE_FILE}"
        )
    if any(sizes[path] > MAX_SIGNATURE_BYTES for path in SIGNATURES & sizes.keys()):
        raise FilesRefused(f"{version} has a signature of over {MAX_SIGNATURE_BYTES} bytes.")
    total = sum(sizes.values())
    if total > max_bytes:
        raise FilesRefused(
            f"{version} has {total} bytes, and TERNA_SERVING_MAX_MODEL_BYTES is {max_bytes}."
        )


def _download(registry: Registry, version: Version, folder: Path, path: str, size: int) -> None:
    try:
        registry.download(version, folder, path)
    finally:  # also when it ended at the limit of what this process may write to a file
        file = folder / path
        if file.is_file() and file.stat().st_size > size:
            raise FilesRefused(f"{version} has a file that is larger than the registry says.")


def _differences(signed: frozenset[str], sizes: Mapping[str, int]) -> str:
    missing = len(signed - sizes.keys())
    added = len(sizes.keys() - signed - SIGNATURES)
    return f"{missing} of its files are missing, and {added} were added"
