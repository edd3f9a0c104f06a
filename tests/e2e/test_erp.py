"""Server 3's ERP: customers with labels in a browser, and what is around Tryton."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pyotp
import pytest

from tests import browser
from tests.e2e.erp import CUSTOMERS, query
from tests.e2e.stacks.compose import ComposeStack, trusting

pytestmark = pytest.mark.only_on("compose")

TWO_TASKS = """
import threading
from trytond import backend
from trytond.config import config
config.update_etc()
from trytond.pool import Pool
from trytond.transaction import Transaction

Pool.start()
pool = Pool("erp")
pool.init()
have_begun, refused = threading.Barrier(2), []

def task():
    for attempt in range(2):  # as Tryton does, which begins a task again up to five times
        try:
            with Transaction().start("erp", 0):
                (endpoint,) = pool.get("terna.endpoint").search([])
                parties = pool.get("party.party").search([])
                if attempt == 0:
                    have_begun.wait()
                pool.get("terna.pseudonym").of(parties, endpoint)
            return
        except backend.DatabaseOperationalError:
            refused.append(attempt)

with Transaction().start("erp", 0) as transaction:
    transaction.connection.cursor().execute("DELETE FROM terna_pseudonym")
tasks = [threading.Thread(target=task) for _ in range(2)]
for each in tasks:
    each.start()
for each in tasks:
    each.join()
print(refused)
"""
"""Two tasks of the queue that have found no pseudonyms, and make the same ones."""


@pytest.fixture
def web(replica: ComposeStack) -> Iterator[httpx.Client]:
    """Somebody's browser, before anybody has logged in."""
    with httpx.Client(
        base_url=f"https://localhost:{replica.project.https_port}",
        verify=trusting(replica.root / "certs/ca.crt"),
        timeout=60,
    ) as client:
        yield client


def call(web: httpx.Client, path: str, method: str, *params: Any) -> httpx.Response:
    """Call a method of Tryton by JSON-RPC."""
    return web.post(path, json={"id": 1, "method": method, "params": params})


# ---- what is there after `docker compose up --wait` ---------------------------------------------


def test_every_customer_has_the_label_of_the_model_in_production(replica: ComposeStack) -> None:
    labelled = (
        "SELECT count(*), min(version), max(version) FROM terna_customer_features WHERE label"
    )
    assert query(replica, f"{labelled} IN ('yes', 'no')") == f"{CUSTOMERS}|1|1"
    assert query(replica, "SELECT count(*) FROM terna_label") == str(CUSTOMERS)
    assert query(replica, "SELECT count(*) FROM party_party") == str(CUSTOMERS)


def test_each_customer_was_asked_about_by_one_pseudonym(replica: ComposeStack) -> None:
    counted = "SELECT count(*), count(DISTINCT value), count(DISTINCT party) FROM terna_pseudonym"
    assert query(replica, counted) == f"{CUSTOMERS}|{CUSTOMERS}|{CUSTOMERS}"


def test_of_two_tasks_with_the_same_pseudonyms_one_begins_again(replica: ComposeStack) -> None:
    told = replica.project.compose("exec", "-T", "erp", "python3", "-W", "ignore", "-c", TWO_TASKS)
    assert told.strip() == "[0]"
    made = "SELECT count(*), count(DISTINCT party) FROM terna_pseudonym"
    assert query(replica, made) == f"{CUSTOMERS}|{CUSTOMERS}"


def test_there_is_one_database_whose_name_nobody_has_to_type(web: httpx.Client) -> None:
    assert call(web, "/", "common.db.list").json()["result"] == ["erp"]


def test_wrong_password_and_no_session_are_refused(web: httpx.Client) -> None:
    login = call(web, "/erp/", "common.db.login", "admin", {"password": "wrong"}, "en")
    assert login.status_code == 401
    search = call(web, "/erp/", "model.party.party.search", [], 0, 1, None, {})
    assert search.status_code == 401


def test_page_of_another_origin_is_refused(web: httpx.Client) -> None:
    asked = {"id": 1, "method": "common.db.list", "params": []}
    headers = {"origin": "https://elsewhere.example"}
    answer = web.post("/", json=asked, headers=headers)
    assert "access-control-allow-origin" not in answer.headers
    assert not answer.is_success


def test_body_beyond_the_limit_is_refused_before_tryton_sees_it(web: httpx.Client) -> None:
    answer = web.post("/erp/", content=b" " * 2_100_000)
    assert answer.status_code == 413
    assert "2 MB for the ERP" in answer.json()["message"]


def test_erp_that_is_away_is_named_and_predictions_go_on(
    replica: ComposeStack, web: httpx.Client
) -> None:
    replica.project.compose("stop", "--timeout", "20", "erp")
    try:
        answer = call(web, "/", "common.db.list")
        assert answer.status_code == 502
        assert "ERP" in answer.json()["message"]
        assert web.get("/").status_code == 200
        assert web.get("/ping").status_code == 200
    finally:
        replica.project.up("--no-deps", "erp")
    assert call(web, "/", "common.db.list").is_success


def test_erp_whose_database_is_away_is_unhealthy_and_comes_back(replica: ComposeStack) -> None:
    ask = "python3 -m terna.erp.tryton healthcheck /run/erp/socket erp && echo well || echo ill"
    inside = ("exec", "-T", "erp", "sh", "-c", f"{ask} 2>/dev/null")
    assert replica.project.compose(*inside).split() == ["well"]
    replica.project.compose("stop", "--timeout", "20", "erp-database")
    assert replica.project.compose(*inside).split() == ["ill"]
    replica.project.up("--no-deps", "erp-database")
    replica.wait_until(lambda: replica.project.compose(*inside).split() == ["well"], "erp")


def test_only_the_reverse_proxy_can_enter_the_folder_of_trytons_socket(
    replica: ComposeStack,
) -> None:
    told = replica.project.compose("exec", "-T", "erp", "stat", "--format=%u:%g %a", "/run/erp")
    assert told.strip() == "10011:10003 750"
    having = {
        service
        for service in replica.project.compose("ps", "--services").split()
        for mount in replica.project.inspect(service)["Mounts"]
        if mount["Type"] == "volume" and mount["Name"].endswith("_tryton-socket")
    }
    assert having == {"erp", "proxy"}


# ---- the web client -----------------------------------------------------------------------------


def test_web_client_is_served_with_a_policy_and_the_api_as_before(web: httpx.Client) -> None:
    page = web.get("/")
    assert page.headers["content-type"] == "text/html"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert page.headers["x-frame-options"] == "DENY"
    assert web.get("/ping").headers["content-type"] == "application/json"
    assert "content-security-policy" not in web.get("/ping").headers
    assert web.get("/dist/nothing.js").json()["error_code"] == "ENDPOINT_NOT_FOUND"


def test_password_alone_logs_nobody_in(replica: ComposeStack, web: httpx.Client) -> None:
    password = {"password": replica.project.secret("erp/users/clerk")}
    answer = call(web, "/erp/", "common.db.login", "clerk", password, "en")
    assert answer.json()["error"][0] == "LoginException"


@pytest.mark.skipif(not browser.is_installed(), reason="needs Debian's chromium, chromium-driver")
def test_analyst_sets_the_second_factor_up_and_sees_the_customers(
    replica: ComposeStack,
) -> None:
    address = f"https://localhost:{replica.project.https_port}"
    with browser.browser() as window:
        window.open(f"{address}/erp/terna/second-factor")
        window.run(
            FILL,
            {"login": "analyst", "password": replica.project.secret("erp/users/analyst")},
        )
        window.wait_for("Type the code that the app shows")
        secret = str(window.run("return document.getElementById('secret').textContent"))
        window.run(FILL, {"code": pyotp.TOTP(secret.replace(" ", "")).now()})
        window.wait_for("These recovery codes are shown once")
        window.run("document.getElementById('session').click()")
        window.wait_for("analyst", "Parties")
        window.run("Sao.open_url('erp/model/party.party')")
        window.wait_for("Name", "1.67k")
        assert [line for line in window.console() if "Content Security Policy" in line] == []


FILL = """
for (const [name, value] of Object.entries(arguments[0]))
    document.querySelector(`input[name=${name}]`).value = value;
document.querySelector("form").requestSubmit();
"""


# ---- server 3 is killed -------------------------------------------------------------------------


def test_erp_that_is_killed_while_all_labels_are_due_loses_and_doubles_none(
    replica: ComposeStack,
) -> None:
    """Its tasks wait for server 2 just then, and nobody would ask again until ten minutes later."""
    before, dead = answers(replica), query(replica, WORKED_ON)
    query(replica, "UPDATE terna_customer_features SET asked_at = asked_at - interval '31 days'")
    replica.project.compose("pause", "proxy")
    try:
        replica.project.compose("restart", "--timeout", "5", "erp-cron")
        replica.wait_until(lambda: query(replica, WORKED_ON) != dead, "erp-worker")
        replica.project.compose("kill", *SERVER_3)
    finally:
        replica.project.compose("unpause", "proxy")
    replica.project.up("--no-deps", *SERVER_3)
    assert query(replica, WAITING) == str(len(before))
    query(replica, TEN_MINUTES_LATER)
    replica.wait_until(lambda: query(replica, WAITING) == "0", "erp-worker")
    assert answers(replica) == {customer: count + 1 for customer, count in before.items()}


def answers(replica: ComposeStack) -> dict[str, int]:
    """Return how often each customer's label was answered."""
    counts = "SELECT features, count(*) FROM terna_label GROUP BY features"
    found = json.loads(query(replica, f"SELECT json_object_agg(features, count) FROM ({counts}) n"))
    return dict(found)


SERVER_3 = ("erp", "erp-worker", "erp-cron", "erp-database")
WORKED_ON = "SELECT count(*) FROM ir_queue WHERE dequeued_at IS NOT NULL AND finished_at IS NULL"
WAITING = "SELECT count(*) FROM terna_customer_features WHERE waiting"
TEN_MINUTES_LATER = "UPDATE terna_customer_features SET queued_until = now() - interval '1 minute'"
