"""The images' Dockerfiles: one base, a company's CA for downloads only, and labels."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from license_expression import get_spdx_licensing

from terna import __version__
from tests.checkout import ROOT

OCI = "org.opencontainers.image"

DOCKERFILES = sorted(ROOT.glob("services/*/Dockerfile"))

each = pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)


def stages(dockerfile: Path) -> list[str]:
    """What follows each FROM, every instruction on one line, with what it begins from."""
    text = dockerfile.read_text().replace("\\\n", " ")
    found: dict[str, str] = {}
    for stage in re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]:
        base, _, name = stage.partition("\n")[0].partition(" AS ")
        found[name] = found.get(base, base) + stage.removeprefix(base)
    return list(found.values())


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
            if re.search(r"apt-get|pip|go install", run) and "--no-index" not in run:
                assert mount in run
                assert setting in environment + run


@each
def test_no_final_image_is_set_to_use_that_ca(dockerfile: Path) -> None:
    assert not re.search(r"^ENV .*SSL_CERT_FILE", stages(dockerfile)[-1], flags=re.MULTILINE)


@each
def test_every_image_says_what_it_is_and_under_which_licence(dockerfile: Path) -> None:
    (label,) = re.findall(r"^LABEL (.*)", stages(dockerfile)[-1], flags=re.MULTILINE)
    labels = dict(pair.split("=") for pair in shlex.split(label))
    assert labels.keys() == {f"{OCI}.title", f"{OCI}.licenses"}
    assert get_spdx_licensing().validate(labels[f"{OCI}.licenses"]).errors == []


@each
def test_nothing_is_built_anew_for_another_commit(dockerfile: Path) -> None:
    _, _, rest = dockerfile.read_text().partition("\nLABEL ")
    assert rest
    assert not re.search("^(RUN|COPY|ADD) ", rest, flags=re.MULTILINE)


def test_every_image_is_labelled_with_the_version_of_the_package() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].values()
    builds = [service["build"] for service in services if "build" in service]
    assert {ROOT / build["dockerfile"] for build in builds} == set(DOCKERFILES)
    for build in builds:
        assert build["labels"][f"{OCI}.version"] == __version__
        assert build["labels"][f"{OCI}.revision"] == build["args"]["TERNA_BUILD_REVISION"]
