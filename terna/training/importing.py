"""Models that `terna train` did not make: given reference rows, signed and registered.

Whoever made the model is asked for nothing but rows to try it on. What the model answers to them
now is what serving compares its own answers with. It runs in a child process.
"""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from terna.contracts import reference_rows
from terna.contracts.version import RELEASE_FILE, SIGNATURE_FILE, Version
from terna.errors import DataError, SettingsError
from terna.registry.registry import ALIAS, Registry
from terna.security import model_formats, signing
from terna.security.signer import signer
from terna.training.session import Session

URI = re.compile("runs:/[^/]+/.+|models:/(m-[^/]+|[^/@]+[/@].+)")
"""The sources that the tracking server has: of a run, a logged model, a version or an alias."""

SOURCE_TAG = "terna.source"
"""The version's tag that says which model it was made from."""

RELEASED_TAG = "terna.release"
"""The version's tag that says what in it can run code."""


@dataclass(frozen=True)
class Registered:
    """A version that was registered, and what in it can run code, if anything can."""

    version: Version
    code: str


def register(
    session: Session,
    source: str,
    sample: Path | None = None,
    alias: str = "",
    tags: Mapping[str, str] | None = None,
) -> Registered:
    """Register a model as a signed version.

    Args:
        source: a model directory of this machine, or `runs:/…` or `models:/…`.
        sample: a file of rows to ask the model for; without it, the model's input example is used.

    Raises:
        DataError: no such source, no schema, nothing to ask the model, or it answers no good.
        LoadFailed: the model cannot be loaded.
        ValidationFailed: it ends or hangs the process that loads it.
        SettingsError: the alias is the one that `terna promote` moves.
        TrackingUnreachable, TrackingRefused: nothing was registered.
    """
    if alias == ALIAS:
        raise SettingsError(f"The alias {ALIAS} is moved by `terna promote`: register without it.")
    with TemporaryDirectory() as temporary:
        folder = Path(temporary, "model")
        with session.reporter.step(f"reading {source}"):
            _copy(session.registry, source, folder)
        run_id = _run_id(folder) if URI.fullmatch(source) else ""
        registered = _register(session, folder, run_id, source, sample)
    for key, value in (tags or {}).items():
        session.registry.tag(registered.version, key, value)
    if alias:
        session.registry.set_alias(registered.version, alias)
    return registered


def sign(session: Session, number: int, sample: Path | None = None) -> Registered:
    """Register a signed copy of a version that is registered already, as a new version.

    A version's files never change: serving and others keep copies of them.

    Raises:
        As `register`.
    """
    version = session.registry.version(session.name, number)
    with TemporaryDirectory() as temporary:
        folder = _download(session, version, temporary)
        run_id = version.run_id or _run_id(folder)
        return _register(session, folder, run_id, _uri(version), sample)


def release(session: Session, number: int) -> Registered:
    """Register a copy of a signed version with the release key's signature, as a new version.

    Raises:
        DataError: the version holds no code, or it is released already.
        SignatureInvalid: training has not signed it.
        SettingsError: a key is missing.
        TrackingUnreachable, TrackingRefused: nothing was registered.
    """
    version, settings = session.registry.version(session.name, number), session.settings
    with TemporaryDirectory() as temporary:
        folder = _download(session, version, temporary)
        signing.verify(folder, settings.signing_public_key)
        code = _code_to_release(version, folder, settings.release_public_key)
        signing.sign(folder, settings.release_key, RELEASE_FILE)
        with session.reporter.step(f"registering {session.name}"):
            model_id = session.runs.start_model(version.run_id, session.name)
            made = session.registry.register(session.name, folder, model_id, version.run_id)
    session.registry.tag(made, SOURCE_TAG, _uri(version))
    session.registry.tag(made, RELEASED_TAG, code)
    return Registered(made, code)


def _code_to_release(version: Version, folder: Path, release_key: Path) -> str:
    code = model_formats.find_code(folder)
    if not code:
        raise DataError(f"{version} holds no code: it serves without a release.")
    if signing.is_release_signed(folder, release_key):
        raise DataError(f"{version} is released already.")
    return code


def _download(session: Session, version: Version, temporary: str) -> Path:
    folder = Path(temporary, "model")
    folder.mkdir()
    with session.reporter.step(f"reading {version}"):
        session.registry.download(version, folder)
    _check_is_model(folder, str(version))
    return folder


def _copy(registry: Registry, source: str, folder: Path) -> None:
    """Put the model of a source into a folder that is not there yet."""
    if URI.fullmatch(source):
        folder.mkdir()
        registry.fetch(source, folder)
    elif Path(source, "MLmodel").is_file():
        shutil.copytree(source, folder)
    _check_is_model(folder, source)


def _check_is_model(folder: Path, source: str) -> None:
    if not (folder / "MLmodel").is_file():
        raise DataError(
            f"There is no model at {source}: name a folder with a file MLmodel, or runs:/… or"
            " models:/…"
        )


def _register(
    session: Session, folder: Path, run_id: str, source: str, sample: Path | None
) -> Registered:
    """Complete, sign and register a copy of a model; ask nothing of a server before it is good."""
    for file in (SIGNATURE_FILE, RELEASE_FILE, reference_rows.FILE):
        (folder / file).unlink(missing_ok=True)
    with session.reporter.step("asking the model"):
        session.ask_model(
            "add_reference_rows",
            folder=str(folder),
            sample=str(sample) if sample else None,
            seed=session.settings.seed,
        )
    code = model_formats.find_code(folder)
    with session.reporter.step(f"registering {session.name}"):
        version = _upload(session, folder, run_id)
    session.registry.tag(version, SOURCE_TAG, source)
    return Registered(version, code)


def _upload(session: Session, folder: Path, run_id: str) -> Version:
    """Register a directory as a model of the run that made it, or of a new run."""
    runs = session.runs
    used = run_id or runs.start(f"register {session.name}")
    try:
        model_id = runs.start_model(used, session.name)
        _write_identity(folder, {"model": session.name, "run_id": used, "model_id": model_id})
        signer(session.settings).sign(folder)
        version = session.registry.register(session.name, folder, model_id, used)
    except BaseException:
        if not run_id:
            session.close_as_failed(used)
        raise
    if not run_id:
        runs.finish(used)
    return version


def _write_identity(folder: Path, identity: Mapping[str, str]) -> None:
    """Write into MLmodel what the directory was made for, as serving compares it."""
    path = folder / "MLmodel"
    document = yaml.safe_load(path.read_text())
    metadata = {**(document.get("metadata") or {}), **identity}
    own = {"run_id": identity["run_id"], "model_id": identity["model_id"]}
    document |= {"metadata": metadata, "model_uuid": identity["model_id"], **own}
    document.pop("artifact_path", None)
    path.write_text(yaml.safe_dump(document))


def _run_id(folder: Path) -> str:
    """Return the run that a model of the tracking server says it was made by."""
    document = yaml.safe_load((folder / "MLmodel").read_text())
    return str(document.get("run_id") or "")


def _uri(version: Version) -> str:
    return f"models:/{version.name}/{version.number}"
