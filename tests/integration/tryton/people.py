"""People who use the ERP: made by its administrator, with an authenticator app of their own."""

import re
import time
from dataclasses import dataclass

import pyotp

from tests.integration.tryton.server import DATABASE, PASSWORD, Erp, Session

PAGE = f"/{DATABASE}/terna/second-factor"


@dataclass
class Enrolled:
    """What the user has after the page: the secret in the app, the recovery codes, a session."""

    login: str
    secret: str
    recovery_codes: list[str]
    session: Session

    def code(self, later: int = 0) -> str:
        """Return the app's code of now, or of some steps later."""
        totp = pyotp.TOTP(self.secret)
        return totp.generate_otp(totp.timecode(time.time()) + later)


def enrol(erp: Erp, login: str, password: str = PASSWORD, **form: str) -> Enrolled:
    """Set the second factor up on the page, as a user does."""
    secret, ticket = begin(erp, login, password, **form)
    shown = erp.http.post(
        f"{PAGE}/confirm", data={"ticket": ticket, "code": pyotp.TOTP(secret).now()}
    )
    assert shown.is_success, shown.text
    codes = re.findall(r"<li><code>(.*?)</code>", shown.text)
    key = re.findall(r'data-user="(\d+)" data-session="(\w+)"', shown.text)
    return Enrolled(login, secret, codes, Session(login, int(key[0][0]), key[0][1]))


def begin(erp: Erp, login: str, password: str = PASSWORD, **form: str) -> tuple[str, str]:
    """Return the secret that the page shows, and its ticket for the next step."""
    shown = erp.http.post(PAGE, data={"login": login, "password": password, **form})
    assert shown.is_success, shown.text
    secret = re.findall(r'id="secret">(.*?)<', shown.text)[0].replace(" ", "")
    return secret, re.findall(r'name="ticket" value="(.*?)"', shown.text)[0]


def make_user(erp: Erp, administrator: Enrolled, login: str, **values: str) -> None:
    """Make a user as the administrator does."""
    made = {"login": login, "name": login.title(), **values}
    erp.call("model.res.user.create", [made], {}, session=administrator.session)
