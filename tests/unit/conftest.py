"""What every unit test runs with."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.unit.workshop import Server2, Workshop, opened

# Tables of a hundred rows: threads inside a fit would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples each time, and no files.
settings.register_profile("terna", derandomize=True, database=None, deadline=None)
settings.load_profile("terna")


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return opened(tmp_path_factory.mktemp("workshop"))


@pytest.fixture
def server(tmp_path: Path, workshop: Workshop) -> Server2:
    return Server2(tmp_path, workshop)
