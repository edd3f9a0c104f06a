"""What people of server 3 see in a browser: labels, names or none, who looked, what became true.

The tests use one customer of the demo's, whom two versions of the model label differently.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from secrets import token_hex

import mlflow
import mlflow.pyfunc
import pandas as pd
import pytest

from terna.training.job import CHURN_FEATURES
from tests import browser
from tests.browser import Browser
from tests.e2e.erp import CUSTOMERS, People, features, query
from tests.e2e.stacks.compose import ComposeStack

pytestmark = [
    pytest.mark.only_on("compose"),
    pytest.mark.skipif(
        not browser.is_installed(), reason="needs Debian's chromium, chromium-driver"
    ),
]

MODEL = "rfc_tune"
WORDS = {"yes": "Will leave", "no": "Will stay"}
"""What the demo's endpoint calls its labels."""

Window = Callable[[str], Browser]


@pytest.fixture(scope="module")
def labels(replica: ComposeStack) -> Iterator[dict[int, dict[int, str]]]:
    """What the first version and a later one say of each customer, by version and party."""
    replica.ensure_serving(version=1)
    if latest(replica) == 1:
        train_another(replica)
    later = latest(replica)
    yield {version: registered(replica, version) for version in (1, later)}
    replica.ensure_serving(version=1)


def train_another(replica: ComposeStack) -> None:
    """Train a version that labels some customers otherwise."""
    shorter = {"TERNA_TRAINING_SEED": "7", "TERNA_TRAINING_FOLDS": "2"}
    done = replica.terna("train", "--trials", "1", "--name", MODEL, **shorter)
    assert done.returncode == 0, done.stderr


def latest(replica: ComposeStack) -> int:
    versions = replica.registry().search_model_versions(f"name = '{MODEL}'")
    return max(int(version.version) for version in versions)


def registered(replica: ComposeStack, version: int) -> dict[int, str]:
    """Return what the registered model says of each customer of the ERP, asked by MLflow alone."""
    mlflow.set_tracking_uri(replica.settings.tracking.uri)
    replica.registry()  # MLflow takes the CA from the environment, which this sets
    known = features(replica)
    frame = pd.DataFrame(known.values(), columns=list(CHURN_FEATURES)).infer_objects()
    answers = mlflow.pyfunc.load_model(f"models:/{MODEL}/{version}").predict(frame)
    return dict(zip(known, answers.tolist(), strict=True))


@pytest.fixture(scope="module")
def customer(labels: dict[int, dict[int, str]]) -> int:
    """A party whom both versions label, each otherwise."""
    first, later = labels.values()
    return next(party for party in first if first[party] != later[party])


@pytest.fixture(scope="module")
def window_of(replica: ComposeStack, people: People) -> Iterator[Window]:
    """Give each person a browser, in which they have logged in with both factors."""
    assert replica
    with ExitStack() as opened:

        @cache
        def window_of(login: str) -> Browser:
            window = opened.enter_context(browser.browser())
            people[login].log_in(window)
            return window

        yield window_of


@pytest.fixture
def show(window_of: Window, people: People, customer: int) -> Window:
    """Open the customer's page of labels in somebody's browser."""

    def show(login: str) -> Browser:
        window = window_of(login)
        people[login].show(window, f"party.party/{customer}")
        window.wait_for_fields(Code=str(customer))
        window.press("Churn")
        window.wait_for_fields(Endpoint="Churn")
        return window

    return show


def test_all_labels_are_the_registered_models_own(
    replica: ComposeStack, labels: dict[int, dict[int, str]]
) -> None:
    shown = "SELECT party, version, label FROM terna_customer_features"
    rows = json.loads(query(replica, f"SELECT json_agg(row) FROM ({shown}) row"))
    registered = [labels[row["version"]][row["party"]] for row in rows]
    assert [row["label"] for row in rows] == registered
    assert len(rows) >= CUSTOMERS


def test_label_of_the_version_in_production_is_seen_and_of_the_next_when_asked_for(
    replica: ComposeStack, labels: dict[int, dict[int, str]], customer: int, show: Window
) -> None:
    (first, later), window = labels, show("case-handler")
    window.wait_for_fields(Label=WORDS[labels[first][customer]], Version=str(first))
    replica.ensure_serving(version=later)
    window.press("Ask for Label")
    window.wait_for_fields(Label=WORDS[labels[later][customer]], Version=str(later))


def test_clerk_sees_initials_and_a_case_handler_the_name(
    replica: ComposeStack, customer: int, show: Window
) -> None:
    name = query(replica, f"SELECT name FROM party_party WHERE id = {customer}")
    assert show("case-handler").fields()["Name"] == name
    fields = show("clerk").fields()
    assert initials(name) in fields.values()
    assert name not in fields.values()


def test_identity_that_a_clerk_looks_at_is_in_the_auditors_log(
    replica: ComposeStack, people: People, customer: int, show: Window, window_of: Window
) -> None:
    give(people, "clerk", role="Show Identities")
    window, reason = show("clerk"), f"asks for a call {token_hex(4)}"
    window.press("Launch action")
    window.press("Show Identity…")
    window.fill("Reason", reason)
    window.press("Show")
    name = query(replica, f"SELECT name FROM party_party WHERE id = {customer}")
    assert "email: " in window.wait_for_fields(Name=name)["Contact Mechanisms"]
    window.press("Close")
    people["auditor"].show(window_of("auditor"), "terna.access")
    told = window_of("auditor").wait_for(reason)
    assert "clerk" in told
    assert name not in told


def test_outcome_is_noted_on_the_customers_page_and_queued(
    replica: ComposeStack, customer: int, show: Window
) -> None:
    window = show("case-handler")
    window.press("New")
    window.wait_for("What Became True", WORDS["yes"])  # the choices are asked for
    window.fill("What Became True", WORDS["yes"])
    window.press("Add")
    window.press("Save")
    noted = f"SELECT label, state FROM terna_outcome WHERE party = {customer}"
    replica.wait_until(lambda: query(replica, noted) == "yes|queued", "erp")
    assert "Queued" in show("case-handler").wait_for("case-handler", WORDS["yes"])


def test_form_opens_while_server_2_is_away_and_the_queue_asks_again(
    replica: ComposeStack, customer: int, show: Window
) -> None:
    row = "terna_customer_features SET labelled_at = labelled_at - interval '3 days 1 hour'"
    query(replica, f"UPDATE {row} WHERE party = {customer}")
    before = query(replica, f"SELECT version FROM terna_customer_features WHERE party = {customer}")
    for server in ("serving", "tracking"):
        replica.stop(server)
    try:
        window = show("case-handler")
        window.wait_for_fields(**{"Version": before, "Age in Days": "3"})
        window.press("Ask for Label")
        away = {"Why No Label": "Server 2 does not answer", "Age in Days": "3"}
        window.wait_for_fields(**away)
    finally:
        for server in ("tracking", "serving"):
            replica.start(server)
    query(replica, "UPDATE terna_endpoint SET next_attempt = now()")  # else it pauses for 30 s
    waiting = f"SELECT waiting FROM terna_customer_features WHERE party = {customer}"
    replica.wait_until(lambda: query(replica, waiting) == "f", "erp-worker")
    show("case-handler").wait_for_fields(**{"Age in Days": "0"})


def test_policy_of_the_pages_has_stopped_nothing(window_of: Window) -> None:
    for login in ("case-handler", "clerk", "auditor"):
        assert not [line for line in window_of(login).console() if "Security Policy" in line]


def initials(name: str) -> str:
    return " ".join(f"{word[0]}•••" for word in name.split())


def give(people: People, login: str, role: str) -> None:
    """Give somebody a role beside their own, as the administrator does."""
    admin = people["admin"]
    (id_,) = admin.call("model.res.role.search", [("name", "=", role)], 0, None, None)
    given = {"roles": [("create", [{"role": id_}])]}
    admin.call("model.res.user.write", [people[login].user], given)
