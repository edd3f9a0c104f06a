"""How the images are built, as their Dockerfiles say it."""

import re
from pathlib import Path

import pytest

from tests.checkout import ROOT

DOCKERFILES = sorted(ROOT.glob("services/*/Dockerfile"))

each = pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)


def stages(dockerfile: Path) -> list[str]:
    """What follows each FROM, every instruction on one line."""
    text = dockerfile.read_text().replace("\\\n", " ")
    return re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]


@each
def test_every_image_starts_from_the_one_base(dockerfile: Path) -> None:
    assert {stage.split()[0] for stage in stages(dockerfile)} == {"debian:trixie-slim"}


@each
def test_every_download_trusts_the_ca_that_it_was_handed(dockerfile: Path) -> None:
    handed = "--mount=type=secret,id=ca"
    told = "SSL_CERT_FILE=/run/secrets/ca"
    for stage in stages(dockerfile):
        environment = " ".join(re.findall(r"^ENV .*", stage, flags=re.MULTILINE))
        for run in re.findall(r"^RUN .*", stage, flags=re.MULTILINE):
            if re.search(r"apt-get|pip|go install", run):
                assert handed in run
                assert told in environment + run


@each
def test_no_image_that_runs_looks_for_that_ca(dockerfile: Path) -> None:
    assert not re.search(r"^ENV .*SSL_CERT_FILE", stages(dockerfile)[-1], flags=re.MULTILINE)
