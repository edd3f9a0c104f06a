"""Server 1's Unix users: one for each person who has public keys, made while sshd runs.

The home folders are the record: who owns `/home/NAME` is NAME, also in a new container, and nobody
else ever gets that id. The database of users is written from them, and read by libnss-extrausers
beside the system's own, which goes first.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from terna.files import write_public
from terna.security.people import is_name

GROUP = "people"
"""The group of those who may log in: see services/training/sshd_config."""

GROUP_ID = 19_999
FIRST_ID = 20_000

COMMON_LOGIN = "training"
"""The login of sessions whose person has none."""


@dataclass(frozen=True)
class Places:
    """Where the container has what belongs to people."""

    secrets: Path = Path("/secrets")
    """The container's own secrets; in its folder `people` are public keys and passwords."""

    homes: Path = Path("/home")

    database: Path = Path("/var/lib/extrausers")

    own: Path = Path("/run/people")
    """The secrets that each person may read, in a folder named by the user's id."""

    system: Path = Path("/etc")
    """The system's own users and groups, and what a new home folder holds."""


def ensure_accounts(places: Places) -> None:
    """Make a user of each person who has public keys; others may log in no longer.

    Raises:
        OSError: a file cannot be read or written; what was made is as before.
    """
    people = sorted(_people(places))
    for name in people:
        _ensure_home(places, name)
    users = _users(places.homes)
    _write(places.database / "passwd", "".join(_passwd_line(*each) for each in users.items()))
    _write(places.database / "group", _groups(users, people))
    for name, user in users.items():
        if name in people:
            _ensure_secrets(places, name, user)
        else:
            shutil.rmtree(places.own / str(user), ignore_errors=True)


def _people(places: Places) -> Iterator[str]:
    taken = {
        line.partition(":")[0]
        for file in ("passwd", "group")
        for line in (places.system / file).read_text().splitlines()
    }
    for path in (places.secrets / "people").glob("*.pub"):
        if is_name(path.stem) and path.stem not in taken:
            yield path.stem


def _ensure_home(places: Places, name: str) -> None:
    """Make a home folder, owned by an id that nobody has had; an interrupted one is completed."""
    home, part = places.homes / name, places.homes / f".{name}.part"
    if home.exists() and owner(home) >= FIRST_ID:
        return
    user = max([FIRST_ID - 1, *_users(places.homes).values()]) + 1
    if not home.exists():
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(places.system / "skel", part)
        part.chmod(0o700)
        part.rename(home)
    for path in (*home.rglob("*"), home):  # the folder last: from then on it is another's
        os.chown(path, user, user)


def owner(path: Path) -> int:
    """Return the id of the user who owns a file."""
    return path.stat().st_uid


def _users(homes: Path) -> dict[str, int]:
    """Return the id of each person who has or had an account, by name."""
    owners = {home.name: owner(home) for home in sorted(homes.iterdir()) if is_name(home.name)}
    return {name: user for name, user in owners.items() if user >= FIRST_ID}


def _passwd_line(name: str, user: int) -> str:
    return f"{name}:*:{user}:{user}::/home/{name}:/bin/bash\n"


def _groups(users: Mapping[str, int], people: list[str]) -> str:
    own = "".join(f"{name}:*:{user}:\n" for name, user in users.items())
    return f"{GROUP}:*:{GROUP_ID}:{','.join(people)}\n{own}"


def _ensure_secrets(places: Places, name: str, user: int) -> None:
    """Give a person what sessions need of the container's secrets, and nobody else's."""
    folder, password = places.own / str(user), places.secrets / f"people/{name}.password"
    if not folder.exists():
        folder.mkdir(mode=0o750, parents=True)
        places.own.chmod(0o755)
        os.chown(folder, -1, user)
        folder.chmod(0o750)
    has_login = password.exists()
    if not has_login:
        password = places.secrets / "terna_tracking_password"
    for name_there, text in {
        "terna_tracking_user": name if has_login else COMMON_LOGIN,
        "terna_tracking_password": password.read_text(),
        "terna_tracking_promoting_user": "",  # a person promotes by the own login, or not at all
        "terna_training_optuna_storage": (
            places.secrets / "terna_training_optuna_storage"
        ).read_text(),
        "terna_training_table_key": str(folder / "table.key"),
        "table.key": (places.secrets / "table.key").read_text(),
    }.items():
        _write(folder / name_there, text)


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        write_public(path, text.encode())
