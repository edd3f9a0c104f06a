"""Logins by the company's authorization server: OpenID Connect, authorization code with PKCE.

The server says who somebody is, and never makes a user: a claim names a login that is there.
https://openid.net/specs/openid-connect-core-1_0.html
"""

import hmac
import logging
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from requests import RequestException
from trytond.pool import Pool
from trytond.protocols.dispatcher import register_authentication_service
from trytond.protocols.wrappers import (
    Request,
    Response,
    abort,
    redirect,
    with_pool,
    with_transaction,
)
from trytond.wsgi import app

from terna.erp.tryton import audit, ticket
from terna.erp.tryton.configuration import option, read_file
from terna.erp.tryton.pages import page
from terna.erp.tryton.user import new_session
from terna.errors import SettingsError

logger = logging.getLogger(__name__)

SERVICE = "/terna/oidc/login"
COOKIE = "__Host-terna-oidc"
"""Binds the answer of the authorization server to the browser that has asked."""

PURPOSE = "openid connect"

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "Ed25519"]
"""That sign ID tokens: none by a secret that is shared, and none without a signature."""

TIMEOUT = 10
LEEWAY = 60
"""Seconds: of one request to the server, and by which its clock may differ."""

if option("oidc_issuer"):
    register_authentication_service(option("oidc_name", "Company account"), SERVICE)


class Refused(Exception):
    """The server's answer logs nobody in; the text says why, without a value of it."""


FAILURES = (
    *(Refused, AuthlibBaseError, JoseError, RequestException, ValueError, KeyError),
    SettingsError,
)
"""What is raised by an answer that is not as it must be, or without the client's secret."""


@app.route("/<string:database_name>/terna/oidc/login", methods=["GET"])
@with_pool
def begin(request: Request, pool: Pool) -> Response:
    """Send the browser to the authorization server."""
    kept = {
        "state": secrets.token_urlsafe(),
        "nonce": secrets.token_urlsafe(),
        "verifier": secrets.token_urlsafe(48),
        "renew": _renewed_user(request),
    }
    try:
        with _client(request, pool) as client:
            address, _ = client.create_authorization_url(
                _https(_metadata(client)["authorization_endpoint"]),
                state=kept["state"],
                nonce=kept["nonce"],
                code_verifier=kept["verifier"],
            )
    except FAILURES as error:
        return _refuse(request, pool, "page_oidc_away", error, HTTPStatus.BAD_GATEWAY)
    response = redirect(address)
    response.headers["Cache-Control"] = "no-store"
    response.set_cookie(
        COOKIE,
        ticket.issue(PURPOSE, **kept),
        max_age=ticket.SECONDS,
        secure=True,
        httponly=True,
        samesite="Lax",  # it comes back by a link from the authorization server
    )
    return response


@app.route("/<string:database_name>/terna/oidc/callback", methods=["GET"])
@with_pool
def finish(request: Request, pool: Pool) -> Response:
    """Log in whom the authorization server names, and hand the session to the web client."""
    kept = ticket.read(PURPOSE, request.cookies.get(COOKIE, ""))
    state = request.args.get("state", "")
    if kept is None or not hmac.compare_digest(kept["state"].encode(), state.encode()):
        why = Refused("the state is not of this browser")
        return _refuse(request, pool, "page_oidc_late", why)
    try:  # outside of a transaction, which would last as long as the server's answers
        with _client(request, pool) as client:
            login = _login(_claims(client, request.args, kept))
    except FAILURES as error:
        return _refuse(request, pool, "page_oidc_refused", error)
    return _admit(request, pool, login, kept["renew"])


@with_transaction(readonly=False)
def _admit(request: Request, pool: Pool, login: str, renew: str | None) -> Response:
    user = pool.get("res.user")._get_login(login)[0]
    if user is None or renew not in {None, str(user)}:
        return _refused_page(request, "page_oidc_unknown", Refused("nobody's login, or another's"))
    audit.record(login, "log in with openid connect")
    session = {
        "login": login,
        "user": user,
        "session": new_session(pool, user),
        "service": SERVICE,
    }
    return _without_cookie(page(request, "session.html", error=None, session=session))


def _client(request: Request, pool: Pool) -> OAuth2Session:
    if not option("oidc_issuer"):
        abort(HTTPStatus.NOT_FOUND)
    secret = read_file("oidc_client_secret_file")
    return OAuth2Session(
        client_id=option("oidc_client_id"),
        client_secret=secret or None,
        token_endpoint_auth_method="client_secret_basic" if secret else "none",
        scope=option("oidc_scope", "openid profile"),
        redirect_uri=f"{request.host_url}{pool.database_name}/terna/oidc/callback",
        code_challenge_method="S256",
        default_timeout=TIMEOUT,
    )


def _trusted() -> str | bool:
    """Return the CA of the server for each request: the environment's goes before a session's."""
    return option("oidc_ca") or True


def _metadata(client: OAuth2Session) -> dict[str, Any]:
    """Return what the server says of itself: https://openid.net/specs/openid-connect-discovery-1_0.html"""
    issuer = option("oidc_issuer")
    metadata = _get(client, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if metadata.get("issuer") != issuer:
        raise Refused("the authorization server gives another issuer")
    return metadata


def _claims(
    client: OAuth2Session, answer: Mapping[str, str], kept: dict[str, Any]
) -> dict[str, Any]:
    """Return the claims of an ID token that is the issuer's, for us and for this login.

    Raises:
        Refused: the server names no one, or has not asked for a second factor. Authlib, joserfc
            and requests raise their own errors for what is wrong with an answer.
    """
    if "error" in answer:
        raise Refused("the authorization server has not logged the user in")
    metadata = _metadata(client)
    token = client.fetch_token(
        _https(metadata["token_endpoint"]),
        grant_type="authorization_code",
        code=answer["code"],
        code_verifier=kept["verifier"],
        verify=_trusted(),
    )
    keys = KeySet.import_key_set(_get(client, metadata["jwks_uri"]))  # type: ignore[arg-type]
    decoded = jwt.decode(token["id_token"], keys, algorithms=ALGORITHMS)
    claims = CodeIDToken(
        decoded.claims,
        decoded.header,
        options={
            "iss": {"essential": True, "value": option("oidc_issuer")},
            "aud": {"essential": True, "value": option("oidc_client_id")},
        },
        params={
            "nonce": kept["nonce"],
            "client_id": option("oidc_client_id"),
            "access_token": token.get("access_token"),
        },
    )
    claims.validate(leeway=LEEWAY)
    wanted = set(option("oidc_amr", "mfa").split())
    if wanted and not wanted & set(claims.get("amr") or []):
        raise Refused("the authorization server has not asked for a second factor: see oidc_amr")
    return dict(claims)


def _login(claims: Mapping[str, Any]) -> str:
    """Return the login that a claim names.

    Raises:
        Refused: there is no such claim, or it is an e-mail address that nobody has checked.
    """
    name = option("oidc_claim", "preferred_username")
    if name == "email" and claims.get("email_verified") is not True:
        raise Refused("the authorization server has not checked the e-mail address")
    if not isinstance(claims.get(name), str):
        raise Refused("the ID token has no text in the claim of the login: see oidc_claim")
    return str(claims[name])


def _get(client: OAuth2Session, address: str) -> dict[str, Any]:
    answer = client.get(_https(address), withhold_token=True, verify=_trusted())
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def _https(address: str) -> str:
    if urlsplit(address).scheme != "https":
        raise Refused("the authorization server has an address without TLS")
    return address


def _renewed_user(request: Request) -> str | None:
    """Return the user whose session has ended, where the web client asks to go on with it."""
    following = urlsplit(request.args.get("next", "")).query
    return parse_qs(following).get("renew", [None])[0]


@with_transaction()
def _refuse(request: Request, pool: Pool, *why: Any) -> Response:
    return _refused_page(request, *why)


def _refused_page(
    request: Request, message: str, why: Exception, status: HTTPStatus = HTTPStatus.FORBIDDEN
) -> Response:
    said = f": {why}" if isinstance(why, Refused | SettingsError) else ""
    logger.error("login with OpenID Connect failed: %s%s", type(why).__name__, said)
    audit.record("unknown", "log in with openid connect", outcome="failed")
    return _without_cookie(page(request, "session.html", status, error=message, session=None))


def _without_cookie(response: Response) -> Response:
    response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="Lax")
    return response
