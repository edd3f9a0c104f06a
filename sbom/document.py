"""A CycloneDX document: run the tool that makes it, validate it, write it."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from terna.errors import TernaError

Bom = dict[str, Any]

VERSION = "1.6"
"""The version of CycloneDX: the newest that all our tools write."""


def made_by(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Bom:
    """Return the document that a command prints.

    Raises:
        TernaError: it failed; with its last line.
    """
    return dict(json.loads(printed_by(command, environment)))


def printed_by(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Return what a command prints.

    Raises:
        TernaError: it failed; with its last line.
    """
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise TernaError(f"{command[0]} is not installed.") from error
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise TernaError(f"{Path(command[0]).name} fails: {why}")
    return done.stdout


def write(bom: Bom, path: Path) -> None:
    """Write a valid document: the same content, the same bytes.

    Raises:
        TernaError: it is none of CycloneDX's.
    """
    text = json.dumps(bom, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        first = str(wrong).splitlines()[0]
        raise TernaError(f"{path.name} would be no valid CycloneDX {VERSION}: {first}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
