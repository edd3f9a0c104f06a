"""The active model: swapped at once, freed when nobody uses it."""

import gc
import weakref
from pathlib import Path

import pytest

from terna.errors import NoModel
from terna.serving.endpoints.active_model import ActiveModel
from tests.unit.workshop import Workshop


def test_no_model_error_suggests_a_promotion() -> None:
    active = ActiveModel()

    assert active.version is None
    with pytest.raises(NoModel, match="promote a version"):
        active.get()


def test_deployment_is_the_one_swapped_in_last(workshop: Workshop, tmp_path: Path) -> None:
    active = ActiveModel()
    first, second = (workshop.deploy(tmp_path / name) for name in "ab")

    active.swap(first)
    assert active.get() is first
    active.swap(second)
    assert active.get() is second
    assert active.version == second.version


def test_old_model_is_freed_with_its_last_request(workshop: Workshop, tmp_path: Path) -> None:
    active = ActiveModel()
    active.swap(workshop.deploy(tmp_path / "a"))
    in_flight = active.get()
    old = weakref.ref(in_flight)

    active.swap(workshop.deploy(tmp_path / "b"))
    gc.collect()
    assert old() is in_flight

    del in_flight
    gc.collect()
    assert old() is None
