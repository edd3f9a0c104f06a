"""Whether serving would serve a version: asked before the version is promoted.

Serving asks the same, and more, once the version is in production. Here a person learns it at once.
"""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from terna.contracts.version import Version
from terna.errors import ModelRejected
from terna.predictor.predictor import Predictor
from terna.predictor.pyfunc_model import PyfuncModel
from terna.predictor.reference_check import check_reference_rows
from terna.processes import terna_command
from terna.registry.registry import Registry
from terna.security import signing
from terna.security.model_formats import check_formats
from terna.settings import Settings

SECONDS = 300
"""How long a model may take to load and to answer its reference rows."""

PASSED = "answers its reference rows"
"""What the child process prints of a version that does."""


def validate(
    registry: Registry, version: Version, settings: Settings, seconds: float = SECONDS
) -> None:
    """Download a version and check its signatures, its format, and what it answers.

    The model itself runs in a child process, which it may end or hang.

    Raises:
        ModelRejected: serving would not serve it.
        SettingsError: a public key is missing.
        TrackingUnreachable, TrackingRefused: it cannot be downloaded.
    """
    training = settings.training
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        registry.download(version, folder)
        signing.verify(folder, training.signing_public_key)
        released = signing.is_release_signed(folder, training.release_public_key)
        check_formats(folder, released or not settings.serving.require_release)
        _ask_in_child(version, folder, seconds)


def check_answers(version: Version, folder: Path) -> None:
    """Load a model directory whose signature has been verified, and ask it its reference rows.

    Raises:
        ModelRejected: it cannot be loaded, or it answers other than training recorded.
    """
    pyfunc = PyfuncModel.load(version, folder)
    check_reference_rows(Predictor(version, lambda: pyfunc), folder)


def _ask_in_child(version: Version, folder: Path, seconds: float) -> None:
    arguments = (str(folder), version.name, str(version.number), version.run_id)
    command = terna_command("model", "check", *arguments)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ModelRejected(
            f"{version} does not load and answer its reference rows within {seconds:g} s."
        ) from error
    if done.returncode != 0 or PASSED not in done.stdout:
        raise ModelRejected(_reason(version, done))


def _reason(version: Version, done: "subprocess.CompletedProcess[str]") -> str:
    """Return the error that the child process printed, or how it ended."""
    for line in reversed(done.stderr.splitlines()):
        if line.startswith("error: "):
            return line.removeprefix("error: ")
    return f"{version} ends the process that loads it (exit code {done.returncode})."
