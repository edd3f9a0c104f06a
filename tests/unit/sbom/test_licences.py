"""Licences: what a package's is, and whether it may have it."""

import re
from dataclasses import replace
from typing import Any

import pytest
from license_expression import get_spdx_licensing

from sbom.licences import Licences
from tests.checkout import ROOT

LICENCES = Licences(
    allowed=frozenset({"MIT", "Apache-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"}),
    accepted={"AGPL-3.0-only": ["golang/github.com/minio/*"]},
    names={"License :: OSI Approved :: MIT License": "MIT", "GPL-3.0": "GPL-3.0-only"},
    packages={"pypi/known": "MIT", "deb/known": "LGPL-2.1-or-later"},
)
"""Rules of these tests, apart from those that count."""

MIT_CLASSIFIER = {"license": {"name": "License :: OSI Approved :: MIT License"}}


def component(name: str, *licences: dict[str, Any], kind: str = "pypi") -> dict[str, Any]:
    return {
        "name": name,
        "version": "1.0",
        "purl": f"pkg:{kind}/{name}@1.0",
        "licenses": list(licences),
    }


def spdx(identifier: str) -> dict[str, Any]:
    return {"license": {"id": identifier}}


def expression(text: str) -> dict[str, Any]:
    return {"expression": text}


def objections(*components: dict[str, Any]) -> list[str]:
    return list(LICENCES.objections({"components": list(components)}))


# ---- what it is -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("licences", "found"),
    [
        ([spdx("MIT")], "MIT"),
        ([expression("MIT OR Apache-2.0")], "MIT OR Apache-2.0"),
        ([spdx("MIT"), spdx("Apache-2.0")], "Apache-2.0 AND MIT"),
        ([spdx("GPL-3.0")], "GPL-3.0-only"),
        ([MIT_CLASSIFIER], "MIT"),
        ([MIT_CLASSIFIER, spdx("Apache-2.0")], "Apache-2.0"),
        ([MIT_CLASSIFIER, {"license": {"name": "Something"}}], ""),
        ([{"license": {"name": "Something"}}], ""),
        ([], ""),
    ],
)
def test_licence_is_what_the_package_says_in_spdx_terms(licences: list[Any], found: str) -> None:
    assert LICENCES.expression(component("a", *licences)) == found


def test_what_is_known_of_a_package_goes_before_what_it_says_itself() -> None:
    assert LICENCES.expression(component("Known", spdx("Apache-2.0"))) == "MIT"


def test_settled_document_has_one_expression_for_each_package() -> None:
    bom = {"components": [component("a", MIT_CLASSIFIER), component("b"), {"name": "debian"}]}

    assert LICENCES.settle(bom) == {"pypi/a": "MIT", "pypi/b": ""}
    assert [each.get("licenses") for each in bom["components"]] == [[expression("MIT")], [], None]


def test_licence_that_is_known_from_elsewhere_is_written_too() -> None:
    bom = {"components": [component("typing_extensions")]}

    LICENCES.settle(bom, {"pypi/typing-extensions": "PSF-2.0"})

    assert bom["components"][0]["licenses"] == [expression("PSF-2.0")]


def test_debians_package_keeps_the_licences_of_all_its_files() -> None:
    listed = [spdx("MIT"), {"license": {"name": "public-domain"}}]
    bom = {"components": [component("libc6", *listed, kind="deb")]}

    LICENCES.settle(bom)

    assert bom["components"][0]["licenses"] == listed


# ---- whether it may ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "allowed",
    [
        component("a", spdx("MIT")),
        component("a", expression("(MIT AND Apache-2.0) OR GPL-3.0-only")),
        component("a", expression("GPL-2.0-only WITH Classpath-exception-2.0")),
        component("github.com/minio/minio", spdx("AGPL-3.0-only"), kind="golang"),
        component("libc6", {"license": {"name": "public-domain"}}, kind="deb"),
        component("known", kind="deb"),
    ],
    ids=lambda found: f"{found['name']} {found['licenses']}",
)
def test_allowed_licence_meets_no_objection(allowed: dict[str, Any]) -> None:
    assert objections(allowed) == []


@pytest.mark.parametrize(
    "refused",
    [
        spdx("GPL-3.0-only"),
        spdx("AGPL-3.0-only"),
        expression("MIT AND GPL-3.0-only"),
        expression("GPL-2.0-only"),
        expression("MIT WITH Classpath-exception-2.0"),
        expression("MIT AND ("),
    ],
    ids=str,
)
def test_licence_that_is_not_allowed_is_one_line_that_names_the_package(
    refused: dict[str, Any],
) -> None:
    (line,) = objections(component("a", spdx("MIT")), component("copyleft", refused))
    assert line.startswith("pypi/copyleft 1.0: ")
    assert "sbom/licences.toml" in line
    assert "\n" not in line


@pytest.mark.parametrize("kind", ["pypi", "golang", "deb"])
def test_unknown_licence_is_one_line_that_names_the_package(kind: str) -> None:
    assert objections(component("strange", kind=kind)) == [
        f"{kind}/strange 1.0: unknown licence, to be added to sbom/licences.toml"
    ]


# ---- the rules that count ---------------------------------------------------------------------


def all_expressions(licences: Licences) -> set[str]:
    return {*licences.allowed, *licences.accepted, *licences.names.values()}.union(
        licences.packages.values()
    )


def test_rules_name_licences_as_spdx_does() -> None:
    licensing = get_spdx_licensing()
    wrong = {
        name: errors
        for name in all_expressions(Licences.load()) - {"LicenseRef-BSD"}
        if (errors := licensing.validate(name).errors)
    }
    assert not wrong


def test_rules_allow_what_they_say_of_packages() -> None:
    licences = Licences.load()
    named = [name.partition("/") for name in licences.packages if not name.startswith("deb/")]
    bom = {"components": [component(name, kind=kind) for kind, _, name in named]}
    assert list(licences.objections(bom)) == []


def test_rules_without_an_exception_refuse_who_needs_it() -> None:
    licences = replace(Licences.load(), accepted={})
    bom = {"components": [component("github.com/minio/minio", kind="golang")]}
    assert len(list(licences.objections(bom))) == 1


def test_each_python_package_of_the_rules_is_one_that_we_install() -> None:
    licences = Licences.load()
    exceptions = (name for names in licences.accepted.values() for name in names)
    named = {name for name in [*licences.packages, *exceptions] if name.startswith("pypi/")}
    pins = re.findall(r"^([\w.-]+)==", (ROOT / "requirements/dev.txt").read_text(), re.MULTILINE)
    assert named
    assert named <= {f"pypi/{name}" for name in pins}
