"""Logins by an authorization server of the company: OpenID Connect against a real one."""

import re
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from terna.ports import free_port
from terna.processes import stop
from terna.security.ca import Service, ensure_certificates
from tests.integration.tryton.people import enrol, make_user
from tests.integration.tryton.server import ADMINISTRATOR, DATABASE, Erp, Session, running_erp
from tests.running import wait_until

CLIENT, SECRET = "terna", "the client's secret: +/%"
LOGIN = f"/{DATABASE}/terna/oidc/login"
COOKIE = "__Host-terna-oidc"
FORBIDDEN, BAD_GATEWAY = 403, 502


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    """The ports of the ERP and of the authorization server, which name each other."""
    erp = free_port()
    return erp, free_port(avoid=(erp,))


@pytest.fixture(scope="module")
def issuer(
    ports: tuple[int, int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """An authorization server, and a browser that trusts its certificate."""
    folder = tmp_path_factory.mktemp("oidc")
    ensure_certificates(folder / "certs", folder / "secrets", [Service("oidc", ("localhost",))])
    callback = f"http://127.0.0.1:{ports[0]}/{DATABASE}/terna/oidc/callback"
    program = Path(__file__).with_name("authorization_server.py")
    command = [sys.executable, str(program), str(folder), str(ports[1]), callback, CLIENT, SECRET]
    trusted = ssl.create_default_context(cafile=folder / "certs/ca.crt")
    url = f"https://localhost:{ports[1]}"
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
        httpx.Client(base_url=url, verify=trusted) as browser,
    ):
        try:
            wait_until(lambda: _answers(browser), 60)
            (folder / "client.secret").write_text(f"{SECRET}\n")
            browser.headers["X-Folder"] = str(folder)
            yield browser
        finally:
            stop(process, 10)


def _answers(browser: httpx.Client) -> bool:
    try:
        return browser.get("/jwks").is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def erp(
    erp_folder: Callable[[], Path], ports: tuple[int, int], issuer: httpx.Client
) -> Iterator[Erp]:
    """A server that knows the authorization server, with a user alice."""
    folder = Path(issuer.headers["X-Folder"])
    terna = {
        "oidc_issuer": f"https://localhost:{ports[1]}",
        "oidc_client_id": CLIENT,
        "oidc_client_secret_file": str(folder / "client.secret"),
        "oidc_ca": str(folder / "certs/ca.crt"),
    }
    with running_erp(erp_folder(), port=ports[0], terna=terna) as erp:
        make_user(erp, enrol(erp, ADMINISTRATOR), "alice")
        yield erp


@pytest.fixture(autouse=True)
def honest(issuer: httpx.Client) -> None:
    tell(issuer)


def tell(authorization_server: httpx.Client, **changed: Any) -> None:
    """Have the authorization server say other things than it should."""
    assert authorization_server.post("/test/next", json=changed).is_success


def begin(erp: Erp, **query: str) -> tuple[str, str]:
    """Return where the browser is sent, and the cookie that it gets."""
    sent = erp.http.get(LOGIN, params=query)
    assert sent.is_redirect, sent.text
    flags = sent.headers["set-cookie"].split("; ", 1)
    assert set(flags[1].split("; ")) >= {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}
    return sent.headers["location"], flags[0].partition("=")[2]


def authorize(issuer: httpx.Client, address: str, name: str = "alice") -> str:
    """Log in there, and return where the browser is sent back."""
    assert "name" in issuer.get(address).text
    return issuer.post(address, data={"name": name}).headers["location"]


def finish(erp: Erp, address: str, cookie: str) -> httpx.Response:
    return erp.http.get(address, headers={"Cookie": f"{COOKIE}={cookie}"})


def log_in(erp: Erp, issuer: httpx.Client, name: str = "alice", **query: str) -> httpx.Response:
    address, cookie = begin(erp, **query)
    return finish(erp, authorize(issuer, address, name), cookie)


def session_of(page: httpx.Response) -> Session:
    """Return the session that the page hands to the web client."""
    assert page.is_success, page.text
    given = dict(re.findall(r'data-(\w+)="(.*?)"', page.text))
    assert given["service"] == "/terna/oidc/login"
    return Session(given["login"], int(given["user"]), given["session"])


def test_web_client_offers_the_login_and_it_ends_with_a_session(
    erp: Erp, issuer: httpx.Client
) -> None:
    body = {"id": 1, "method": "common.authentication.services", "params": []}
    assert ["Company account", "/terna/oidc/login"] in erp.http.post("/", json=body).json()[
        "result"
    ]
    session = session_of(log_in(erp, issuer))
    told = erp.call("model.res.user.get_preferences", False, {}, session=session)
    assert told["name"] == "Alice"
    assert '"who":"alice","action":"log in with openid connect","where"' in erp.audit()


def test_request_has_pkce_a_state_and_a_nonce_that_are_new_each_time(erp: Erp) -> None:
    first, second = (parse_qs(urlsplit(begin(erp)[0]).query) for _ in range(2))
    assert first["response_type"] == ["code"]
    assert first["code_challenge_method"] == ["S256"]
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]


@pytest.mark.parametrize(
    "changed",
    [
        {"other_key": True},
        {"claims": {"iss": "https://other.example.org"}},
        {"claims": {"aud": ["another client"]}},
        {"claims": {"aud": [CLIENT, "another client"], "azp": "another client"}},
        {"claims": {"exp": 1_000_000_000}},
        {"claims": {"nonce": "of another login"}},
        {"claims": {"at_hash": "of another token"}},
        {"claims": {"preferred_username": None}},
        {"claims": {"preferred_username": ["alice"]}},
        {"amr": ["pwd"]},
    ],
    ids=str,
)
def test_id_token_that_is_not_for_this_login_is_refused(
    erp: Erp, issuer: httpx.Client, changed: dict[str, Any]
) -> None:
    tell(issuer, **changed)
    page = log_in(erp, issuer)
    assert page.status_code == FORBIDDEN
    assert "data-session" not in page.text
    assert "has not let you in" in page.text


def test_issuer_of_another_name_is_refused(erp: Erp, issuer: httpx.Client) -> None:
    tell(issuer, issuer="https://other.example.org")
    page = erp.http.get(LOGIN)
    assert page.status_code == BAD_GATEWAY
    assert "does not answer" in page.text


@pytest.mark.parametrize("name", ["mallory", ""])
def test_who_is_no_user_is_refused_and_not_made_one(
    erp: Erp, issuer: httpx.Client, name: str
) -> None:
    users = erp.query("SELECT count(*) FROM res_user")
    assert log_in(erp, issuer, name).status_code == FORBIDDEN
    assert erp.query("SELECT count(*) FROM res_user") == users


def test_user_who_is_no_more_active_is_refused(erp: Erp, issuer: httpx.Client) -> None:
    erp.query("UPDATE res_user SET active = 0 WHERE login = 'alice'")
    try:
        assert log_in(erp, issuer).status_code == FORBIDDEN
    finally:
        erp.query("UPDATE res_user SET active = 1 WHERE login = 'alice'")


def test_answer_is_taken_once_and_in_the_browser_that_asked(erp: Erp, issuer: httpx.Client) -> None:
    address, cookie = begin(erp)
    _, other_cookie = begin(erp)
    answer = authorize(issuer, address)
    for wrong in ("", "x", other_cookie):
        assert finish(erp, answer, wrong).status_code == FORBIDDEN
    session_of(finish(erp, answer, cookie))
    assert finish(erp, answer, cookie).status_code == FORBIDDEN


def test_session_goes_on_for_the_same_user_only(erp: Erp, issuer: httpx.Client) -> None:
    user = session_of(log_in(erp, issuer)).user
    back = "http://127.0.0.1/?login_service=x&renew="
    assert session_of(log_in(erp, issuer, next=f"{back}{user}")).user == user
    assert log_in(erp, issuer, next=f"{back}{user + 1}").status_code == FORBIDDEN


def test_no_secret_of_the_login_is_in_a_log(erp: Erp, issuer: httpx.Client) -> None:
    address, cookie = begin(erp)
    answer = authorize(issuer, address)
    session = session_of(finish(erp, answer, cookie))
    for secret in (cookie, session.key, SECRET, parse_qs(urlsplit(answer).query)["code"][0]):
        assert secret not in erp.log()
        assert secret not in erp.audit()
