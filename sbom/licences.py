"""The licence of a package as an SPDX expression, and whether it may have it: see licences.toml."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from license_expression import ExpressionError, Licensing

from sbom.document import Bom

Component = dict[str, Any]
"""A component of a CycloneDX document."""

RULES = Path(__file__).with_name("licences.toml")
PLACE = "sbom/licences.toml"
SPDX = Licensing()


@dataclass(frozen=True)
class Licences:
    """What `licences.toml` says: which licences are allowed, and what is known of packages."""

    allowed: frozenset[str]
    accepted: Mapping[str, list[str]]
    names: Mapping[str, str]
    packages: Mapping[str, str]

    @classmethod
    def load(cls, path: Path = RULES) -> "Licences":
        """Read the file."""
        said = tomllib.loads(path.read_text())
        golang = {
            f"golang/{name}": spdx for spdx, names in said["golang"].items() for name in names
        }
        return cls(
            allowed=frozenset(said["allowed"]),
            accepted=said["accepted"],
            names=said["names"],
            packages=said["packages"] | golang,
        )

    def expression(self, component: Component) -> str:
        """Return a component's licence in SPDX's terms; empty where it is unknown.

        What the package says in these terms goes before its classifiers, which say less.
        """
        if known := self.packages.get(package(component)):
            return known
        choices = component.get("licenses", [])
        spdx = [each.get("expression") or each["license"].get("id") for each in choices]
        classifiers = [each["license"].get("name") for each in choices if "license" in each]
        said = [self.names.get(each, each) for each in spdx if each]
        said = said or [self.names.get(each, "") for each in classifiers if each]
        return " AND ".join(sorted(set(said))) if all(said) else ""

    def settle(self, bom: Bom, known: Mapping[str, str] | None = None) -> dict[str, str]:
        """Write what is known into each component of a document; returns it, for each package.

        Debian's packages keep the list of what all their files say.

        Args:
            bom: the document, which is changed.
            known: the licences of packages that are known already, from better sources.
        """
        found = {package(each): self.expression(each) for each in packages(bom)}
        found.update(known or {})
        for each in packages(bom):
            if not _listed_by_debian(each):
                spdx = found[package(each)]
                each["licenses"] = [{"expression": spdx}] if spdx else []
        return found

    def objections(self, bom: Bom) -> Iterator[str]:
        """Yield a line for each package that may not have its licence, or whose is unknown.

        Debian's packages need a licence that is known: which, Debian has judged for its `main`.
        """
        for each in packages(bom):
            name, spdx = package(each), self.expression(each)
            if not spdx and not _listed_by_debian(each):
                yield f"{name} {each['version']}: unknown licence, to be added to {PLACE}"
            elif not name.startswith("deb/") and not self._may_have(name, spdx):
                yield f"{name} {each['version']}: {spdx} is no licence that {PLACE} allows"

    def _may_have(self, name: str, spdx: str) -> bool:
        try:
            return self._allows(name, SPDX.parse(spdx))
        except ExpressionError:
            return False

    def _allows(self, name: str, node: Any) -> bool:
        if isinstance(node, SPDX.OR):
            return any(self._allows(name, each) for each in node.args)
        if isinstance(node, SPDX.AND):
            return all(self._allows(name, each) for each in node.args)
        licence = node.render()
        patterns = self.accepted.get(licence, [])
        return licence in self.allowed or any(fnmatchcase(name, each) for each in patterns)


def package(component: Component) -> str:
    """Return a component's kind and name: `pypi/pandas`, `deb/libc6`, `golang/golang.org/x/net`."""
    kind = component["purl"].removeprefix("pkg:").partition("/")[0]
    name = str(component["name"])
    return f"{kind}/{_canonical(name) if kind == 'pypi' else name}"


def packages(bom: Bom) -> Iterator[Component]:
    """Yield the components that are packages: all but the operating system."""
    return (each for each in bom["components"] if "purl" in each)


def _canonical(name: str) -> str:
    """Return a Python package's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _listed_by_debian(component: Component) -> bool:
    """Return whether a package of Debian's came with the list of its files' licences."""
    return package(component).startswith("deb/") and bool(component.get("licenses"))
