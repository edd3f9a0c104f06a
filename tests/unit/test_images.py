"""The images' Dockerfiles: one base, and a company's CA for downloads only."""

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
def test_every_stage_starts_from_the_one_base(dockerfile: Path) -> None:
    assert {stage.split()[0] for stage in stages(dockerfile)} == {"debian:trixie-slim"}


@each
def test_every_download_trusts_the_ca_given_to_the_build(dockerfile: Path) -> None:
    mount = "--mount=type=secret,id=ca"
    setting = "SSL_CERT_FILE=/run/secrets/ca"
    for stage in stages(dockerfile):
        environment = " ".join(re.findall(r"^ENV .*", stage, flags=re.MULTILINE))
        for run in re.findall(r"^RUN .*", stage, flags=re.MULTILINE):
            if re.search(r"apt-get|pip|go install", run):
                assert mount in run
                assert setting in environment + run


@each
def test_no_final_image_is_set_to_use_that_ca(dockerfile: Path) -> None:
    assert not re.search(r"^ENV .*SSL_CERT_FILE", stages(dockerfile)[-1], flags=re.MULTILINE)
