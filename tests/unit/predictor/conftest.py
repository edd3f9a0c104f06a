"""A loaded version that the tests of the predictor share."""

import pytest

from terna.predictor.predictor import Predictor
from tests.unit.workshop import Workshop


@pytest.fixture(scope="session")
def model(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return workshop.load(tmp_path_factory.mktemp("loaded") / "model")
