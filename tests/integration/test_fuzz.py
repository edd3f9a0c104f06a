"""Whatever is sent to a running server, no response is the server's fault, or repeats it.

`scripts/fuzz` runs this with more cases.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from rich.console import Console
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from terna.contracts.scoring import CSV, PARQUET
from terna.erp.connection import authorization
from terna.erp.from_settings import connection_of
from terna.predictor.compiled_predictor import COMPILED, PYFUNC
from terna.progress import Terminal
from tests.fuzzing import sent
from tests.fuzzing.answered import StatusCounts, check
from tests.fuzzing.sent import REQUESTS, Sent
from tests.fuzzing.served import Served, serving

pytestmark = pytest.mark.filterwarnings("ignore")  # schemathesis's own

SHARES = {
    "JSON": 0.13,
    "CSV": 0.06,
    "Parquet": 0.06,
    "tensors": 0.13,
    "any bytes": 0.02,
    "any path": 0.02,
}
"""Of all cases, for each of the two models; the rest is schemathesis's."""
BY_THE_DOCUMENT = {GenerationMode.POSITIVE: 0.05, GenerationMode.NEGATIVE: 0.03}
TABLES = ("JSON", "CSV", "Parquet", "tensors")
REACHED = 0.2
"""The share of tables that the model must have answered: else this would fuzz the parsers only. It
is half of them in a long run."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

schemathesis.openapi.media_type(CSV, sent.csv_bodies())
schemathesis.openapi.media_type(PARQUET, sent.parquet_bodies())


@pytest.fixture(scope="module")
def counts() -> Iterator[StatusCounts]:
    """The responses' statuses, printed at the end."""
    counted = StatusCounts()
    yield counted
    Console(width=100).print(counted.table())


@pytest.fixture(scope="module", params=[COMPILED, PYFUNC])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("fuzzed"), request.param) as running:
        yield running


@dataclass
class Described:
    """A running server as its own OpenAPI document has it."""

    served: Served
    session: requests.Session

    def __post_init__(self) -> None:
        self.document = self.served.client.get(f"{self.served.url}/openapi.json").json()
        # Else the key would be made up in most cases, and they would be 401.
        self.schema = schemathesis.openapi.from_dict(self.document | {"security": []})

    def ask(self, case: Case[Any]) -> schemathesis.Response:
        """Send a request; fails on a response that the document has not."""
        answer = case.call(self.served.url, self.session, verify=str(self.served.erp.ca))
        case.validate_response(answer, checks=CHECKS)
        return answer


@pytest.fixture
def described(served: Served) -> Iterator[Described]:
    with requests.Session() as session:
        session.trust_env = False  # another CA, a proxy
        session.cert = str(served.erp.certificate), str(served.erp.key)
        session.headers.update(authorization(connection_of(served.erp)))
        yield Described(served, session)


Fuzz = Callable[[st.SearchStrategy[Any], float, Callable[[Any], int]], None]


@pytest.fixture
def fuzz(request: pytest.FixtureRequest, served: Served, counts: StatusCounts) -> Fuzz:
    """Send a share of all the cases, and then check that the server still answers.

    The cases are the same each time, but for another `--hypothesis-seed`.
    """
    options = request.config.option
    seeded = options.hypothesis_seed is not None
    what = request.node.callspec.params["what"]
    terminal = Terminal(Console())

    def run(strategy: st.SearchStrategy[Any], share: float, ask: Callable[[Any], int]) -> None:
        count = max(1, round(share * options.cases))
        with terminal.step(f"{served.backend}: {what}", count) as advance:

            @settings(
                max_examples=count,
                deadline=None,
                database=None,
                derandomize=not seeded,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate, Phase.shrink],
            )
            @given(strategy)
            def ask_each(case: Any) -> None:
                note(repr(case))
                counts.add(served.backend, str(what), ask(case))
                advance()

            ask_each()
        served.check()

    return run


@pytest.mark.parametrize("what", REQUESTS)
def test_fuzzed_request_gets_no_server_error(
    served: Served, fuzz: Fuzz, counts: StatusCounts, what: str
) -> None:
    def ask(request: Sent) -> int:
        answer = served.ask(request)
        check(request.path, answer.status_code, answer.content)
        return answer.status_code

    fuzz(REQUESTS[what], SHARES[what], ask)
    assert what not in TABLES or counts.reached(served.backend, what) >= REACHED


@pytest.mark.parametrize("what", BY_THE_DOCUMENT)
def test_every_response_is_in_the_openapi_document(
    described: Described, fuzz: Fuzz, what: GenerationMode
) -> None:
    def ask(case: Case[Any]) -> int:
        answer = described.ask(case)
        check(case.path, answer.status_code, answer.content)
        return answer.status_code

    posted = described.schema.include(method="POST").as_strategy(generation_mode=what)
    fuzz(posted, BY_THE_DOCUMENT[what], ask)


def test_every_get_route_of_the_openapi_document_answers_200(described: Described) -> None:
    for path, methods in described.document["paths"].items():
        if "get" in methods:
            answer = described.ask(described.schema[path]["GET"].Case())
            assert answer.status_code == 200
