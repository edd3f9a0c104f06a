"""The place of the model that answers."""

import gc
import weakref
from pathlib import Path

import pytest

from terna.errors import NoModel
from terna.serving.endpoints.active_model import ActiveModel
from tests.unit.workshop import Workshop


def test_an_empty_slot_says_what_to_do() -> None:
    slot = ActiveModel()

    assert slot.version is None
    with pytest.raises(NoModel, match="promote a version"):
        slot.take()


def test_the_model_taken_is_the_one_swapped_in_last(workshop: Workshop, tmp_path: Path) -> None:
    slot = ActiveModel()
    first, second = (workshop.load(tmp_path / name) for name in "ab")

    slot.swap(first)
    assert slot.take() is first
    slot.swap(second)
    assert slot.take() is second
    assert slot.version == second.version


def test_the_old_model_is_freed_when_its_last_user_lets_it_go(
    workshop: Workshop, tmp_path: Path
) -> None:
    slot = ActiveModel()
    slot.swap(workshop.load(tmp_path / "a"))
    in_flight = slot.take()
    old = weakref.ref(in_flight)

    slot.swap(workshop.load(tmp_path / "b"))
    gc.collect()
    assert old() is in_flight

    del in_flight
    gc.collect()
    assert old() is None
