"""Whatever is sent, the answer is one of a client's: no 5xx, and nothing of it repeated."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terna.contracts.scoring import AZURE_FORMS, FORMS
from terna.serving.handlers import Handlers
from terna.serving.routes import App
from terna.serving.slot import Slot
from terna.settings import Serving
from tests.rsgi import Answered, Client
from tests.unit.serving.conftest import COLUMNS, NAME, NoWatcher, Workshop

pytestmark = pytest.mark.filterwarnings("ignore")  # NumPy's and pandas', about odd values

SECRET = "Ada-Lovelace-0815"
INFER = f"/v2/models/{NAME}/infer"

cells = st.one_of(
    st.sampled_from([SECRET, "basic", None, True, 0, 3, 2**63, 10**400, 1e300, -0.0]),
    st.floats(),
    st.integers(),
    st.text(max_size=3),
)
values = st.recursive(
    cells,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*COLUMNS, SECRET]), inner, max_size=5)
    ),
    max_leaves=16,
)
plausible: dict[str, st.SearchStrategy[Any]] = {
    "minutes": st.floats(0, 300) | st.none() | st.integers(0, 300),
    "plan": st.sampled_from(["basic", "extra", None, ""]),
    "calls": st.integers(0, 9),
    "vip": st.booleans(),
}


def mostly(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """So that much of what is sent gets as far as the model."""
    return st.integers(0, 15).flatmap(lambda odd: cells if odd == 15 else usual)


columns = {name: mostly(usual) for name, usual in plausible.items()}
records = st.fixed_dictionaries(columns, optional={SECRET: values})
rows = st.tuples(*columns.values()).map(list) | st.lists(cells, max_size=5)
splits = st.fixed_dictionaries(
    {"data": st.lists(rows, max_size=3)},
    optional={
        "columns": st.permutations([*COLUMNS]) | st.lists(st.sampled_from(COLUMNS)) | values,
        "index": values,
        SECRET: values,
    },
)
forms = st.sampled_from([*FORMS, *AZURE_FORMS, "params", "messages", "prompt", SECRET])
documents = st.dictionaries(
    forms, values | st.lists(records, max_size=3) | st.lists(rows, max_size=3) | splits, max_size=2
)
content_types = st.sampled_from(
    ["application/json"] * 6
    + ["text/csv", "application/vnd.apache.parquet", "application/json; charset=utf-8", SECRET]
)
DATATYPES = dict(zip(COLUMNS, ("FP64", "BYTES", "INT64", "BOOL"), strict=True))
odd_tensors = st.fixed_dictionaries(
    {
        "name": st.sampled_from([*COLUMNS, SECRET]),
        "datatype": st.sampled_from([*DATATYPES.values(), "FP16", "UINT8", SECRET]),
        "shape": st.lists(st.integers(-1, 3), max_size=3) | st.just([2, 1]),
    },
    optional={
        "data": values | st.lists(cells, min_size=2, max_size=2),
        "parameters": st.dictionaries(st.just("binary_data_size"), st.integers(-1, 20) | cells),
    },
)


@st.composite
def tables(draw: st.DrawFn) -> list[Any]:
    """A tensor a column, some of them odd."""
    inputs = [
        {
            "name": name,
            "datatype": DATATYPES[name],
            "shape": [2],
            "data": draw(st.lists(columns[name], min_size=2, max_size=2)),
        }
        for name in COLUMNS
    ]
    return inputs + draw(st.lists(odd_tensors, max_size=1))


questions = st.fixed_dictionaries(
    {"inputs": tables() | tables() | st.lists(odd_tensors, max_size=5) | values},
    optional={"id": st.text(max_size=3), "parameters": st.dictionaries(st.text(), cells)},
) | st.fixed_dictionaries({"inputs": values}, optional={"id": cells, "outputs": values})


@pytest.fixture(scope="module", params=["pyfunc", "compiled"])
def client(
    request: pytest.FixtureRequest, workshop: Workshop, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    slot = Slot()
    program = workshop.program() if request.param == "compiled" else None
    slot.swap(workshop.load(tmp_path_factory.mktemp("fuzzed") / "model", program=program))
    handlers = Handlers(slot, Serving(threads=1))
    yield Client(App(handlers, NoWatcher(), max_body=100_000))
    handlers.close()


def check(answer: Answered) -> None:
    assert answer.status in (200, 400, 404, 413, 415), answer.body
    if answer.status == 200:
        return
    told = answer.body.decode()
    assert SECRET not in told
    assert len(told.splitlines()) == 1
    assert len(told) < 400


@given(document=documents, content_type=content_types)
def test_invocations_answers_any_document(client: Client, document: Any, content_type: str) -> None:
    body = json.dumps(document).encode()
    check(client.ask("POST", "/invocations", body, {"content-type": content_type}))


@given(body=st.binary() | st.text().map(str.encode), content_type=content_types)
def test_invocations_answers_any_bytes(client: Client, body: bytes, content_type: str) -> None:
    check(client.ask("POST", "/invocations", body, {"content-type": content_type}))


@given(
    question=questions,
    rest=st.just(b"") | st.binary(max_size=20),
    said=st.none() | st.integers(-1, 500),
)
def test_infer_answers_any_tensors(
    client: Client, question: Any, rest: bytes, said: int | None
) -> None:
    head = json.dumps(question).encode()
    length = len(head) if said is None else said
    headers = {"inference-header-content-length": str(length)}
    check(client.ask("POST", INFER, head + rest, headers))


@given(path=st.text(max_size=20), method=st.sampled_from(["GET", "POST", "HEAD", "PUT"]))
def test_any_path_is_answered(client: Client, path: str, method: str) -> None:
    for place in ("/", "/v2/", "/v2/models/", f"/v2/models/{NAME}/"):
        answer = client.ask(method, place + path + SECRET)
        assert answer.status in (404, 405)
        assert SECRET not in answer.body.decode()
