"""The stacks that the journeys run against."""

from collections.abc import Iterator, Sequence

import pytest

from tests.conftest import STACKS
from tests.e2e.stacks.compose import ComposeStack
from tests.e2e.stacks.local import EmbeddedStack
from tests.e2e.stacks.stack import Stack
from tests.engine import build_images, need_engine


def wanted(config: pytest.Config) -> Sequence[str]:
    return config.getoption("stack") or STACKS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "stack" in metafunc.fixturenames:
        metafunc.parametrize("stack", wanted(metafunc.config), indirect=True, scope="module")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("only_on"):
        if mark.args[0] not in wanted(item.config):
            pytest.skip(f"is about the {mark.args[0]} stack: --stack={mark.args[0]}")


@pytest.fixture(scope="module")
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A running platform with nothing in its registry; one a file."""
    if request.param == "embedded":
        with EmbeddedStack(tmp_path_factory.mktemp("terna")) as local:
            yield local
    else:
        with ComposeStack(request.getfixturevalue("images")) as contained:
            contained.up_without_a_model()
            yield contained


@pytest.fixture(scope="session")
def images() -> str:
    """The tag of this checkout's images. Without a Docker engine: skipped, and in CI a failure."""
    need_engine()
    return build_images()
