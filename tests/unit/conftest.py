"""What every unit test runs with."""

import os

import pytest
from hypothesis import settings

# Tables of a hundred rows: threads inside a fit would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples each time, and no files.
settings.register_profile("terna", derandomize=True, database=None, deadline=None)
settings.load_profile("terna")


def pytest_configure(config: pytest.Config) -> None:
    # MLflow compares a table's columns with a range when it saves an input example.
    config.addinivalue_line("filterwarnings", "ignore:Operation with range is deprecated")
