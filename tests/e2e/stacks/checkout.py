"""A fresh clone of this repository, and the ordinary user whose clone it is."""

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from tests.checkout import ROOT
from tests.engine import SOCKET, docker

SECONDS = 900


class Checkout:
    """The files of this checkout in a folder of their own, with nothing generated beside them.

    It belongs to an ordinary user who may talk to the Docker engine and types the commands: who
    runs the tests, or `nobody` where that is root.
    """

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="terna-"))
        self.root = self._home / "terna"
        self._rights: dict[str, Any] = {}

    def __enter__(self) -> Self:
        try:
            _clone(self.root)
            if os.geteuid() == 0:
                self._give_to(pwd.getpwnam("nobody"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._home)

    @property
    def owner(self) -> int:
        return self.root.stat().st_uid

    def write(self, name: str, content: bytes) -> Path:
        """Make a file of the owner's, in the folder that holds the clone."""
        path = self._home / name
        path.write_bytes(content)
        os.chown(path, self.owner, self.root.stat().st_gid)
        return path

    def run(
        self, command: Sequence[str] | str, environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a command, or a shell's line, in the clone and as its owner."""
        return subprocess.run(
            command,
            shell=isinstance(command, str),
            cwd=self.root,
            env=os.environ | {"HOME": str(self._home)} | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
            **self._rights,
        )

    def _give_to(self, user: pwd.struct_passwd) -> None:
        self._bring_plugins()
        for path in (self._home, *self._home.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
        self._rights = {
            "user": user.pw_uid,
            "group": user.pw_gid,
            "extra_groups": [SOCKET.stat().st_gid],
        }

    def _bring_plugins(self) -> None:
        """Compose and buildx may be root's own plugins, which others cannot run."""
        plugins = self._home / ".docker/cli-plugins"
        plugins.mkdir(parents=True)
        for plugin in _plugins():
            shutil.copy(plugin, plugins)


def _clone(folder: Path) -> None:
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():  # a deleted one is listed until that is committed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def _plugins() -> list[str]:
    told = docker("info", "--format", "{{json .ClientInfo.Plugins}}")
    plugins: list[dict[str, str]] = json.loads(told)
    return [plugin["Path"] for plugin in plugins if plugin["Name"] in ("compose", "buildx")]
