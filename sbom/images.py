"""What is in an image: Debian's packages, Python's, and the modules of Go binaries."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from sbom.document import VERSION, Bom, made_by, printed_by
from sbom.licences import package, packages
from terna.errors import TernaError

TOOL = str(Path(sys.executable).with_name("syft"))
CATALOGERS = "dpkg-db-cataloger,python-installed-package-cataloger,go-module-binary-cataloger"
MAIN = "main"
"""The part of Debian's archive whose packages all meet its Free Software Guidelines."""


def names() -> list[str]:
    """Return the images of docker-compose.yml, each once.

    Raises:
        TernaError: Docker Compose is not there.
    """
    return sorted(set(_docker("compose", "config", "--images").split()))


def contents(image: str) -> Bom:
    """Return what an image holds, without what differs between two looks at it.

    Raises:
        TernaError: there is no such image, or no Docker engine.
    """
    if not _docker("image", "ls", "--quiet", image):
        raise TernaError(f"There is no image {image} yet: docker compose build")
    how = ("--quiet", "--override-default-catalogers", CATALOGERS)
    offline = os.environ | {"SYFT_CHECK_FOR_APP_UPDATE": "false"}
    scan = [TOOL, "scan", f"docker:{image}", *how, "--output", f"cyclonedx-json@{VERSION}"]
    bom = made_by(scan, offline)
    del bom["serialNumber"], bom["metadata"]["timestamp"]
    return bom


def objections(image: str, bom: Bom) -> Iterator[str]:
    """Yield a line for each package that is not from Debian's `main`."""
    areas = _areas(image)
    for each in packages(bom):
        if package(each).startswith("deb/") and (area := areas[each["name"]]) != MAIN:
            yield f"{package(each)} {each['version']}: from Debian's {area}, not from its {MAIN}"


def area_of(section: str) -> str:
    """Return the area of Debian's archive that a section is in: `non-free/net` is in non-free."""
    area, slash, _ = section.partition("/")
    return area if slash else MAIN


def _areas(image: str) -> dict[str, str]:
    query = ("dpkg-query", image, "--show", "--showformat", "${Package} ${Section}\n")
    listed = _docker("run", "--rm", "--network=none", "--entrypoint", *query)
    return {name: area_of(section) for name, section in map(str.split, listed.splitlines())}


def _docker(*arguments: str) -> str:
    try:
        return printed_by(["docker", *arguments])
    except TernaError as error:
        raise TernaError(f"{error} Without an engine: scripts/sbom --wheels") from error
