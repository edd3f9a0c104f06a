"""Every setting of Terna, one group per server. The only reader of `TERNA_…` variables, but for
the one that an image has from its build: see cli/version.py.

A setting `port` of the group `serving` is the environment variable `TERNA_SERVING_PORT`, or a line
of that name in a file `.env` of the working directory. `.env.example` lists them all.

Variables of other programs are set where these are started or called: MLflow's in
registry/client.py and tracking/server.py, prometheus_client's in serving/metrics.py.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from terna.errors import SettingsError

SECRETS = ("/secrets", f"/run/people/{os.getuid()}")
"""The folders of a container's own secrets, and of a person who is logged in to it. A file there
that is named like a variable, in small letters, is that setting: so no password is in an
environment."""

DEFAULT_MODEL = "rfc_tune"
"""The registered model that is trained and served where nothing else is named."""


def _group(prefix: str) -> SettingsConfigDict:
    return SettingsConfigDict(
        env_prefix=prefix,
        env_file=".env",
        secrets_dir=[folder for folder in SECRETS if os.access(folder, os.R_OK | os.X_OK)],
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
    )


class Tracking(BaseSettings):
    """Server 2: the MLflow tracking server, and how the others reach it."""

    model_config = _group("TERNA_TRACKING_")

    uri: str = "https://localhost:5000"
    """The tracking server's URL, for training and serving."""

    ca: Path = Path("certs/ca.crt")
    """The file of the CA that clients verify the tracking server with."""

    timeout_seconds: float = Field(default=10, gt=0)
    """Seconds that a client waits for one response."""

    user: str = "training"
    """The login of a client."""

    password: str = Field(default="", repr=False)
    """Its password; empty for that of the login's file in the folder of logins."""

    promoting_user: str = "promoting"
    """The login that promotes; empty for the client's own."""

    promoting_password: str = Field(default="", repr=False)
    """Its password; empty for that of the login's file in the folder of logins."""

    host: str = "127.0.0.1"
    """The address to listen on."""

    port: int = Field(default=5000, ge=1, le=65535)
    """The port to listen on."""

    backend_store_uri: str = Field(default="sqlite:///.terna/tracking/mlflow.db", repr=False)
    """The database of runs and registry: `sqlite:///…` or `postgresql://…`."""

    auth_database_uri: str = Field(
        default="sqlite:///.terna/tracking/logins.db", min_length=1, repr=False
    )
    """The database of the logins, another one than that of the runs."""

    logins_dir: Path = Path("secrets/tracking/logins")
    """The folder with the passwords: a file for each login, those of people in `people`."""

    artifacts_destination: str = ".terna/tracking/artifacts"
    """The store of artifacts: a folder or `s3://…`."""

    sts: str = ""
    """The URL of MinIO's STS, which gives credentials for the certificate; empty for AWS' ways."""

    allowed_hosts: str = "localhost,localhost:*,127.0.0.1,127.0.0.1:*"
    """The Host headers that the server accepts, separated by commas."""

    certificate: Path = Path("certs/tracking/tls.crt")
    """The server's certificate."""

    key: Path = Path("secrets/tracking/tls.key")
    """The certificate's private key."""


class Training(BaseSettings):
    """Server 1: training, where the command line does not say otherwise."""

    model_config = _group("TERNA_TRAINING_")

    workspace_dir: Annotated[Path, AfterValidator(Path.expanduser)] = Path(".terna/training")
    """The folder in which each phase writes what the next one reads, a folder per model."""

    table_key: Path = Path("secrets/training/table.key")
    """The key that tables in that folder are encrypted with."""

    data: str = Field(default="", repr=False)
    """The table to train on where no `--data` names one, such as a database URL with a password."""

    experiment: str = "terna"
    """The MLflow experiment that the runs are logged to."""

    trials: int = Field(default=50, ge=1)
    """The number of candidates that `terna tune` tries."""

    folds: int = Field(default=5, ge=2)
    """The number of cross-validation folds."""

    seed: int = 0
    """The seed of every random choice: the same table gives the same model."""

    reference_rows: Literal["synthetic", "holdout"] = "synthetic"
    """What serving asks a version before it may answer: made-up rows, or rows of the hold-out."""

    optuna_storage: str = Field(default="", repr=False)
    """The URL of Optuna's database, from which an interrupted search continues; empty for none."""

    model_seconds: float = Field(default=300, gt=0)
    """Seconds that a model may take to be loaded and asked, in a child process."""

    model_bytes: int = Field(default=4_000_000_000, ge=500_000_000)
    """Bytes of memory that a model may take there."""

    signing_key: Path = Path("secrets/training/signing.key")
    """The private key that model versions are signed with."""

    signer: str = ""
    """The socket of the signer, which holds that key; empty where the key's file is read."""

    signing_public_key: Path = Path("certs/training/signing.pub")
    """Its public key, with which the version in production is verified before it is compared."""

    release_key: Path = Path("secrets/release/release.key")
    """The private key that releases model versions which hold code; not on the training server."""

    release_public_key: Path = Path("certs/training/release.pub")
    """Its public key, with which `terna promote` finds out whether a version was released."""


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
    """The number of worker processes; each has the model in memory."""

    threads: int = Field(default=2, ge=1)
    """Predictions that one worker computes at a time; one of many rows runs beside them."""

    max_queue: int = Field(default=64, ge=0)
    """Requests that may wait in each worker's queue; one more is answered 503 at once."""

    timeout_seconds: float = Field(default=25, gt=0)
    """Seconds after which a prediction is answered 504; the reverse proxy waits for 30."""

    pyfunc_memory_bytes: int = Field(default=1_000_000_000, ge=1)
    """Bytes that a prediction by pyfunc may take on top of the loaded model; else it fails."""

    drain_seconds: int = Field(default=20, ge=1)
    """Seconds that requests in flight have when the server is told to stop."""

    cache_dir: Path = Path(".terna/serving")
    """The folder of the model cache: verified directories of the versions served."""

    poll_seconds: float = Field(default=2, gt=0)
    """Seconds between two requests to the registry."""

    max_slowdown: float = Field(default=10, ge=0)
    """How many times slower than its predecessor a new version may be; 0 for no limit."""

    validation_seconds: float = Field(default=120, gt=0)
    """Seconds that the validation of a version may take; one that takes longer is rejected."""

    validation_bytes: int = Field(default=4_000_000_000, ge=500_000_000)
    """Bytes of memory that the validation of a version may take."""

    max_model_bytes: int = Field(default=2_000_000_000, ge=1)
    """Bytes that the files of a version may have together; a larger one is not downloaded."""

    compile: bool = True
    """Whether models are compiled; if not, the backend of every version is pyfunc."""

    max_body_bytes: int = Field(default=10_000_000, ge=1)
    """The largest request body, in bytes; a larger one is answered 413."""

    max_bytes_in_flight: int = Field(default=100_000_000, ge=1)
    """Bytes of bodies above 64 KB that one worker holds; more are answered 503 at once."""

    max_connections_per_peer: int = Field(default=512, ge=1)
    """Connections of one IP address to each worker; the newest above them are closed."""

    body_timeout_seconds: float = Field(default=30, gt=0)
    """Seconds that a request's body has to arrive; a slower one is answered 408."""

    idle_timeout_seconds: float = Field(default=30, gt=0)
    """Seconds after which a connection without a request is closed; the reverse proxy: after 20."""

    verify_key: Path = Path("certs/serving/signing.pub")
    """The public key that the signatures of model versions are verified with."""

    release_verify_key: Path = Path("certs/serving/release.pub")
    """The public key that the release of model versions which hold code is verified with."""

    require_release: bool = True
    """Whether model versions which hold code (pickles, Python) serve only if they were released."""

    api_keys: Path = Path("secrets/serving/api-keys.json")
    """The file of the API keys that callers may use, as digests."""

    client_certificates: bool = True
    """Whether the port takes only clients with a certificate of the platform's CA."""

    client_ca: Path = Path("certs/serving/ca.crt")
    """The file of that CA."""

    min_tls: Literal["1.2", "1.3"] = "1.3"
    """The oldest version of TLS that a client may use."""

    certificate: Path = Path("certs/serving/tls.crt")
    """The server's certificate."""

    key: Path = Path("secrets/serving/tls.key")
    """The certificate's private key."""


class Erp(BaseSettings):
    """Server 3: the ERP, and its client of the serving server."""

    model_config = _group("TERNA_ERP_")

    endpoint: str = "https://localhost:8124/invocations"
    """The URL that predictions are asked of."""

    ca: Path = Path("certs/ca.crt")
    """The file of the CA that the endpoint is verified with."""

    api_key_file: Path = Path("secrets/api-keys/erp")
    """The file of the API key that the client sends."""

    certificate: Path = Path("certs/erp/tls.crt")
    """The client's certificate, which serving's port asks for, and the reverse proxy does not."""

    key: Path = Path("secrets/erp/tls.key")
    """The certificate's private key."""

    timeout_seconds: float = Field(default=10, gt=0)
    """Seconds that the client waits for one response."""

    customers: bool = True
    """Whether the ERP begins with the demo's customers, whose names are invented."""


class Audit(BaseSettings):
    """All servers: who did what."""

    model_config = _group("TERNA_AUDIT_")

    log: Path = Path(".terna/audit.jsonl")
    """The audit log: a file, or the socket of a syslog daemon that writes it."""


@dataclass(frozen=True)
class Settings:
    """All groups of settings."""

    tracking: Tracking
    training: Training
    serving: Serving
    erp: Erp
    audit: Audit

    @classmethod
    def load(cls) -> Self:
        """Read the settings from the environment and `.env`.

        Raises:
            SettingsError: a value cannot be used; the message names the variable.
        """
        try:
            return cls(Tracking(), Training(), Serving(), Erp(), Audit())
        except ValidationError as error:
            raise SettingsError(_one_line(error)) from None

    def environment(self) -> dict[str, str]:
        """Return the variables with which another process loads the same settings."""
        return {
            f"{group.model_config['env_prefix']}{name}".upper(): str(value)
            for group in (self.tracking, self.training, self.serving, self.erp, self.audit)
            for name, value in group
        }


def _one_line(error: ValidationError) -> str:
    first = error.errors(include_input=False)[0]
    variable = f"TERNA_{error.title}_{first['loc'][0]}".upper()
    return f"{variable}: {first['msg'].lower()}"
