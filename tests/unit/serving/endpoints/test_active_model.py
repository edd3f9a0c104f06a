"""The model that answers: swapped at once, freed when nobody uses it."""

import gc
import weakref
from pathlib import Path

import pytest

from terna.errors import NoModel
from terna.serving.endpoints.active_model import ActiveModel
from tests.unit.workshop import Workshop


def test_without_a_model_the_error_says_what_to_do() -> None:
    active = ActiveModel()

    assert active.version is None
    with pytest.raises(NoModel, match="promote a version"):
        active.get()


def test_the_predictor_is_the_one_swapped_in_last(workshop: Workshop, tmp_path: Path) -> None:
    active = ActiveModel()
    first, second = (workshop.load(tmp_path / name) for name in "ab")

    active.swap(first)
    assert active.get() is first
    active.swap(second)
    assert active.get() is second
    assert active.version == second.version


def test_the_old_model_is_freed_when_its_last_user_lets_it_go(
    workshop: Workshop, tmp_path: Path
) -> None:
    active = ActiveModel()
    active.swap(workshop.load(tmp_path / "a"))
    in_flight = active.get()
    old = weakref.ref(in_flight)

    active.swap(workshop.load(tmp_path / "b"))
    gc.collect()
    assert old() is in_flight

    del in_flight
    gc.collect()
    assert old() is None
