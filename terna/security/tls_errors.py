"""Why TLS was refused, where time is the reason: a certificate that expired, or a wrong clock."""

from collections.abc import Iterator
from datetime import UTC, datetime

RENEW = "`terna certificates` makes a new one; in containers it is the service `renew` that does"

_REASONS = {
    # Of OpenSSL, in `ssl.SSLCertVerificationError`, as libraries pass it on.
    "certificate has expired": "Its certificate has expired, or {clock}: {renew}.",
    "certificate is not yet valid": "Its certificate is not valid yet, so {clock}: set the clock.",
    # The alert of a server that asks its clients for one.
    "alert certificate expired": "It says that this client's own certificate has expired, or one of"
    " the two clocks is wrong ({clock}): {renew}.",
    # Of libpq, which does not say why.
    "SSL error: certificate verify failed": "Its certificate has expired, or is not of the CA that"
    " is expected, or {clock}: {renew}.",
}


def explain(error: BaseException) -> str:
    """Return one line that says so, and what to do, if an error comes of a certificate's time.

    It is empty for all others. What is read are the texts of the error and of its causes: each
    library wraps OpenSSL's error in its own.
    """
    text = " ".join(str(each) for each in _chain(error)).replace("_", " ").lower()
    for reason, line in _REASONS.items():
        if reason.lower() in text:
            clock = (
                f"this machine's clock is wrong, which says {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
            )
            return line.format(clock=clock, renew=RENEW)
    return ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
