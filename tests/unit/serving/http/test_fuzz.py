"""Whatever is sent, the response is no 5xx and repeats nothing of it.

`tests/integration/test_fuzz.py` sends the same to a server that runs.
"""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

from terna.serving.endpoints.active_model import ActiveModel
from terna.serving.http.app import App
from terna.settings import Serving
from tests.fuzzing.answered import check
from tests.fuzzing.sent import REQUESTS, Sent
from tests.rsgi import AppClient, callers
from tests.unit.workshop import NoLoader, Workshop

pytestmark = pytest.mark.filterwarnings("ignore")  # NumPy's and pandas', about odd values


@pytest.fixture(scope="module", params=["pyfunc", "compiled"])
def client(
    request: pytest.FixtureRequest, workshop: Workshop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AppClient]:
    active = ActiveModel()
    compiled = workshop.compiled() if request.param == "compiled" else None
    active.swap(workshop.deploy(tmp_path_factory.mktemp("fuzzed") / "model", compiled=compiled))
    app = App(active, Serving(threads=1, max_body_bytes=60_000), NoLoader(), callers())
    yield AppClient(app)
    app.close()


@pytest.mark.parametrize("what", REQUESTS)
def test_fuzzed_request_gets_no_server_error(client: AppClient, what: str) -> None:
    @settings(suppress_health_check=[HealthCheck.too_slow])
    @given(REQUESTS[what])
    def ask(sent: Sent) -> None:
        answer = client.ask(sent.method, sent.path, sent.body, dict(sent.headers))
        check(sent.path, answer.status, answer.body)

    ask()
