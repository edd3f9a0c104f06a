"""`scripts/sbom`: parses, calls, prints."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.command import run
from sbom import images, wheels
from sbom.document import Bom, write
from sbom.licences import Licences, packages
from terna.errors import TernaError

FOLDER = Path("build/sbom")

out = Console()


def sbom(
    only_wheels: Annotated[
        bool, typer.Option("--wheels", help="Only the Python packages of .venv, no images.")
    ] = False,
) -> None:
    """Write a bill of materials for the wheels and for each image, and check all licences."""
    if found := sorted(set(_objections(Licences.load(), only_wheels))):
        raise TernaError("\n".join([f"{len(found)} packages may not be used:", *found]))


def _objections(licences: Licences, only_wheels: bool) -> Iterator[str]:
    environment = wheels.installed()
    known = licences.settle(environment)
    yield from licences.objections(environment)
    _write(wheels.shipped(environment, wheels.pinned()), "wheels")
    for image in [] if only_wheels else images.names():
        bom = images.contents(image)
        licences.settle(bom, known)
        yield from licences.objections(bom)
        yield from images.objections(image, bom)
        _write(bom, image.rpartition("/")[2].partition(":")[0])


def _write(bom: Bom, name: str) -> None:
    path = FOLDER / f"{name}.cdx.json"
    write(bom, path)
    out.print(f"{path}: {len(list(packages(bom)))} packages", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    run(sbom)
