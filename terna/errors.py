"""Every error that Terna raises on purpose.

TernaError                      one line for a person, that says what to do next
├── SettingsError               a setting or an option that cannot be used
├── PortTaken                   another process listens there
├── DataError                   a table or target that cannot be trained on
├── PhaseMissing                a training phase whose predecessor has not run
├── TrackingUnreachable         the tracking server does not answer
├── TrackingRefused             the tracking server answers, and says no
├── OptunaStorageUnreachable    Optuna's database does not answer
├── SignerUnreachable           the signer does not answer
├── ServingUnreachable          the serving server does not answer
│   └── ServingUnavailable      ... not now: it is busy, or has no model yet
├── ServingRefused              the serving server answers, and says no
├── NotCompilable               a model that only its own library can predict with
├── ModelRejected               a model version that may not serve
│   ├── SignatureInvalid        ... its files are not what training signed
│   ├── FilesRefused            ... its files are too many or too large
│   ├── FormatRefused           ... it holds code, and nobody has released it
│   ├── LoadFailed              ... it cannot be loaded
│   ├── ReferenceMismatch       ... it answers other than training recorded
│   ├── ValidationFailed        ... it ends or hangs the process that validates it
│   └── TooSlow                 ... it is many times slower than its predecessor
└── RequestError                a client of serving gets it, with its HTTP status
    ├── BadRequest              400
    │   └── InvalidParameter    ... rows or parameters that do not fit the model's schema
    ├── PredictionFailed        400
    ├── Unauthenticated         401
    ├── Forbidden               403
    ├── NotFound                404
    ├── MethodNotAllowed        405
    ├── RequestTimeout          408
    ├── PayloadTooLarge         413
    ├── UnsupportedMediaType    415
    │   └── UnknownEncoding     ... it is compressed in a way that the server does not read
    ├── TooManyRequests         429
    ├── ClientClosedRequest     499
    ├── InternalError           500
    ├── NoModel                 503
    ├── NotReady                503
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


class SignerUnreachable(TernaError):
    """The signer does not answer."""


class ServingUnreachable(TernaError):
    """The serving server does not answer."""


class ServingUnavailable(ServingUnreachable):
    """The serving server is busy, or has no model yet; it will answer later."""

    def __init__(self, message: str, retry_after: float) -> None:
        """Take the seconds after which it is worth asking again."""
        super().__init__(message)
        self.retry_after = retry_after


class ServingRefused(TernaError):
    """The serving server answers, and says no."""


class NotCompilable(TernaError):
    """Only the model's own library can predict with it; the message says why, in one line."""


class ModelRejected(TernaError):
    """A model version that may not serve."""


class SignatureInvalid(ModelRejected):
    """The model's files are not what training signed."""


class FilesRefused(ModelRejected):
    """The model's files are too many or too large."""


class FormatRefused(ModelRejected):
    """The model's files can run code when they are loaded, and the release key has not signed."""


class LoadFailed(ModelRejected):
    """The model cannot be loaded."""


class ReferenceMismatch(ModelRejected):
    """The model answers other than training recorded."""


class ValidationFailed(ModelRejected):
    """The model ends or hangs the process that validates it."""


class TooSlow(ModelRejected):
    """The model is many times slower than its predecessor."""


class RequestError(TernaError):
    """A client of serving gets it, with its HTTP status and MLflow's error code."""

    status: int
    error_code: str
    headers: tuple[tuple[str, str], ...] = ()
    """Headers of the response, as pairs of name and value."""


class BadRequest(RequestError):
    """The request is none that the server understands."""

    status = 400
    error_code = "BAD_REQUEST"


class InvalidParameter(BadRequest):
    """Rows or parameters that do not fit the model's schema."""

    error_code = "INVALID_PARAMETER_VALUE"


class PredictionFailed(RequestError):
    """The model failed on these rows, which is a bad request in MLflow's protocol.

    A model that raises an error of MLflow's chooses status and code itself.
    """

    status = 400
    error_code = "BAD_REQUEST"

    def __init__(self, message: str, status: int = status, error_code: str = error_code) -> None:
        """Take status and code of MLflow's error where the model raised one."""
        super().__init__(message)
        self.status = status
        self.error_code = error_code


class Unauthenticated(RequestError):
    """The request has no API key, or one that the server does not know."""

    status = 401
    error_code = "UNAUTHENTICATED"
    headers = (("www-authenticate", 'Bearer realm="terna"'),)


class Forbidden(RequestError):
    """The API key may not ask for this."""

    status = 403
    error_code = "PERMISSION_DENIED"


class NotFound(RequestError):
    """There is nothing at this path."""

    status = 404
    error_code = "ENDPOINT_NOT_FOUND"


class MethodNotAllowed(RequestError):
    """The path does not answer this method."""

    status = 405
    error_code = "BAD_REQUEST"

    def __init__(self, message: str, allowed: str) -> None:
        """Put `allowed`, the path's methods separated by commas, into the header `Allow`."""
        super().__init__(message)
        self.headers = (("allow", allowed),)


class RequestTimeout(RequestError):
    """The body took longer to arrive than the server waits for it."""

    status = 408
    error_code = "BAD_REQUEST"
    headers = (("connection", "close"),)


class PayloadTooLarge(RequestError):
    """The body is larger than the server takes."""

    status = 413
    error_code = "BAD_REQUEST"


class UnsupportedMediaType(RequestError):
    """The body's content type or encoding is none that the server reads."""

    status = 415
    error_code = "BAD_REQUEST"


class UnknownEncoding(UnsupportedMediaType):
    """The body is compressed in a way that the server does not read."""

    headers = (("accept-encoding", "gzip, deflate"),)


class TooManyRequests(RequestError):
    """The API key has sent more requests a second than it may."""

    status = 429
    error_code = "REQUEST_LIMIT_EXCEEDED"
    headers = (("retry-after", "1"),)


class ClientClosedRequest(RequestError):
    """The client went away while it sent its body: nobody gets this, it is for log and metrics.

    The status is the one that nginx logs then.
    """

    status = 499
    error_code = "BAD_REQUEST"


class InternalError(RequestError):
    """The server has failed; its log says why."""

    status = 500
    error_code = "INTERNAL_ERROR"


class NoModel(RequestError):
    """No model version is active yet."""

    status = 503
    error_code = "TEMPORARILY_UNAVAILABLE"
    headers = (("retry-after", "10"),)


class NotReady(RequestError):
    """The server answers, but a part of it hangs."""

    status = 503
    error_code = "TEMPORARILY_UNAVAILABLE"
    headers = (("retry-after", "5"),)


class Overloaded(RequestError):
    """The queue of predictions is full."""

    status = 503
    error_code = "TEMPORARILY_UNAVAILABLE"
    headers = (("retry-after", "1"),)


class TimedOut(RequestError):
    """The prediction took longer than the server waits for it."""

    status = 504
    error_code = "DEADLINE_EXCEEDED"

    def __init__(self, message: str = "Request processing time exceeded limit") -> None:
        """Say what MLflow says."""
        super().__init__(message)
