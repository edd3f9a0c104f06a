"""The stacks that the journeys run against, each started once a session."""

from collections.abc import Iterator, Sequence

import pytest

from tests.e2e.erp import People
from tests.e2e.stacks.compose import ComposeStack
from tests.e2e.stacks.local import LocalStack
from tests.e2e.stacks.stack import Stack
from tests.engine import build_images, need_engine
from tests.groups import STACKS


def wanted(config: pytest.Config) -> Sequence[str]:
    return config.getoption("stack") or STACKS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "stack" in metafunc.fixturenames:
        metafunc.parametrize("stack", wanted(metafunc.config), indirect=True, scope="session")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("only_on"):
        if mark.args[0] not in wanted(item.config):
            pytest.skip(f"is about the {mark.args[0]} stack: --stack={mark.args[0]}")


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Stack:
    """A running platform. A journey has a model name of its own, and starts with `stack.serve`."""
    fixture = {"local": "local_stack", "compose": "compose_stack"}[request.param]
    found: Stack = request.getfixturevalue(fixture)
    return found


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The servers as local processes, with nothing in the registry."""
    with LocalStack(tmp_path_factory.mktemp("terna")) as stack:
        yield stack


@pytest.fixture(scope="session")
def compose_stack(images: str) -> Iterator[ComposeStack]:
    """The whole replica, as one command brings it up in a fresh clone of an ordinary user's."""
    with ComposeStack(images) as stack:
        stack.write_env()
        stack.project.up()
        yield stack


@pytest.fixture(scope="module")
def replica(compose_stack: ComposeStack) -> ComposeStack:
    """The replica as it came up: serving answers for the model that was trained then."""
    compose_stack.serve("rfc_tune")
    compose_stack.wait_for_version(1)
    return compose_stack


@pytest.fixture(scope="session")
def people(compose_stack: ComposeStack) -> Iterator[People]:
    """The first users of the replica's ERP, with second factors."""
    people = People(compose_stack)
    yield people
    for person in people.values():
        person.http.close()


@pytest.fixture(scope="session")
def images() -> str:
    """The tag of this checkout's images. Without a Docker engine: skipped, and in CI a failure."""
    need_engine()
    return build_images()
