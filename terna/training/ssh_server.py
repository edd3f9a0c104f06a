"""Server 1's sshd: an account for each person, and who logs in goes to the audit log."""

import logging
import re
import signal
import subprocess
from collections.abc import Callable, Iterable, Sequence
from threading import Event, Thread

from terna.errors import SettingsError
from terna.security.audit import AuditLog
from terna.training.accounts import Places, ensure_accounts

logger = logging.getLogger("terna.ssh")

SSHD = ("/usr/sbin/sshd", "-D", "-e")
SECONDS = 2
"""How long a new person may wait for the account."""

ADDRESS = r"(?P<where>\S+ port \d+)"
EVENTS: Sequence[tuple[re.Pattern[str], str, str]] = [
    (re.compile(pattern), action, outcome)
    for pattern, action, outcome in (
        (rf"Accepted publickey for (?P<who>\S+) from {ADDRESS} ssh2: (?P<what>.+)", "log in", "ok"),
        # A name that a stranger made up may hold anything: the last address of the line is sshd's.
        (
            rf"Failed publickey for (?P<who>.*) from {ADDRESS} ssh2: (?P<what>.+)",
            "log in",
            "refused",
        ),
        (
            rf"\w[\w ]+ (?:invalid|authenticating) user (?P<who>.*) {ADDRESS} \[preauth\]",
            "log in",
            "refused",
        ),
        (rf"Starting session: (?P<what>.+) for (?P<who>\S+) from {ADDRESS} id \d+", "run", "ok"),
        (rf"\w[\w, ]+ (?:from|by) user (?P<who>\S+) {ADDRESS}", "log out", "ok"),
    )
]
"""What sshd says at `LogLevel VERBOSE`, and what it means."""

UNINTERESTING = (
    *("Connection from ", "Failed none ", "Postponed ", "Transferred: ", "User child is on pid "),
    *("Accepted key ", "Closing connection to ", "Received disconnect from "),
)
"""How lines begin that are left out of the container's log."""


def run(audit: AuditLog, places: Places) -> int:
    """Run sshd until it ends, and return its exit code.

    Raises:
        SettingsError: the accounts cannot be made.
    """
    try:
        ensure_accounts(places)
    except OSError as error:
        raise SettingsError(f"The accounts of server 1 cannot be made: {error}.") from error
    ended = Event()
    follower = Thread(target=follow, args=(lambda: ensure_accounts(places), ended.wait))
    with subprocess.Popen(SSHD, stderr=subprocess.PIPE, text=True, errors="replace") as sshd:
        signal.signal(signal.SIGTERM, lambda *_: sshd.terminate())
        follower.start()
        try:
            pass_on(sshd.stderr or (), audit)
        finally:
            ended.set()
            follower.join()
    return sshd.returncode


def follow(ensure: Callable[[], None], ended: Callable[[float], bool]) -> None:
    """Make the accounts of new people until sshd has ended; what fails is said once."""
    told = ""
    while not ended(SECONDS):
        try:
            ensure()
            told = ""
        except (OSError, SettingsError) as error:
            if str(error) != told:
                logger.error("accounts: %s", error)
            told = str(error)


def pass_on(lines: Iterable[str], audit: AuditLog) -> None:
    """Log what sshd says, and record who logs in and who is refused."""
    for line in map(str.rstrip, lines):
        if not line.startswith(UNINTERESTING):
            logger.info("%s", line)
        record(line, audit)


def record(line: str, audit: AuditLog) -> None:
    """Record the event of a line of sshd's, if it tells one."""
    for pattern, action, outcome in EVENTS:
        if found := pattern.fullmatch(line):
            parts = {"what": "", **found.groupdict()}
            try:
                audit.record(parts["who"], f"ssh: {action}", parts["what"], parts["where"], outcome)
            except SettingsError as error:
                logger.warning("%s", error)
            return
