"""Every error that Terna raises on purpose.

TernaError                      one line for a person, that says what to do next
├── SettingsError               a setting or an option that cannot be used
├── PortTaken                   another process listens there
├── DataError                   a table or target that cannot be trained on
├── PhaseMissing                a training phase whose predecessor has not run
├── TrackingUnreachable         the tracking server does not answer
├── TrackingRefused             the tracking server answers, and says no
├── OptunaStorageUnreachable          Optuna's database does not answer
├── ServingUnreachable          the serving server does not answer
├── NotCompilable               a model that only its own library can answer for
├── ModelRejected                a model version that may not serve
│   ├── SignatureInvalid        ... its files are not what training signed
│   ├── LoadFailed              ... it cannot be loaded
│   ├── ReferenceMismatch       ... it answers other than training recorded
│   └── TooSlow                 ... it is many times slower than its predecessor
└── RequestError                what a client of serving is told, with its HTTP status
    ├── BadRequest              400
    │   └── InvalidParameter    ... rows or parameters that the signature does not take
    ├── PredictionFailed        400
    ├── NotFound                404
    ├── MethodNotAllowed        405
    ├── PayloadTooLarge         413
    ├── UnsupportedMediaType    415
    ├── InternalError           500
    ├── NoModel                 503
    ├── Overloaded              503
    └── TimedOut                504
"""


class TernaError(Exception):
    """One line for a person, that says what to do next."""


class SettingsError(TernaError):
    """A setting or an option that cannot be used."""


class PortTaken(TernaError):
    """Another process listens there."""


class DataError(TernaError):
    """A table or target that cannot be trained on."""


class PhaseMissing(TernaError):
    """A training phase whose predecessor has not run."""


class TrackingUnreachable(TernaError):
    """The tracking server does not answer."""


class TrackingRefused(TernaError):
    """The tracking server answers, and says no."""


class OptunaStorageUnreachable(TernaError):
    """Optuna's database does not answer."""


class ServingUnreachable(TernaError):
    """The serving server does not answer."""


class NotCompilable(TernaError):
    """Only the model's own library can answer for it; the message says why, in one line."""


class ModelRejected(TernaError):
    """A model version that may not serve."""


class SignatureInvalid(ModelRejected):
    """The model's files are not what training signed."""


class LoadFailed(ModelRejected):
    """The model cannot be loaded."""


class ReferenceMismatch(ModelRejected):
    """The model answers other than training recorded."""


class TooSlow(ModelRejected):
    """The model is many times slower than its predecessor."""


class RequestError(TernaError):
    """What a client of serving is told, with its HTTP status and MLflow's error code."""

    status: int
    error_code: str
    headers: tuple[tuple[str, str], ...] = ()
    """What the answer's headers say beyond its status."""


class BadRequest(RequestError):
    status = 400
    error_code = "BAD_REQUEST"


class InvalidParameter(BadRequest):
    """Rows or parameters that the model's signature does not take."""

    error_code = "INVALID_PARAMETER_VALUE"


class PredictionFailed(RequestError):
    """The model failed on these rows, which MLflow takes for a bad request.

    A model that fails with an error of MLflow's chooses the code itself.
    """

    status = 400
    error_code = "BAD_REQUEST"

    def __init__(self, message: str, status: int = status, error_code: str = error_code) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code


class NotFound(RequestError):
    status = 404
    error_code = "ENDPOINT_NOT_FOUND"


class MethodNotAllowed(RequestError):
    status = 405
    error_code = "BAD_REQUEST"

    def __init__(self, message: str, allowed: str) -> None:
        """
        Args:
            allowed: the methods that the path answers, as the header `Allow` lists them.
        """
        super().__init__(message)
        self.headers = (("allow", allowed),)


class PayloadTooLarge(RequestError):
    status = 413
    error_code = "BAD_REQUEST"


class UnsupportedMediaType(RequestError):
    status = 415
    error_code = "BAD_REQUEST"


class InternalError(RequestError):
    status = 500
    error_code = "INTERNAL_ERROR"


class NoModel(RequestError):
    status = 503
    error_code = "TEMPORARILY_UNAVAILABLE"
    headers = (("retry-after", "10"),)


class Overloaded(RequestError):
    status = 503
    error_code = "TEMPORARILY_UNAVAILABLE"
    headers = (("retry-after", "1"),)


class TimedOut(RequestError):
    status = 504
    error_code = "DEADLINE_EXCEEDED"
