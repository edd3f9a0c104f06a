"""Who may log in to the ERP: both factors, recovery codes, the lock-out, and sessions that end."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from pathlib import Path

import pyotp
import pytest
import segno

from terna.erp.tryton import second_factor
from tests.integration.tryton.people import PAGE, Enrolled, begin, enrol, make_user
from tests.integration.tryton.server import (
    ADMINISTRATOR,
    DATABASE,
    PASSWORD,
    Erp,
    Refused,
    Session,
    running_erp,
)

NUMBERS = count()
UNAUTHORIZED = 401
TOO_MANY = 429


@pytest.fixture(scope="module")
def erp(erp_folder: Callable[[], Path]) -> Iterator[Erp]:
    """A server whose logins take a password and a code."""
    with running_erp(erp_folder()) as erp:
        yield erp


@pytest.fixture(scope="module")
def administrator(erp: Erp) -> Enrolled:
    return enrol(erp, ADMINISTRATOR)


@pytest.fixture
def user(erp: Erp, administrator: Enrolled) -> str:
    """The login of a user who has never logged in."""
    login = f"user{next(NUMBERS)}"
    make_user(erp, administrator, login, password=PASSWORD)
    return login


@pytest.fixture
def enrolled(erp: Erp, user: str) -> Enrolled:
    return enrol(erp, user)


def let_a_minute_pass(erp: Erp) -> None:
    """Make all failures a minute older."""
    make_older(erp, "res_user_login_attempt", "create_date", timedelta(seconds=61))


def make_older(erp: Erp, table: str, column: str, by: timedelta, where: str = "TRUE") -> None:
    moved = f"strftime('%Y-%m-%d %H:%M:%f', {column}, '-{by.total_seconds()} seconds')"
    erp.query(f"UPDATE {table} SET {column} = {moved} WHERE {where}")


def forget_used_codes(erp: Erp) -> None:
    """Let a code of now be used that was used already."""
    erp.query("UPDATE terna_second_factor SET last_step = 0")


def who_am_i(erp: Erp, session: Session) -> str:
    return str(erp.call("model.res.user.get_preferences", False, {}, session=session)["name"])


def test_new_user_gets_no_session_for_a_password_but_the_way_to_the_second_factor(
    erp: Erp, user: str
) -> None:
    for code in ({}, {"totp_code": "123456"}):
        with pytest.raises(Refused, match=r"no second factor yet.*First login"):
            erp.log_in(user, password=PASSWORD, **code)
    assert ["First login: set up the second factor", "/terna/second-factor"] in erp.http.post(
        "/", json={"id": 1, "method": "common.authentication.services", "params": []}
    ).json()["result"]
    assert not sessions_of(erp, user)


def sessions_of(erp: Erp, login: str) -> list[tuple[str]]:
    return erp.query(
        "SELECT key FROM ir_session WHERE create_uid = (SELECT id FROM res_user WHERE login = ?)",
        login,
    )


def test_page_shows_the_secret_as_the_qr_code_that_apps_read(erp: Erp, user: str) -> None:
    shown = erp.http.post(PAGE, data={"login": user, "password": PASSWORD}).text
    secret = re.findall(r'id="secret">(.*?)<', shown)[0].replace(" ", "")
    address = (
        f"otpauth://totp/Tryton%20{DATABASE}:{user}?secret={secret}&issuer=Tryton%20{DATABASE}"
    )
    drawn = re.findall(r'class="qrline".*? d="(.*?)"', shown)
    expected = segno.make(address, error="m").svg_inline(scale=5, light="#fff")
    assert drawn == re.findall(r'class="qrline".*? d="(.*?)"', expected)
    assert len(drawn) == 1


def test_page_logs_in_and_the_next_login_takes_password_and_code(
    erp: Erp, enrolled: Enrolled
) -> None:
    assert who_am_i(erp, enrolled.session) == enrolled.login.title()
    with pytest.raises(Refused, match="authenticator app"):
        erp.log_in(enrolled.login, password=PASSWORD)
    session = erp.log_in(enrolled.login, password=PASSWORD, totp_code=enrolled.code(later=1))
    assert who_am_i(erp, session) == enrolled.login.title()


def test_code_is_refused_without_the_password(erp: Erp, enrolled: Enrolled) -> None:
    forget_used_codes(erp)
    with pytest.raises(Refused, match=str(UNAUTHORIZED)):
        erp.log_in(enrolled.login, password="wrong", totp_code=enrolled.code())


def test_password_alone_is_refused_as_basic_authentication_too(
    erp: Erp, enrolled: Enrolled
) -> None:
    body = {"id": 1, "method": "model.res.user.get_preferences", "params": [True, {}]}
    answer = erp.http.post(f"/{DATABASE}/", json=body, auth=(enrolled.login, PASSWORD))
    assert "result" not in answer.json()


def test_code_of_the_enrolment_is_used_up(erp: Erp, enrolled: Enrolled) -> None:
    used = pyotp.TOTP(enrolled.secret)
    step = erp.query("SELECT last_step FROM terna_second_factor ORDER BY id DESC LIMIT 1")[0][0]
    with pytest.raises(Refused, match=str(UNAUTHORIZED)):
        erp.log_in(enrolled.login, password=PASSWORD, totp_code=used.generate_otp(step))


def test_no_code_logs_in_twice_and_none_from_before_it(erp: Erp, enrolled: Enrolled) -> None:
    now, later = enrolled.code(), enrolled.code(later=1)
    erp.log_in(enrolled.login, password=PASSWORD, totp_code=later)
    for used in (later, now):
        with pytest.raises(Refused, match=str(UNAUTHORIZED)):
            erp.log_in(enrolled.login, password=PASSWORD, totp_code=used)


def test_of_two_logins_at_once_with_one_code_one_succeeds(erp: Erp, enrolled: Enrolled) -> None:
    code = enrolled.code(later=1)

    def log_in(_: int) -> bool:
        try:
            erp.log_in(enrolled.login, password=PASSWORD, totp_code=code)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(log_in, range(4))) == 1


@pytest.mark.parametrize(
    ("steps", "right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_clocks_may_differ_by_one_step(
    steps: int, right: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_800_000_015
    monkeypatch.setattr(second_factor.time, "time", lambda: now)
    secret = pyotp.random_base32()
    code = pyotp.TOTP(secret).at(now + 30 * steps)
    assert second_factor.step_of(secret, code) == (now // 30 + steps if right else None)


def test_each_recovery_code_logs_in_once(erp: Erp, enrolled: Enrolled) -> None:
    assert len(set(enrolled.recovery_codes)) == second_factor.RECOVERY_CODES
    for code in (enrolled.recovery_codes[0], enrolled.recovery_codes[1].replace("-", "").upper()):
        erp.log_in(enrolled.login, password=PASSWORD, totp_code=code)
        with pytest.raises(Refused, match=str(UNAUTHORIZED)):
            erp.log_in(enrolled.login, password=PASSWORD, totp_code=code)


def test_database_holds_neither_secret_nor_recovery_codes(erp: Erp, enrolled: Enrolled) -> None:
    dump = "\n".join(
        str(row)
        for table in ("terna_second_factor", "terna_recovery_code")
        for row in erp.query(f"SELECT * FROM {table}")
    )
    assert str(enrolled.session.user) in dump
    for code in enrolled.recovery_codes:
        assert code not in dump
        assert code.replace("-", "") not in dump
    assert enrolled.secret not in dump


def test_second_factor_is_replaced_only_by_who_has_it(erp: Erp, enrolled: Enrolled) -> None:
    form = {"login": enrolled.login, "password": PASSWORD}
    for wrong in ({}, {"code": "000000"}):
        assert erp.http.post(PAGE, data=form | wrong).status_code == UNAUTHORIZED
    again = enrol(erp, enrolled.login, code=enrolled.recovery_codes[0])
    forget_used_codes(erp)
    for former in (enrolled.code(), enrolled.recovery_codes[1]):
        with pytest.raises(Refused, match=str(UNAUTHORIZED)):
            erp.log_in(enrolled.login, password=PASSWORD, totp_code=former)
    erp.log_in(enrolled.login, password=PASSWORD, totp_code=again.code())


def test_page_is_used_once_with_a_right_code_and_its_own_ticket(erp: Erp, user: str) -> None:
    secret, ticket = begin(erp, user)
    right = pyotp.TOTP(secret).now()
    for data in ({}, {"ticket": "x", "code": right}, {"ticket": ticket, "code": "000000"}):
        answer = erp.http.post(f"{PAGE}/confirm", data=data)
        assert answer.status_code == UNAUTHORIZED
        assert "data-session" not in answer.text
    assert erp.http.post(f"{PAGE}/confirm", data={"ticket": ticket, "code": right}).is_success
    again = erp.http.post(f"{PAGE}/confirm", data={"ticket": ticket, "code": right})
    assert again.status_code == UNAUTHORIZED


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"password": PASSWORD, "totp_code": "0"}])
def test_five_wrong_passwords_or_codes_lock_for_a_minute(
    erp: Erp, enrolled: Enrolled, wrong: dict[str, str]
) -> None:
    for _ in range(5):
        with pytest.raises(Refused, match=str(UNAUTHORIZED)):
            erp.log_in(enrolled.login, **wrong)
    right = {"password": PASSWORD, "totp_code": enrolled.code(later=1)}
    for _ in range(2):
        with pytest.raises(Refused, match=str(TOO_MANY)):
            erp.log_in(enrolled.login, **right)
    data = {"login": enrolled.login, "password": PASSWORD, "code": right["totp_code"]}
    assert erp.http.post(PAGE, data=data).status_code == TOO_MANY
    let_a_minute_pass(erp)
    with pytest.raises(Refused, match=str(UNAUTHORIZED)):
        erp.log_in(enrolled.login, **wrong)
    with pytest.raises(Refused, match=str(TOO_MANY)):  # one attempt a minute from now on
        erp.log_in(enrolled.login, **right)
    let_a_minute_pass(erp)
    erp.log_in(enrolled.login, **right)
    with pytest.raises(Refused, match=str(UNAUTHORIZED)):  # the failures are forgotten
        erp.log_in(enrolled.login, **wrong)


def test_strangers_do_not_lock_out_a_browser_that_the_user_has_used(
    erp: Erp, enrolled: Enrolled
) -> None:
    cookie = erp.call("model.res.user.device.renew", None, {}, session=enrolled.session)
    for _ in range(6):
        with pytest.raises(Refused):
            erp.log_in(enrolled.login, password="wrong")
    right = {"password": PASSWORD, "totp_code": enrolled.code(later=1)}
    with pytest.raises(Refused, match=str(TOO_MANY)):
        erp.log_in(enrolled.login, **right)
    erp.log_in(enrolled.login, **right, device_cookie=cookie)


@pytest.mark.parametrize(
    ("columns", "age"),
    [
        (("create_date", "write_date"), timedelta(minutes=16)),
        (("create_date",), timedelta(hours=9)),
    ],
)
def test_session_ends_when_it_is_idle_or_old(
    erp: Erp, enrolled: Enrolled, columns: tuple[str, ...], age: timedelta
) -> None:
    assert who_am_i(erp, enrolled.session)
    for column in columns:
        make_older(erp, "ir_session", column, age, f"create_uid = {enrolled.session.user}")
    with pytest.raises(Refused, match=str(UNAUTHORIZED)):
        who_am_i(erp, enrolled.session)
    assert not sessions_of(erp, enrolled.login)


def test_administrator_removes_a_second_factor_which_ends_the_sessions(
    erp: Erp, administrator: Enrolled, enrolled: Enrolled
) -> None:
    button = "model.res.user.remove_second_factor"
    with pytest.raises(Refused, match=r"not allowed|access"):
        erp.call(button, [administrator.session.user], {}, session=enrolled.session)
    erp.call(button, [enrolled.session.user], {}, session=administrator.session)
    with pytest.raises(Refused, match=str(UNAUTHORIZED)):
        who_am_i(erp, enrolled.session)
    with pytest.raises(Refused, match="no second factor yet"):
        erp.log_in(enrolled.login, password=PASSWORD, totp_code=enrolled.recovery_codes[0])
    enrol(erp, enrolled.login)


@pytest.mark.parametrize("model", ["terna.second_factor", "terna.recovery_code"])
def test_nobody_reads_second_factors_the_administrator_included(
    erp: Erp, administrator: Enrolled, model: str
) -> None:
    for method, *params in (
        ("search_read", [], 0, 10, None, ["user"]),
        ("export_data_domain", [], ["id"]),
    ):
        with pytest.raises(Refused):
            erp.call(f"model.{model}.{method}", *params, {}, session=administrator.session)
    headers = {"Authorization": administrator.session.authorization}
    answer = erp.http.get(f"/{DATABASE}/data/{model}", params={"f": "id"}, headers=headers)
    assert not answer.is_success


def test_audit_log_tells_logins_and_no_log_has_a_password_or_a_code(
    erp: Erp, enrolled: Enrolled
) -> None:
    code = enrolled.code(later=1)
    erp.log_in(enrolled.login, password=PASSWORD, totp_code=code)
    for login in (enrolled.login, "typed-into-the-wrong-field"):
        with pytest.raises(Refused):
            erp.log_in(login, password="not-the-password")
    lines = [line for line in erp.audit().splitlines() if f'"who":"{enrolled.login}"' in line]
    told = [
        re.findall(r'"action":"(.*?)"(?:,"outcome":"(\w+)")?,"where":"(.*?)"', line)[0]
        for line in lines
    ]
    assert told == [
        ("begin second factor", "", "127.0.0.1"),
        ("set up second factor", "", "127.0.0.1"),
        ("log in", "", "127.0.0.1"),
        ("log in", "failed", "127.0.0.1"),
    ]
    assert '"who":"unknown","action":"log in","outcome":"failed"' in erp.audit()
    assert "typed-into-the-wrong-field" not in erp.audit()
    for secret in (PASSWORD, "not-the-password", code, enrolled.secret, *enrolled.recovery_codes):
        assert secret not in erp.audit()
        assert secret not in erp.log()
