"""The machine that is measured, and the programs that the bench needs on it."""

import os
import platform
import re
import shutil
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from terna.errors import TernaError

STREAM_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
PACKAGES = ("granian", "mlflow", "scikit-learn", "numpy")
PEERS = ("bentoml", "onnxruntime")


def check_programs() -> None:
    """Check that nothing is missing; else raise `TernaError` with the line to type."""
    found = {
        "wrk": program("wrk"),
        "nginx": program("nginx"),
        "libnginx-mod-stream": STREAM_MODULE.exists(),
    }
    missing = [name for name, there in found.items() if not there]
    if missing:
        raise TernaError(f"{', '.join(missing)} missing: sudo apt install {' '.join(missing)}")


def has_nginx() -> bool:
    """Also the module with which it reaches serving."""
    return bool(program("nginx")) and STREAM_MODULE.exists()


def program(name: str) -> str | None:
    """Return the path of a program; also where only root's PATH leads."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@cache
def nginx_version() -> tuple[int, ...]:
    """Return the version of the nginx that is installed."""
    done = subprocess.run(
        [program("nginx") or "nginx", "-v"], capture_output=True, text=True, check=True
    )
    found = re.search(r"nginx/([\d.]+)", done.stderr)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def cores() -> int:
    """Return those that this process may use."""
    return len(os.sched_getaffinity(0))


def describe(peers: str) -> dict[str, Any]:
    """Return what the figures depend on; `peers` are the peers' pinned requirements."""
    return {
        "day": datetime.now(UTC).date().isoformat(),
        "cores": cores(),
        "processor": _of("/proc/cpuinfo", r"model name\s*: (.+)"),
        "memory_gb": round(int(_of("/proc/meminfo", r"MemTotal:\s*(\d+)")) * 1024 / 1e9, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
        "nginx": ".".join(map(str, nginx_version())),
        **{name: version(name) for name in PACKAGES},
        **{name: _pinned(name, peers) for name in PEERS},
    }


def _of(file: str, pattern: str) -> str:
    found = re.search(pattern, Path(file).read_text())
    return found[1] if found else "0"


def _pinned(name: str, requirements: str) -> str:
    found = re.search(rf"^{name}==(\S+)", requirements, re.MULTILINE)
    return found[1] if found else "unknown"
