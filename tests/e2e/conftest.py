"""The stack that the journeys run against."""

from collections.abc import Iterator

import pytest

from tests.e2e.stacks import EmbeddedStack

Stack = EmbeddedStack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running platform with nothing in its registry; one a file."""
    with EmbeddedStack(tmp_path_factory.mktemp("terna")) as running:
        yield running
