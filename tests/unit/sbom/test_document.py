"""CycloneDX documents: validated, and the same bytes for the same content."""

import sys
from pathlib import Path

import pytest

from sbom.document import made_by, printed_by, write
from terna.errors import TernaError

BOM = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": []}


def test_same_content_is_the_same_bytes(tmp_path: Path) -> None:
    write(BOM, tmp_path / "new/a.json")
    write(dict(reversed(BOM.items())), tmp_path / "new/b.json")

    assert (tmp_path / "new/a.json").read_bytes() == (tmp_path / "new/b.json").read_bytes()


@pytest.mark.parametrize("wrong", [{"version": "one"}, {"components": [{"name": "a"}]}, {"x": 1}])
def test_document_that_is_none_of_cyclonedx_is_not_written(
    tmp_path: Path, wrong: dict[str, object]
) -> None:
    path = tmp_path / "a.json"

    with pytest.raises(TernaError, match=r"a\.json would be no valid CycloneDX 1\.6"):
        write(BOM | wrong, path)

    assert not path.exists()


def test_command_that_fails_is_told_by_its_last_line() -> None:
    code = "import sys; print('first', file=sys.stderr); sys.exit('why')"
    with pytest.raises(TernaError, match=r"^python\S* fails: why$"):
        made_by([sys.executable, "-c", code])


def test_command_that_is_not_there_is_named() -> None:
    with pytest.raises(TernaError, match=r"^no-such-tool is not installed\.$"):
        printed_by(["no-such-tool"])
