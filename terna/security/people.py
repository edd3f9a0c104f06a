"""The people who may log in to server 1: a file of public keys each, and a login of their own.

`secrets/training/people/NAME.pub` makes the user NAME there, from the next moment on, and without
the file NAME's next login is refused. No folder or command but these files knows who is a person.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from terna.errors import SettingsError
from terna.files import write_public

FOLDER = "training/people"
LOGINS = "tracking/logins/people"

NAME = re.compile("[a-z][a-z0-9_-]{0,30}")
"""The names of users that every Linux program takes: see useradd(8)."""

_SYSTEMS = """
adm admin audio backup bin cdrom crontab daemon dialout dip disk fax floppy games gnats health
input irc kmem kvm list lp mail man messagebus news nobody nogroup operator people plugdev
promoting proxy render root sasl serving sgx shadow signer src ssh sshd staff sudo sync sys
syslog systemd-journal systemd-network systemd-resolve systemd-timesync tape terna tracking
training tty users utmp uucp video voice www-data
"""
RESERVED = frozenset(_SYSTEMS.split())
"""Users and groups of server 1 itself, and logins of the tracking server's own."""

RSA = "ssh-rsa"
SECURITY_KEYS = ("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")
TYPES = ("ssh-ed25519", RSA, *SECURITY_KEYS)
"""The types of keys that sshd takes: see services/training/sshd_config."""

RSA_BITS = 3072


@dataclass(frozen=True)
class Key:
    """A person's public key."""

    person: str
    type: str
    fingerprint: str
    comment: str
    line: str
    """As it stands in a file of authorized keys."""


def add(secrets: Path, name: str, file: Path, may_promote: bool = False) -> list[Key]:
    """Let a person log in with the public keys of a file, beside those that the person has.

    Args:
        secrets: the checkout's folder.
        may_promote: whether the person's login may put versions into production, from now on.

    Returns:
        All of the person's keys.

    Raises:
        SettingsError: the name or a key cannot be used, or a file cannot be read or written.
    """
    _check_name(name)
    given = read_keys(name, _text(file), str(file))
    try:
        known = keys_of(secrets, name)
        new = [key for key in given if key.fingerprint not in {one.fingerprint for one in known}]
        write_keys(secrets, name, [*known, *new])
        ensure_login(secrets, name, may_promote)
    except OSError as error:
        raise SettingsError(f"{name} cannot be added: {error}.") from None
    return [*known, *new]


def remove(secrets: Path, name: str) -> None:
    """Refuse a person's next login; what the person has in the home folder is kept.

    Raises:
        SettingsError: there is no such person, or the files cannot be removed.
    """
    _check_name(name)
    path = _path(secrets, name)
    if not path.exists():
        raise SettingsError(f"There is no person {name}: `terna people list` shows who there is.")
    try:
        for each in (path, path.with_suffix(".password"), secrets / LOGINS / name):
            each.unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(f"{name} cannot be removed: {error}.") from None


def names(secrets: Path) -> list[str]:
    """Return the names of all people."""
    return sorted(path.stem for path in (secrets / FOLDER).glob("*.pub"))


def keys_of(secrets: Path, name: str) -> list[Key]:
    """Return a person's keys, none where there is no such person.

    Raises:
        SettingsError: the file cannot be read, or holds a key that sshd does not take.
    """
    path = _path(secrets, name)
    return read_keys(name, _text(path), str(path)) if path.exists() else []


def ensure_people(secrets: Path, first: str, keys: str) -> None:
    """Make the first person where there is nobody yet, who may promote; and missing logins."""
    everybody = names(secrets)
    if not everybody:
        write_keys(secrets, first, read_keys(first, keys, first))
    for name in everybody or [first]:
        ensure_login(secrets, name, may_promote=name == first)


def write_keys(secrets: Path, name: str, keys: list[Key]) -> None:
    """Replace a person's file of public keys; make its folder."""
    # The folder above is closed to everybody but the service, which is not the owner's group.
    (secrets / FOLDER).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_public(_path(secrets, name), "".join(f"{key.line}\n" for key in keys).encode())


def ensure_login(secrets: Path, name: str, may_promote: bool) -> None:
    """Make a person's login where it is missing: for the tracking server, and for server 1."""
    login, old = secrets / LOGINS / name, []
    if login.exists():
        old = login.read_text().split()
    password = old[0] if old else token_urlsafe(32)
    rights = ["promoting"] if may_promote or "promoting" in old else []
    login.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_public(login, " ".join([password, *rights]).encode())
    write_public(_path(secrets, name).with_suffix(".password"), password.encode())


def read_keys(name: str, text: str, source: str) -> list[Key]:
    """Return the keys of a text of one or more lines, as a `.pub` file has them.

    Raises:
        SettingsError: there is none, or one that sshd does not take; the message names the line.
    """
    if "PRIVATE KEY" in text:
        raise SettingsError(f"{source} is a private key: give the .pub file beside it.")
    lines = {number: line.strip() for number, line in enumerate(text.splitlines(), 1)}
    keys = [
        _key(name, line, f"{source}, line {number}")
        for number, line in lines.items()
        if line and not line.startswith("#")
    ]
    if not keys:
        raise SettingsError(f"{source} holds no public key: give a .pub file of ssh-keygen.")
    return keys


def is_name(name: str) -> bool:
    """Return whether a person may have this name."""
    return bool(NAME.fullmatch(name)) and name not in RESERVED


def _key(person: str, line: str, where: str) -> Key:
    kind, encoded, comment = [*line.split(maxsplit=2), "", ""][:3]
    if kind not in TYPES:
        raise SettingsError(f"{where} is no key of a type that server 1 takes: {', '.join(TYPES)}.")
    try:
        key = load_ssh_public_key(f"{kind} {encoded}".encode())
        blob = base64.b64decode(encoded, validate=True)
    except (ValueError, UnsupportedAlgorithm, binascii.Error):
        raise SettingsError(f"{where} is no whole public key.") from None
    if isinstance(key, RSAPublicKey) and key.key_size < RSA_BITS:
        raise SettingsError(
            f"{where} is an RSA key of {key.key_size} bits, and server 1 takes {RSA_BITS} or more:"
            " ssh-keygen -t ed25519 makes a better one."
        )
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    comment = "".join(c for c in comment if c.isprintable())
    return Key(person, kind, f"SHA256:{digest}", comment, f"{kind} {encoded} {comment}".strip())


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise SettingsError(
            f"A person's name is up to 31 small letters, digits, _ and -, a letter first, not"
            f" {name!r}."
        )
    if name in RESERVED:
        raise SettingsError(f"{name} is a user of the system's own: choose another name.")


def _path(secrets: Path, name: str) -> Path:
    return secrets / FOLDER / f"{name}.pub"


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError(f"{file} cannot be read: {reason}.") from None
