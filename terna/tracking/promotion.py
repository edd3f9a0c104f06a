"""A promotion moves alias, stage and tag together, whichever of them a client has moved.

MLflow's UI moves the alias alone, and clients from before aliases the stage alone. The rest is
asked of MLflow on behalf of the same caller, so that nobody moves what he may not.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Scope

from terna.registry.registry import ALIAS, PROMOTED_TAG, STAGE

MODELS, VERSIONS = "/api/2.0/mlflow/registered-models", "/api/2.0/mlflow/model-versions"


async def complete(app: ASGIApp, scope: Scope, fields: Mapping[str, Any]) -> None:
    """Move the rest after a request that has moved the alias or the stage of production."""
    moved = fields.get("alias") == ALIAS or str(fields.get("stage", "")).lower() == STAGE.lower()
    if moved and scope["method"] == "POST":
        for path, body in _moves(str(fields["name"]), str(fields["version"])):
            await _post(app, scope, path, body)


def _moves(name: str, version: str) -> Iterable[tuple[str, Mapping[str, object]]]:
    stage = {"stage": STAGE, "archive_existing_versions": True}
    yield f"{VERSIONS}/transition-stage", {"name": name, "version": version, **stage}
    yield f"{MODELS}/alias", {"name": name, "version": version, "alias": ALIAS}
    yield f"{MODELS}/set-tag", {"name": name, "key": PROMOTED_TAG, "value": version}


async def _post(app: ASGIApp, scope: Scope, path: str, body: Mapping[str, object]) -> None:
    """Ask the application as the caller of `scope` does, and drop what it answers."""
    content = json.dumps(body).encode()
    replaced = (b"content-length", b"content-type", b"transfer-encoding")
    headers = [
        *((name, value) for name, value in scope["headers"] if name not in replaced),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
    ]
    asked = {"method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}

    async def receive() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(_: Message) -> None:
        pass

    await app({**scope, **asked, "headers": headers, "state": {}}, receive, send)
