"""Whether serving would serve a version: asked before the version is promoted.

Serving asks the same, and more, once the version is in production. Here a person learns it at once.
"""

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from terna.contracts.version import Version
from terna.errors import ValidationFailed
from terna.predictor import model_process
from terna.registry.registry import Registry
from terna.security import signing
from terna.security.model_formats import check_formats
from terna.settings import Settings, Training
from terna.training.session import limits


def validate(registry: Registry, version: Version, settings: Settings) -> None:
    """Download a version and check its signatures, its format, and what it answers.

    The model itself runs in a child process, which it may end or hang.

    Raises:
        ModelRejected: serving would not serve it.
        SettingsError: a public key is missing.
        TrackingUnreachable, TrackingRefused: it cannot be downloaded.
    """
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        registry.download(version, folder)
        check_files(folder, settings.training, settings.serving.require_release)
        try:
            model_process.ask(
                "terna.training.asking:check_answers",
                {"version": asdict(version), "folder": str(folder)},
                limits(settings.training),
            )
        except ValidationFailed as error:
            raise ValidationFailed(f"{version} cannot be validated. {error}") from error


def check_files(folder: Path, settings: Training, require_release: bool) -> None:
    """Return when the files of a version may be loaded, as serving has it.

    Raises:
        SignatureInvalid: they are not what training signed.
        FormatRefused: they hold code, and the release key has not signed them.
        SettingsError: a public key is missing.
    """
    signing.verify(folder, settings.signing_public_key)
    released = signing.is_release_signed(folder, settings.release_public_key)
    check_formats(folder, released or not require_release)
