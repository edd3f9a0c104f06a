"""A model directory is compiled by a process of its own, once."""

from pathlib import Path

import pytest
from mlflow.pyfunc import load_model

from terna.contracts.errors import NotCompilable
from terna.serving.compiled import apart
from terna.serving.compiled.apart import obtain
from terna.serving.compiled.program import FILE
from tests.unit.serving.conftest import Workshop


@pytest.fixture(scope="module")
def folder(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return workshop.make(tmp_path_factory.mktemp("signed") / "model")


@pytest.fixture
def place(folder: Path) -> Path:
    """Where the directory's program is."""
    place = folder.with_name("program")
    obtain(folder, place)
    return place


def test_a_signed_directory_is_compiled_and_answers_as_mlflow_does(
    workshop: Workshop, folder: Path, place: Path
) -> None:
    answers = obtain(folder, place).predict_rows(workshop.rows())

    assert answers == list(load_model(str(folder)).predict(workshop.customers))


def test_a_program_that_is_there_is_not_made_again(
    folder: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "_compile", lambda *_: pytest.fail("compiled again"))

    assert obtain(folder, place).kind == "compiled: trees"


def test_a_damaged_program_is_made_anew(folder: Path, place: Path) -> None:
    good = (place / FILE).read_bytes()
    (place / FILE).write_bytes(good[:-9])

    obtain(folder, place)

    assert (place / FILE).read_bytes() == good


def test_another_signature_and_other_libraries_need_another_program(
    workshop: Workshop, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = apart.digest(folder)

    assert apart.digest(workshop.make(tmp_path / "model", run_id="run2")) != before
    monkeypatch.setattr(apart, "version", lambda name: f"another {name}")
    assert apart.digest(folder) != before


def test_the_reason_is_one_line(workshop: Workshop, tmp_path: Path) -> None:
    folder = workshop.make(
        tmp_path / "model", change=lambda place: (place / "reference.json").unlink()
    )

    with pytest.raises(NotCompilable) as refused:
        obtain(folder, tmp_path / "program")

    assert str(refused.value) == "there are no reference rows to compare on"
    assert not (tmp_path / "program" / FILE).exists()


def test_a_process_that_takes_too_long_is_ended(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NotCompilable, match="took more than 0 s"):
        obtain(folder, tmp_path, timeout=0.01)
