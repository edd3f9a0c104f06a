"""An authorization server that speaks OpenID Connect over TLS: Authlib's own, in a process.

Run with a folder of certificates, a port, the client's redirect URI, its id and its secret. People
log in by typing a name. `/test/next` changes what the next ID tokens say, or who signs them.
"""

# ruff: noqa: ARG002 - Authlib calls with what its signatures have

import sys
from dataclasses import dataclass
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import UserInfo
from authlib.oidc.core.grants import OpenIDCode
from flask import Flask, Response, jsonify, request
from joserfc.jwk import KeySet, RSAKey

FOLDER, PORT, REDIRECT_URI, CLIENT, SECRET = sys.argv[1:]
ISSUER = f"https://localhost:{PORT}"
KEY, OTHER_KEY = (RSAKey.generate_key(2048, {"kid": "1"}) for _ in range(2))
FORM = '<form method="post"><input name="name" id="name"><button>Log in</button></form>'

app = Flask(__name__)
codes: dict[str, "Code"] = {}
changed: dict[str, Any] = {}


class Client(ClientMixin):
    def get_client_id(self) -> str:
        return CLIENT

    def get_default_redirect_uri(self) -> str:
        return REDIRECT_URI

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == REDIRECT_URI

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class Code(AuthorizationCodeMixin):
    code: str
    user: str
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> None:
        return None

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> list[str]:
        return changed.get("amr", ["pwd", "mfa"])


class Grant(grants.AuthorizationCodeGrant):
    def save_authorization_code(self, code: str, request: Any) -> None:
        asked, data = request.payload, request.payload.data
        codes[code] = Code(
            code,
            request.user,
            asked.redirect_uri,
            asked.scope,
            data.get("nonce"),
            data["code_challenge"],
            data["code_challenge_method"],
        )

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        return codes.get(code)

    def delete_authorization_code(self, authorization_code: Code) -> None:
        del codes[authorization_code.code]

    def authenticate_user(self, authorization_code: Code) -> str:
        return authorization_code.user


class IdToken(OpenIDCode):
    def exists_nonce(self, nonce: str, request: Any) -> bool:
        return any(code.nonce == nonce for code in codes.values())

    def resolve_client_private_key(self, client: Client) -> RSAKey:
        return OTHER_KEY if "other_key" in changed else KEY

    def get_client_algorithm(self, client: Client) -> str:
        return "RS256"

    def get_encode_header(self, client: Client) -> dict[str, str]:
        return {"alg": "RS256", "kid": "1"}

    def get_client_claims(self, client: Client) -> dict[str, Any]:
        return {"iss": ISSUER, "aud": [CLIENT]}

    def generate_user_info(self, user: str, scope: str) -> UserInfo:
        claims = {"sub": f"id of {user}", "preferred_username": user}
        return UserInfo(claims | changed.get("claims", {}))


server = AuthorizationServer(app, lambda _: Client(), lambda _token, _request: None)
server.register_grant(Grant, [IdToken(require_nonce=True), CodeChallenge(required=True)])


@app.get("/.well-known/openid-configuration")
def metadata() -> Response:
    return jsonify(
        issuer=changed.get("issuer", ISSUER),
        authorization_endpoint=f"{ISSUER}/authorize",
        token_endpoint=f"{ISSUER}/token",
        jwks_uri=f"{ISSUER}/jwks",
    )


@app.get("/jwks")
def jwks() -> Response:
    return jsonify(KeySet([KEY]).as_dict(private=False))


@app.get("/authorize")
def ask() -> str:
    return FORM


@app.post("/authorize")
def authorize() -> Any:
    return server.create_authorization_response(grant_user=request.form["name"] or None)


@app.post("/token")
def token() -> Any:
    return server.create_token_response()


@app.post("/test/next")
def change() -> str:
    changed.clear()
    changed.update(request.get_json())
    return ""


if __name__ == "__main__":
    pair = (f"{FOLDER}/certs/oidc/tls.crt", f"{FOLDER}/secrets/oidc/tls.key")
    app.run("127.0.0.1", int(PORT), ssl_context=pair)
