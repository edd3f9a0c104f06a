"""The page on which a user sets up the second factor, and with it logs in for the first time.

There is no session before it is set up, so nothing that a client does goes around it.
"""

import re
from http import HTTPStatus
from typing import Any

import pyotp
import segno
from genshi import Markup
from trytond.config import config
from trytond.exceptions import LoginException, RateLimitException
from trytond.pool import Pool
from trytond.protocols.dispatcher import register_authentication_service
from trytond.protocols.wrappers import Request, Response, with_pool, with_transaction
from trytond.transaction import Transaction
from trytond.wsgi import app

from terna.erp.tryton import audit, ticket
from terna.erp.tryton.pages import page
from terna.erp.tryton.second_factor import normalized, step_of
from terna.erp.tryton.user import CODE, ENROLLING, new_session

PAGE = "second_factor.html"
PURPOSE = "second factor"

if "totp" in re.split("[,+]", config.get("session", "authentications", default="")):
    register_authentication_service("First login: set up the second factor", "/terna/second-factor")


@app.route("/<string:database_name>/terna/second-factor", methods=["GET"])
@with_pool
@with_transaction()
def ask_for_login(request: Request, pool: Pool) -> Response:
    """Ask for login and password, and for a code where there is a second factor already."""
    del pool
    return _login_page(request)


@app.route("/<string:database_name>/terna/second-factor", methods=["POST"])
@with_pool
@with_transaction()
def show_secret(request: Request, pool: Pool) -> Response:
    """Show a new secret as a QR code to who has logged in with all factors that there are."""
    login = request.form.get("login", "")
    try:
        user = _check(pool, login, request.form)
    except RateLimitException:
        return _login_page(request, "page_locked", HTTPStatus.TOO_MANY_REQUESTS)
    if user is None:
        return _login_page(request, "page_wrong", HTTPStatus.UNAUTHORIZED)
    shared = pyotp.random_base32()
    return _secret_page(request, user=user, login=login, shared=shared, former=_former(pool, user))


@app.route("/<string:database_name>/terna/second-factor/confirm", methods=["POST"])
@with_pool
@with_transaction()
def confirm(request: Request, pool: Pool) -> Response:
    """Set the second factor up for who has a code of it, show the recovery codes, and log in."""
    values = ticket.read(PURPOSE, request.form.get("ticket", ""))
    if values is None or _former(pool, values["user"]) != values["former"]:
        return _login_page(request, "page_late", HTTPStatus.UNAUTHORIZED)
    step = step_of(values["shared"], normalized(request.form.get("code", "")))
    if step is None:
        return _secret_page(request, "page_wrong_code", HTTPStatus.UNAUTHORIZED, **values)
    codes = pool.get("terna.second_factor").enrol(values["user"], values["shared"], step)
    audit.record(values["login"], "set up second factor")
    session = new_session(pool, values["user"])
    return page(
        request,
        PAGE,
        step="recovery",
        error=None,
        codes=codes,
        session={"login": values["login"], "user": values["user"], "session": session},
    )


def _check(pool: Pool, login: str, form: Any) -> int | None:
    parameters = {"password": form.get("password", "")}
    if form.get("code"):
        parameters[CODE] = form["code"]
    try:
        with Transaction().set_context({ENROLLING: True}):
            user: int | None = pool.get("res.user").get_login(login, parameters)
    except LoginException:  # it asks for the code of the former second factor
        return None
    return user


def _former(pool: Pool, user: int) -> int | None:
    """Return which second factor the user has: a ticket is for replacing this one only."""
    factor = pool.get("terna.second_factor").of(user)
    return factor.id if factor else None


def _login_page(
    request: Request, error: str | None = None, status: HTTPStatus = HTTPStatus.OK
) -> Response:
    return page(request, PAGE, status, step="login", error=error, session=None)


def _secret_page(
    request: Request,
    error: str | None = None,
    status: HTTPStatus = HTTPStatus.OK,
    **values: Any,
) -> Response:
    shared = values["shared"]
    address = pyotp.TOTP(shared).provisioning_uri(
        name=values["login"], issuer_name=f"Tryton {Transaction().database.name}"
    )
    qr = segno.make(address, error="m").svg_inline(scale=5, light="#fff")
    return page(
        request,
        PAGE,
        status,
        step="enrol",
        error=error,
        qr=Markup(qr),
        secret=" ".join(re.findall(".{1,4}", shared)),
        ticket=ticket.issue(PURPOSE, **values),
        session=None,
    )
