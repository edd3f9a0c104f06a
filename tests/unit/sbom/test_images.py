"""The bill of materials of an image: where Debian's packages come from, and what to do without."""

from pathlib import Path

import pytest

from sbom import images
from terna.errors import TernaError


@pytest.mark.parametrize(
    ("section", "area"),
    [("net", "main"), ("non-free/net", "non-free"), ("contrib/utils", "contrib"), ("", "main")],
)
def test_area_of_debians_archive_is_in_the_section(section: str, area: str) -> None:
    assert images.area_of(section) == area


def test_without_docker_it_says_what_can_be_had(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TernaError, match=r"docker is not installed.* scripts/sbom --wheels$"):
        images.names()
