"""Triton's own client against a real serving process, over TLS."""

import json
from collections.abc import Iterator
from typing import Any

import gevent.ssl
import numpy as np
import pytest
from numpy.typing import NDArray
from tritonclient._plugin import InferenceServerClientPlugin
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from terna.erp.client import Client
from terna.erp.connection import authorization
from terna.erp.from_settings import connection_of
from terna.local.servers import LocalServers, ensure_local_secrets, local_settings
from terna.security import signing
from terna.serving.cache.model_cache import ModelCache
from terna.settings import Erp
from tests.clients import client_of
from tests.fakes import MemoryRegistry
from tests.integration.differential.models import customers
from tests.ports import settings_on_free_ports
from tests.running import running

NAME = "churn"
TABLE = {
    "minutes": np.array([120.5, np.nan, 80, 200]),
    "plan": np.array(["basic", "extra", "basic", "client — 客"], dtype=object),
    "calls": np.array([3, 5, 0, 8]),
    "vip": np.array([True, False, False, True]),
}


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServers]:
    """Serving alone, with a model of text columns in its model cache."""
    root = tmp_path_factory.mktemp("terna")
    settings = local_settings(root, settings_on_free_ports(), NAME)
    ensure_local_secrets(settings, root)
    with pytest.warns():  # MLflow's own, when a model is saved
        customers.published(root / "model")
    signing.sign(root / "model", settings.training.signing_key)
    registry = MemoryRegistry(root / "registry")
    version = registry.register(NAME, root / "model", "m-1", "run1")
    copies = ModelCache(
        settings.serving.cache_dir, settings.serving.verify_key, settings.serving.key
    )
    copies.fetch(version, registry)
    copies.set_current(version)
    with running("serving", root, settings) as replica:
        yield replica


@pytest.fixture(scope="module")
def labels(serving: LocalServers) -> list[str]:
    """What the scoring protocol answers to the table."""
    rows = [dict(zip(TABLE, row, strict=True)) for row in zip(*TABLE.values(), strict=True)]
    plain = [json.loads(json.dumps(row, default=lambda value: value.item())) for row in rows]
    with Client(connection_of(serving.settings.erp)) as client:
        return client.predict(plain).labels


class WithKey(InferenceServerClientPlugin):  # type: ignore[misc]
    """Sends the API key."""

    def __init__(self, erp: Erp) -> None:
        self._headers = authorization(connection_of(erp))

    def __call__(self, request: Any) -> None:
        request.headers.update(self._headers)


@pytest.fixture(scope="module")
def client(serving: LocalServers) -> Iterator[InferenceServerClient]:
    erp = serving.settings.erp

    def trust(**_: Any) -> Any:
        context = gevent.ssl.create_default_context(cafile=str(erp.ca))
        context.load_cert_chain(erp.certificate, erp.key)
        return context

    url = f"localhost:{serving.settings.serving.port}"
    client = InferenceServerClient(url, ssl=True, ssl_context_factory=trust)
    client.register_plugin(WithKey(erp))
    yield client
    client.close()


def tensors(
    table: dict[str, NDArray[Any]], binary: bool = True, wide: bool = True
) -> list[InferInput]:
    inputs = []
    for name, column in table.items():
        values = column.reshape(-1, 1) if wide else column
        tensor = InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
        inputs.append(tensor.set_data_from_numpy(values, binary_data=binary))
    return inputs


def test_server_is_live_and_ready(client: InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(NAME)
    assert client.is_model_ready(NAME, "1")
    assert not client.is_model_ready(NAME, "2")
    assert not client.is_model_ready("other")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]


@pytest.mark.parametrize("version", ["", "1"])
def test_metadata_names_each_column_with_its_type(
    client: InferenceServerClient, version: str
) -> None:
    metadata = client.get_model_metadata(NAME, version)

    assert (metadata["name"], metadata["versions"]) == (NAME, ["1"])
    assert {i["name"]: i["datatype"] for i in metadata["inputs"]} == {
        "minutes": "FP64",
        "plan": "BYTES",
        "calls": "INT64",
        "vip": "BOOL",
    }
    assert [o["datatype"] for o in metadata["outputs"]] == ["BYTES"]
    assert metadata["parameters"] == {"backend": "pyfunc", "classes": ["no", "yes"]}


@pytest.mark.parametrize("wide", [True, False], ids=["n x 1", "n"])
@pytest.mark.parametrize("binary", [True, False], ids=["binary", "JSON"])
def test_labels_equal_those_of_the_scoring_protocol(
    client: InferenceServerClient, labels: list[str], binary: bool, wide: bool
) -> None:
    answer = client.infer(NAME, tensors(TABLE, binary, wide), request_id="42")

    assert [text.decode() for text in answer.as_numpy("output-0")] == labels
    assert answer.get_response()["id"] == "42"
    assert answer.get_response()["model_version"] == "1"


def test_output_is_json_when_asked_for(client: InferenceServerClient, labels: list[str]) -> None:
    wanted = [InferRequestedOutput("output-0", binary_data=False)]

    answer = client.infer(NAME, tensors(TABLE), outputs=wanted)

    assert answer.get_output("output-0")["data"] == labels


def test_many_rows_go_through_in_binary(client: InferenceServerClient, labels: list[str]) -> None:
    many = {name: np.tile(column, 2000) for name, column in TABLE.items()}

    answer = client.infer(NAME, tensors(many), model_version="1")

    assert [text.decode() for text in answer.as_numpy("output-0")] == labels * 2000


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({n: c for n, c in TABLE.items() if n != "calls"}, "Missing columns: calls."),
        (TABLE | {"calls": np.array([1, 2])}, "tensors of one length"),
        (TABLE | {"minutes": TABLE["plan"]}, "Row 0: 'minutes' must be a number or null."),
    ],
)
def test_tensors_that_do_not_fit_are_refused_in_one_line(
    client: InferenceServerClient, table: dict[str, NDArray[Any]], says: str
) -> None:
    with pytest.raises(InferenceServerException, match=says) as refused:
        client.infer(NAME, tensors(table))

    assert refused.value.status() == "400"
    assert "客" not in refused.value.message()


def test_another_version_is_not_here(client: InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="Version 1 is in production") as refused:
        client.infer(NAME, tensors(TABLE), model_version="2")

    assert refused.value.status() == "404"


def test_docs_page_needs_nothing_from_elsewhere(serving: LocalServers) -> None:
    url = f"https://localhost:{serving.settings.serving.port}"
    with client_of(serving.settings.erp, base_url=url) as client:
        page = client.get("/docs").text
        description = client.get("/openapi.json").json()

        example = description["paths"]["/invocations"]["post"]["requestBody"]["content"][
            "application/json"
        ]["example"]
        assert client.post("/invocations", json=example).status_code == 200

    assert all(name in page for name in TABLE)
    assert "//" not in page
