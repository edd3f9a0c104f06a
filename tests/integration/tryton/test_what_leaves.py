"""What leaves the ERP for a label: features and a pseudonym, as a server of ours receives it."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from trytond.pool import Pool

from terna.erp.tryton import keys
from terna.security.ca import Service, ensure_certificates
from tests.integration.tryton.conftest import NAME, VALUES, run_tasks

Customer = Callable[..., Any]

API_KEY = "erp.key"
PERSON = {
    "name": "Xenobia Quartermaine",
    "addresses": [("create", [{"street": "Zephyr Lane 4711", "city": "Llanfairpwll"}])],
    "identifiers": [("create", [{"code": "QX-99887766-Z"}])],
    "contact_mechanisms": [
        ("create", [{"type": "email", "value": "xq@quartermaine.example"}]),
        ("create", [{"type": "phone", "value": "+34 600 987 123"}]),
    ],
}
IDENTITIES = ("Xenobia", "Quartermaine", "Zephyr", "Llanfair", "99887766", "xq@", "987 123")

HEADERS = {"host", "accept", "accept-encoding", "connection", "user-agent"}
HEADERS |= {"content-type", "content-length", "authorization"}


@dataclass
class Listener:
    """A server that answers `no` for each row, and keeps all that it receives."""

    heads: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)

    @property
    def index(self) -> list[str]:
        """The names of the rows that were received last."""
        return list(self.bodies[-1]["dataframe_split"]["index"])


@pytest.fixture
def listener(
    endpoint: Any,  # noqa: ARG001 - made from the schema of the real server
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Listener]:
    """Return what is asked in place of server 2 from here on."""
    certs, secrets = tmp_path / "certs", tmp_path / "secrets"
    ensure_certificates(certs, secrets, [Service("serving", ("localhost",))])
    (tmp_path / "key").write_text(API_KEY)
    received = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.heads.append(f"{self.requestline}\n{self.headers}")
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            received.bodies.append(body)
            rows = len(body["dataframe_split"]["data"])
            answer: dict[str, Any] = {"predictions": ["no"] * rows}
            if "params" in body:
                answer = {"predictions": [[0.75, 0.25]] * rows, "classes": ["no", "yes"]}
            content = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("x-model-name", NAME)
            self.send_header("x-model-version", "1")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs / "serving/tls.crt", secrets / "serving/tls.key")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        url = f"https://localhost:{server.server_address[1]}/invocations"
        monkeypatch.setenv("TERNA_ERP_ENDPOINT", url)
        monkeypatch.setenv("TERNA_ERP_CA", str(certs / "ca.crt"))
        monkeypatch.setenv("TERNA_ERP_API_KEY_FILE", str(tmp_path / "key"))
        monkeypatch.setenv("TERNA_ERP_CERTIFICATE", str(tmp_path / "none"))
        yield received
        server.shutdown()
        thread.join()


@pytest.fixture
def pseudonym_key(secrets: Path) -> Iterator[Path]:
    """The file of the key, which is as it was after the test."""
    file = secrets / keys.PSEUDONYM
    before = file.read_bytes()
    yield file
    file.write_bytes(before)


@pytest.fixture
def person(tryton: Pool, endpoint: Any) -> Any:
    """The features of a customer whom one would find anywhere."""
    (party,) = tryton.get("party.party").create([PERSON])
    features = {"party": party.id, "endpoint": endpoint.id, "values": VALUES}
    (made,) = tryton.get("terna.customer.features").create([features])
    return made


def parties_of(values: list[str]) -> list[Any]:
    found = Pool().get("terna.pseudonym").parties(values)
    return [found[value] for value in values]


def test_what_leaves_is_features_and_a_pseudonym(
    listener: Listener, person: Any, tryton: Pool
) -> None:
    features = tryton.get("terna.customer.features")

    features.queue_labels([person])
    run_tasks()

    assert features(person.id).label == "no"
    (pseudonym,) = listener.index
    names = ["minutes", "plan", "calls", "vip"]
    table = {
        "columns": names,
        "data": [[VALUES[name] for name in names]],
        "index": [pseudonym],
    }
    probabilities = {"params": {"predict_method": "predict_proba"}}
    assert listener.bodies == [
        {"dataframe_split": table},
        {"dataframe_split": table} | probabilities,
    ]
    assert parties_of([pseudonym]) == [person.party]
    for head in listener.heads:
        request, *headers = head.strip().splitlines()
        assert request == "POST /invocations HTTP/1.1"
        assert {line.partition(":")[0].lower() for line in headers} <= HEADERS
        assert f"Bearer {API_KEY}" in head
        assert not [text for text in IDENTITIES if text in head]


def test_each_row_has_the_pseudonym_of_its_own_customer(
    listener: Listener, customer: Customer, tryton: Pool
) -> None:
    made = [customer(calls=number) for number in (7, 5, 6)]

    tryton.get("terna.customer.features").ask_label(made)

    table = listener.bodies[0]["dataframe_split"]
    calls = dict(zip(parties_of(listener.index), (row[2] for row in table["data"]), strict=True))
    assert calls == {each.party: each.values["calls"] for each in made}


def test_new_key_sends_new_pseudonyms_and_the_former_are_still_joined(
    listener: Listener, customer: Customer, tryton: Pool, pseudonym_key: Path
) -> None:
    made, ask = [customer(), customer()], tryton.get("terna.customer.features").ask_label
    parties = [each.party for each in made]

    ask(made)
    former = listener.index
    ask(made)
    again = listener.index
    pseudonym_key.write_text("another")
    ask(made)
    new = listener.index

    assert again == former
    assert not set(new) & set(former)
    assert parties_of(former) == parties_of(new) == parties


def test_without_the_key_nothing_leaves(
    listener: Listener, customer: Customer, tryton: Pool, pseudonym_key: Path
) -> None:
    features, made = tryton.get("terna.customer.features"), customer()
    pseudonym_key.write_text("")

    features.ask_label([made])

    assert listener.bodies == []
    assert (features(made.id).why, features(made.id).waiting) == ("not_configured", True)
