"""The wheels that Terna is installed from, as `.venv` has them: requirements/local.txt."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sbom.document import VERSION, Bom, made_by
from terna import __version__

TOOL = str(Path(sys.executable).with_name("cyclonedx-py"))
OPTIONS = (
    *("--pyproject", "pyproject.toml", "--mc-type", "application"),
    *("--output-reproducible", "--no-validate", "--spec-version", VERSION),
)
PINS = "requirements/local.txt"


def installed() -> Bom:
    """Return what this environment has installed, tools for development too."""
    return made_by([TOOL, "environment", *OPTIONS, sys.executable])


def pinned() -> Bom:
    """Return what requirements/local.txt pins, each package with the hashes of its files."""
    return made_by([TOOL, "requirements", *OPTIONS, PINS])


def shipped(environment: Bom, pins: Bom) -> Bom:
    """Return what is both installed and pinned, with the hashes that pip has checked."""
    files = {each["purl"]: each["externalReferences"] for each in pins["components"]}
    components = [
        _with(each, files[each["purl"]])
        for each in environment["components"]
        if each["purl"] in files
    ]
    kept = {each["bom-ref"] for each in components}
    about = environment["metadata"]
    return environment | {
        "metadata": about | {"component": about["component"] | {"version": __version__}},
        "components": components,
        "dependencies": _among(kept | {about["component"]["bom-ref"]}, environment),
    }


def _with(component: Mapping[str, Any], files: list[Any]) -> dict[str, Any]:
    return {**component, "externalReferences": component.get("externalReferences", []) + files}


def _among(refs: set[str], bom: Bom) -> list[dict[str, Any]]:
    """Return who depends on whom, among these alone."""
    return [
        each | {"dependsOn": [ref for ref in each.get("dependsOn", []) if ref in refs]}
        for each in bom["dependencies"]
        if each["ref"] in refs
    ]
