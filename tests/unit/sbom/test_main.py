"""`scripts/sbom`: what it writes and how it ends, for an environment of two packages."""

import json
from pathlib import Path
from typing import Any

import pytest

from sbom import wheels
from sbom.__main__ import sbom
from sbom.document import Bom
from terna.errors import TernaError

FILES = {"type": "distribution", "url": "https://localhost/"}


def component(name: str, licence: str) -> dict[str, Any]:
    return {
        "bom-ref": name,
        "type": "library",
        "name": name,
        "version": "1.0",
        "purl": f"pkg:pypi/{name}@1.0",
        "licenses": [{"license": {"id": licence}}],
    }


def install(monkeypatch: pytest.MonkeyPatch, *components: dict[str, Any]) -> None:
    """Let these be what is installed; the first of them is pinned too."""
    pinned = {"components": [components[0] | {"externalReferences": [FILES]}]}
    installed: Bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"bom-ref": "root", "type": "application", "name": "terna"}},
        "components": list(components),
        "dependencies": [{"ref": "root", "dependsOn": [each["name"] for each in components]}],
    }
    monkeypatch.setattr(wheels, "installed", lambda: installed)
    monkeypatch.setattr(wheels, "pinned", lambda: pinned)


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_allowed_licences_end_well(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    install(monkeypatch, component("shipped", "MIT"), component("tool", "ISC"))

    sbom(only_wheels=True)

    written = json.loads((folder / "build/sbom/wheels.cdx.json").read_text())
    assert [each["name"] for each in written["components"]] == ["shipped"]
    assert written["components"][0]["licenses"] == [{"expression": "MIT"}]
    assert written["dependencies"] == [{"ref": "root", "dependsOn": ["shipped"]}]


def test_each_package_that_may_not_be_used_is_a_line_of_the_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch, component("shipped", "SSPL-1.0"), component("tool", "AGPL-3.0-only"))

    with pytest.raises(TernaError) as raised:
        sbom(only_wheels=True)

    first, *lines = str(raised.value).splitlines()
    assert first == "2 packages may not be used:"
    assert [line.partition(":")[0] for line in lines] == ["pypi/shipped 1.0", "pypi/tool 1.0"]
