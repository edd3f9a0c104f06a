"""nginx in front of one server, with the repository's own configuration."""

import re
from collections.abc import Mapping
from pathlib import Path

from bench import machine
from bench.machine import STREAM_MODULE
from terna.errors import TernaError
from terna.processes import Process

NGINX = Path(__file__).parents[1] / "nginx"
HTTP2_ON = (1, 25, 1)
"""Before this version nginx did not know the line `http2 on`; wrk speaks HTTP/1.1 anyway."""
HYBRID = r"\?X25519MLKEM768:"
"""A group for handshakes, of which OpenSSL before 3.3, in Debian 12, cannot even read the "?"."""
UPSTREAM_SECONDS = re.compile(rb'"upstream_seconds":"([\d.]+)"')


def substitutions(
    folder: Path, certs: Path, secrets: Path, port: int, status: int, upstream: int
) -> dict[str, str]:
    """Return what the copy has differently: where things are, and one limit.

    The limits stay on; but 2000 requests a second are a client's, and the bench is one client.
    """
    known = machine.nginx_version() >= HTTP2_ON
    return {
        r"/certs/": f"{certs}/",
        r"/secrets/": f"{secrets}/",
        r"/tmp/": f"{folder}/",
        r"/opt/terna/nginx/": f"{folder}/modules/",
        r"listen 8443": f"listen 127.0.0.1:{port}",
        r"127\.0\.0\.1:8080": f"127.0.0.1:{status}",
        r"listen unix:/run/https[^;]*;": "",
        r"serving(?:-standby)?:8124;": f"127.0.0.1:{upstream};",
        r"rate=\d+r/s": "rate=1000000r/s",
        r"http2 on;": "http2 on;" if known else "",
        HYBRID: "",
    }


def copy(source: Path, folder: Path, changes: Mapping[str, str]) -> None:
    """Copy a folder of configuration with every match of a pattern replaced.

    Raises:
        TernaError: a pattern matches nothing: the source is no longer what it was.
    """
    pattern = re.compile("|".join(f"({each})" for each in changes))
    replacements, used = list(changes.values()), set[int]()

    def replaced(match: re.Match[str]) -> str:
        found = match.lastindex or 0
        used.add(found)
        return replacements[found - 1]

    for file in source.rglob("*.conf"):
        place = folder / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(pattern.sub(replaced, file.read_text()))
    unused = [each for number, each in enumerate(changes, 1) if number not in used]
    if unused:
        raise TernaError(
            f"{source} holds no {' nor '.join(unused)} any more: see bench/reverse_proxy.py"
        )


class ReverseProxy:
    """A running nginx with its configuration in a folder."""

    def __init__(self, folder: Path, log: Path, changes: Mapping[str, str]) -> None:
        self._log = log
        copy(NGINX, folder, changes)
        modules = folder / "modules"
        modules.mkdir()
        (modules / "stream.conf").write_text(f"load_module {STREAM_MODULE};\n")
        self.process = Process("nginx", {}, log, _command(folder))

    def forget_requests(self) -> None:
        """Empty the log."""
        with self._log.open("wb"):
            pass

    def logged_ms(self) -> list[float]:
        """Return the time that the server took for each request since then, as nginx logged it."""
        return [1000 * float(each) for each in UPSTREAM_SECONDS.findall(self._log.read_bytes())]


def _command(folder: Path) -> list[str]:
    nginx = machine.program("nginx") or "nginx"
    return [nginx, "-e", "stderr", "-c", f"{folder}/nginx.conf", "-g", "daemon off;"]
