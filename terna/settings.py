"""Every setting, one group per server. The only module that reads the environment.

A setting `port` of the group `serving` is the environment variable `TERNA_SERVING_PORT`, or a line
of that name in a file `.env` of the working directory. `.env.example` lists them all.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from terna.errors import SettingsError

SECRETS = "/secrets"
"""Where a container finds its own secrets. A file there named like a variable, in small letters, is
that setting: a password is in no environment."""

DEFAULT_MODEL = "rfc_tune"
"""The registered model that is trained and served where nothing else is named."""


def _group(prefix: str) -> SettingsConfigDict:
    return SettingsConfigDict(
        env_prefix=prefix,
        env_file=".env",
        secrets_dir=SECRETS if Path(SECRETS).is_dir() else None,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
    )


class Tracking(BaseSettings):
    """Server 2: the MLflow tracking server, and how the others reach it."""

    model_config = _group("TERNA_TRACKING_")

    uri: str = "https://localhost:5000"
    """Where training and serving find the tracking server."""

    ca: Path = Path("certs/ca.crt")
    """The CA that its clients verify it with."""

    timeout_seconds: float = Field(default=10, gt=0)
    """Seconds that a client waits for one answer before it gives up."""

    user: str = ""
    """Whom a client logs in as; empty where the server asks for no login."""

    password: str = Field(default="", repr=False)
    """The user's password."""

    host: str = "127.0.0.1"
    """The address to listen on."""

    port: int = Field(default=5000, ge=1, le=65535)
    """The port to listen on."""

    backend_store_uri: str = Field(default="sqlite:///.terna/tracking/mlflow.db", repr=False)
    """Where runs and the registry live: `sqlite:///…` or `postgresql://…`."""

    auth_database_uri: str = Field(default="", repr=False)
    """Where logins live: a database of their own. Empty: the server asks for none."""

    logins_dir: Path = Path("secrets/tracking/logins")
    """The passwords of the logins that Terna itself needs: a file each, named as the user."""

    artifacts_destination: str = ".terna/tracking/artifacts"
    """Where artifacts live: a folder or `s3://…`."""

    allowed_hosts: str = "localhost,localhost:*,127.0.0.1,127.0.0.1:*"
    """The Host headers that the server answers to, separated by commas."""

    certificate: Path = Path("certs/tracking/tls.crt")
    """The server's certificate."""

    key: Path = Path("secrets/tracking/tls.key")
    """The certificate's private key."""


class Training(BaseSettings):
    """Server 1: what a training run does where the command line does not say."""

    model_config = _group("TERNA_TRAINING_")

    workspace_dir: Path = Path(".terna/training")
    """Where each phase leaves what the next one reads, a folder per model."""

    experiment: str = "terna"
    """The MLflow experiment that the runs are logged to."""

    trials: int = Field(default=50, ge=1)
    """How many candidates `terna tune` tries."""

    folds: int = Field(default=5, ge=2)
    """The number of cross-validation folds."""

    seed: int = 0
    """The seed of every random choice: the same table gives the same model."""

    optuna_storage: str = Field(default="", repr=False)
    """A database URL where Optuna keeps its studies: an interrupted search goes on from there."""

    signing_key: Path = Path("secrets/training/signing.key")
    """The private key that model versions are signed with."""

    signing_public_key: Path = Path("certs/training/signing.pub")
    """Its public half, to verify the version in production before it is loaded for comparison."""


class Serving(BaseSettings):
    """Server 2: the serving server."""

    model_config = _group("TERNA_SERVING_")

    model: str = DEFAULT_MODEL
    """The registered model to serve."""

    host: str = "127.0.0.1"
    """The address to listen on."""

    port: int = Field(default=8124, ge=1, le=65535)
    """The port to listen on."""

    workers: int = Field(default=1, ge=1)
    """Worker processes; each holds the model."""

    threads: int = Field(default=2, ge=1)
    """Predictions that one worker computes at a time, and one of many rows beside them."""

    max_queue: int = Field(default=64, ge=0)
    """How many more may wait for that; what comes then is answered 503 at once."""

    timeout_seconds: float = Field(default=25, gt=0)
    """Seconds after which a prediction is answered 504; the door waits for 30."""

    drain_seconds: int = Field(default=20, ge=1)
    """Seconds that requests have to end when the server is told to stop."""

    cache_dir: Path = Path(".terna/serving")
    """The verified local copies of the model versions served."""

    poll_seconds: float = Field(default=2, gt=0)
    """Seconds between two looks at the registry."""

    max_slowdown: float = Field(default=10, ge=0)
    """How many times slower than its predecessor a new version may be; 0 for any."""

    compile: bool = True
    """Whether models are compiled; if not, every version is answered by pyfunc."""

    max_body_bytes: int = Field(default=10_000_000, ge=1)
    """The largest request body, in bytes; a larger one is answered 413."""

    verify_key: Path = Path("certs/serving/signing.pub")
    """The public key that model versions must be signed with."""

    certificate: Path = Path("certs/serving/tls.crt")
    """The server's certificate."""

    key: Path = Path("secrets/serving/tls.key")
    """The certificate's private key."""


class Erp(BaseSettings):
    """Server 3: how the company's ERP asks for labels."""

    model_config = _group("TERNA_ERP_")

    endpoint: str = "https://localhost:8124/invocations"
    """Where labels are asked for."""

    ca: Path = Path("certs/ca.crt")
    """The CA that the endpoint is verified with."""

    timeout_seconds: float = Field(default=10, gt=0)
    """Seconds to wait for an answer."""


@dataclass(frozen=True)
class Settings:
    """All groups. Only `load` reads the environment."""

    tracking: Tracking
    training: Training
    serving: Serving
    erp: Erp

    @classmethod
    def load(cls) -> Self:
        """Read the environment and `.env`.

        Raises:
            SettingsError: a value cannot be used; the message names the variable.
        """
        try:
            return cls(Tracking(), Training(), Serving(), Erp())
        except ValidationError as error:
            raise SettingsError(_one_line(error)) from None

    def environment(self) -> dict[str, str]:
        """The environment in which `load` gives these settings: for a process of its own."""
        return {
            f"{group.model_config['env_prefix']}{name}".upper(): str(value)
            for group in (self.tracking, self.training, self.serving, self.erp)
            for name, value in group
        }


def _one_line(error: ValidationError) -> str:
    first = error.errors(include_input=False)[0]
    variable = f"TERNA_{error.title}_{first['loc'][0]}".upper()
    return f"{variable}: {first['msg'].lower()}"
