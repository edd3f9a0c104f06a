"""The replica's ERP, and people who use it: by JSON-RPC, and by its web client in a browser."""

import base64
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pyotp

from tests.browser import Browser
from tests.e2e.stacks.compose import ComposeStack, trusting

DATABASE = "erp"
CUSTOMERS = 1667
"""The hold-out of the demo's table: rows 3334 to 5000."""

PAGE = f"/{DATABASE}/terna/second-factor"


def query(replica: ComposeStack, sql: str) -> str:
    """Ask the ERP's database itself, as its administrator inside the container."""
    psql = ("psql", "--tuples-only", "--no-align", "--dbname", DATABASE, "--command", sql)
    return replica.project.compose("exec", "-T", "erp-database", *psql).strip()


def features(replica: ComposeStack) -> dict[int, dict[str, Any]]:
    """Return each customer's features, by the party."""
    told = query(replica, 'SELECT json_object_agg(party, "values") FROM terna_customer_features')
    return {int(party): values for party, values in json.loads(told).items()}


@dataclass
class Person:
    """A user with a second factor: what is in their authenticator app, and a session by RPC."""

    login: str
    password: str
    secret: str
    user: int
    session: str
    address: str
    http: httpx.Client
    last_step: int

    def call(self, method: str, *parameters: Any) -> Any:
        """Call a method of Tryton; fails the test when the answer is an error."""
        session = base64.b64encode(f"{self.login}:{self.user}:{self.session}".encode()).decode()
        answer = self.http.post(
            f"/{DATABASE}/",
            json={"id": 1, "method": method, "params": [*parameters, {}]},
            headers={"authorization": f"Session {session}"},
        )
        assert answer.is_success, answer.text
        told = answer.json()
        assert "error" not in told, told["error"]
        return told["result"]

    def code(self) -> str:
        """Return a code of the app that was not used yet, as soon as it is one of these minutes."""
        totp = pyotp.TOTP(self.secret)
        self.last_step = max(self.last_step + 1, totp.timecode(time.time()))
        while self.last_step > totp.timecode(time.time()) + 1:  # the clock's skew that is allowed
            time.sleep(0.2)
        return totp.generate_otp(self.last_step)

    def log_in(self, window: Browser) -> None:
        """Log in with both factors, by the web client's dialogs."""
        window.open_until(f"{self.address}/", "User name")
        window.type("#login", self.login)
        window.wait_until("document.querySelector('input#database').value")
        window.press("Login")
        for asked, factor in (("Password for", self.password), ("authenticator", self.code())):
            window.wait_for(asked)
            window.type("#ask-dialog-entry", factor)
            window.press("OK")
        window.wait_for(self.login)

    def show(self, window: Browser, record: str) -> None:
        """Open a record, such as `party.party/2`, by its address."""
        window.open_until(f"{self.address}/#{DATABASE}/model/{record}", self.login)


class People(dict[str, Person]):
    """The first users by their login, each of whom sets up a second factor when first needed."""

    def __init__(self, replica: ComposeStack) -> None:
        super().__init__()
        self._replica = replica

    def __missing__(self, login: str) -> Person:
        project = self._replica.project
        address, ca = f"https://localhost:{project.https_port}", self._replica.root / "certs/ca.crt"
        found = enrol(address, ca, login, password=project.secret(f"erp/users/{login}"))
        return self.setdefault(login, found)


def enrol(address: str, ca: Path, login: str, password: str) -> Person:
    """Set up the second factor of a user, on the page that they get."""
    http = httpx.Client(base_url=address, verify=trusting(ca), timeout=60)
    shown = http.post(PAGE, data={"login": login, "password": password}).text
    secret = re.findall(r'id="secret">(.*?)<', shown)[0].replace(" ", "")
    ticket = re.findall(r'name="ticket" value="(.*?)"', shown)[0]
    step = pyotp.TOTP(secret).timecode(time.time())
    code = pyotp.TOTP(secret).generate_otp(step)
    done = http.post(f"{PAGE}/confirm", data={"ticket": ticket, "code": code}).text
    user, session = re.findall(r'data-user="(\d+)" data-session="(\w+)"', done)[0]
    return Person(login, password, secret, int(user), session, address, http, step)
