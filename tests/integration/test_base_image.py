"""The image that all others start from, made where no container registry can be reached."""

import os
import subprocess
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.checkout import ROOT
from tests.engine import docker, need_engine


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """An image that `scripts/base-image` made."""
    need_engine()
    name = new_name()
    done = base_image(name)
    assert done.returncode == 0, done.stderr
    yield name
    docker("rmi", name)


def new_name() -> str:
    return f"terna-base-test:{uuid4().hex}"


def base_image(name: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts/base-image", name],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def inside(image: str, script: str) -> str:
    return docker("run", "--rm", "--network=none", image, "bash", "-c", script)


def test_base_image_is_debian_13(image: str) -> None:
    assert "VERSION_CODENAME=trixie\n" in inside(image, "cat /etc/os-release")


def test_base_image_trusts_the_public_certificate_authorities(image: str) -> None:
    assert "BEGIN CERTIFICATE" in inside(image, "cat /etc/ssl/certs/ca-certificates.crt")


def test_base_image_gets_security_fixes(image: str) -> None:
    assert " trixie-security main\n" in inside(image, "cat /etc/apt/sources.list{,.d/*} || true")


def test_base_image_holds_no_documentation_or_translations(image: str) -> None:
    pages = "find /usr/share/{doc,locale,man} -type f -not -name copyright"
    assert inside(image, f"{pages} || true") == ""


def test_asking_for_it_again_changes_nothing(image: str) -> None:
    made = docker("inspect", image)
    assert base_image(image).stdout == ""
    assert docker("inspect", image) == made


def test_failed_build_leaves_no_image() -> None:
    need_engine()
    name = new_name()
    nowhere = "http://127.0.0.1:1"
    assert base_image(name, http_proxy=nowhere, https_proxy=nowhere).returncode != 0
    assert docker("images", "--quiet", name) == ""
