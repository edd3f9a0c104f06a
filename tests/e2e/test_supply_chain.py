"""What an operator can find out about an image: its version, its commit, and all that is in it."""

import json
import re
from collections.abc import Iterator
from uuid import uuid4

import pytest

from sbom import images as contents_of
from sbom.document import Bom
from sbom.licences import Licences, package, packages
from terna import __version__
from tests.checkout import ROOT
from tests.engine import docker

pytestmark = pytest.mark.only_on("compose")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OCI = "org.opencontainers.image"
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/Dockerfile"))
WITH_OUR_CODE = ("serving", "tracking", "training")


def versions(bom: Bom, kind: str) -> dict[str, str]:
    """Return the version of each package of a kind."""
    return {
        package(each).removeprefix(f"{kind}/"): each["version"]
        for each in packages(bom)
        if package(each).startswith(f"{kind}/")
    }


def inside(image: str, program: str, *arguments: str) -> str:
    return docker("run", "--rm", "--network=none", "--entrypoint", program, image, *arguments)


# ---- labels -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def labelled(images: str) -> Iterator[str]:
    """The tag of the same images, built for a commit: all layers are there already."""
    tag = f"{images}-{uuid4().hex[:8]}"
    docker("compose", "build", "--quiet", TERNA_TAG=tag, TERNA_BUILD_REVISION=COMMIT)
    yield tag
    docker("rmi", *(f"terna/{service}:{tag}" for service in SERVICES))


@pytest.mark.parametrize("service", SERVICES)
def test_image_is_labelled_with_version_and_commit(labelled: str, service: str) -> None:
    (found,) = json.loads(docker("image", "inspect", f"terna/{service}:{labelled}"))
    labels = found["Config"]["Labels"]
    assert labels[f"{OCI}.version"] == __version__
    assert labels[f"{OCI}.revision"] == COMMIT
    assert labels[f"{OCI}.title"].startswith("Terna")


@pytest.mark.parametrize("service", SERVICES)
def test_another_commit_costs_no_layer(images: str, labelled: str, service: str) -> None:
    layers = ("image", "inspect", "--format", "{{json .RootFS.Layers}}")
    of_each = {docker(*layers, f"terna/{service}:{tag}") for tag in (images, labelled)}
    assert len(of_each) == 1


@pytest.mark.parametrize("service", WITH_OUR_CODE)
def test_command_in_the_image_tells_version_and_commit(labelled: str, service: str) -> None:
    told = inside(f"terna/{service}:{labelled}", "python3", "-m", "terna", "--version")
    assert told == f"terna {__version__} (commit {COMMIT})\n"


# ---- bills of materials -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def object_store(images: str) -> Bom:
    return contents_of.contents(f"terna/object-store:{images}")


@pytest.fixture(scope="module")
def serving(images: str) -> Bom:
    return contents_of.contents(f"terna/serving:{images}")


def test_debians_packages_are_those_that_dpkg_knows(images: str, object_store: Bom) -> None:
    show = ("--show", "--showformat", "${Package} ${Version}\n")
    told = inside(f"terna/object-store:{images}", "dpkg-query", *show)
    assert versions(object_store, "deb") == dict(line.split() for line in told.splitlines())


def test_pythons_packages_are_those_that_were_pinned(serving: Bom) -> None:
    pins = (ROOT / "requirements/serving.txt").read_text()
    pinned = set(re.findall(r"^([\w.-]+)==([^ ;]+)", pins, re.MULTILINE))
    found = versions(serving, "pypi")
    assert {"granian", "mlflow-skinny", "pandas"} <= found.keys()
    assert found.items() <= pinned


def test_modules_of_minio_are_those_of_the_pinned_version(object_store: Bom) -> None:
    pinned = re.search(
        r"ARG VERSION=(\S+)", (ROOT / "services/object-store/Dockerfile").read_text()
    )
    assert pinned
    modules = versions(object_store, "golang")
    assert modules["github.com/minio/minio"] == pinned[1]
    assert len(modules) > 200


def test_object_store_has_only_allowed_licences_and_debians_main(
    images: str, object_store: Bom
) -> None:
    licences = Licences.load()
    assert list(licences.objections(object_store)) == []
    assert list(contents_of.objections(f"terna/object-store:{images}", object_store)) == []


def test_same_image_gives_the_same_document(images: str, object_store: Bom) -> None:
    assert contents_of.contents(f"terna/object-store:{images}") == object_store
