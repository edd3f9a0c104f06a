"""The routes of MLflow's server that Terna uses, and who may use each: what is not here is denied.

MLflow's permissions say which models and experiments a login may read or edit. This table says on
top of them which routes there are at all, and what they cannot say: that a login may create
versions and not delete them, or tag them and not promote them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum


class Right(Enum):
    """What a login may do."""

    CHECK = "check"
    """Ask whether the registry answers."""
    DOWNLOAD = "download"
    """Read registered models, their versions and files."""
    READ = "read"
    """Read everything else, and open the UI."""
    TAG = "tag"
    """Set tags of versions."""
    WRITE = "write"
    """Create experiments, runs, models, versions and artifacts, and add to them."""
    PROMOTE = "promote"
    """Move aliases and stages."""
    DELETE = "delete"
    """Delete, restore and rename."""
    MANAGE = "manage"
    """Make logins and change what they may do."""


@dataclass(frozen=True)
class Route:
    """A route that is served."""

    right: Right
    method: str
    path: re.Pattern[str]
    event: str = ""
    """How the audit log names a request to it, whose body is read and checked; empty for none."""


_TABLE = """
check     GET     2.0/mlflow/registered-models/search

download  GET     2.0/mlflow/registered-models/get
download  GET     2.0/mlflow/registered-models/alias
download  GET     2.0/mlflow/registered-models/get-latest-versions
download  POST    2.0/mlflow/registered-models/get-latest-versions
download  GET     2.0/mlflow/model-versions/get
download  GET     2.0/mlflow/model-versions/search
download  GET     2.0/mlflow/model-versions/get-download-uri
download  GET     2.0/mlflow/logged-models/<id>
download  GET     2.0/mlflow/logged-models/<id>/artifacts/directories
download  GET     2.0/mlflow/logged-models/<id>/artifacts/files
download  GET     2.0/mlflow-artifacts/artifacts
download  GET     2.0/mlflow-artifacts/artifacts/<path>
download  GET     3.0/mlflow/server-info

read      GET     /
read      GET     /static-files/<path>
read      GET     /version
read      GET     /get-artifact
read      GET     /model-versions/get-artifact
read      POST    /graphql
read      GET     2.0/mlflow/artifacts/list
read      GET     2.0/mlflow/experiments/get
read      GET     2.0/mlflow/experiments/get-by-name
read      GET     2.0/mlflow/experiments/search
read      POST    2.0/mlflow/experiments/search
read      POST    2.0/mlflow/experiments/search-datasets
read      GET     2.0/mlflow/runs/get
read      POST    2.0/mlflow/runs/search
read      GET     2.0/mlflow/metrics/get-history
read      GET     2.0/mlflow/metrics/get-history-bulk
read      GET     2.0/mlflow/metrics/get-history-bulk-interval
read      POST    2.0/mlflow/logged-models/search
read      GET     3.0/mlflow/datasets/<id>
read      GET     3.0/mlflow/datasets/<id>/records
read      GET     3.0/mlflow/datasets/<id>/experiment-ids
read      POST    3.0/mlflow/datasets/search
read      GET     2.0/mlflow/users/current
read      GET     3.0/mlflow/users/current/permissions

tag       POST    2.0/mlflow/model-versions/set-tag             tag version

write     POST    2.0/mlflow/experiments/create                 create experiment
write     POST    2.0/mlflow/experiments/set-experiment-tag
write     POST    2.0/mlflow/runs/create
write     POST    2.0/mlflow/runs/update
write     POST    2.0/mlflow/runs/set-tag
write     POST    2.0/mlflow/runs/log-metric
write     POST    2.0/mlflow/runs/log-parameter
write     POST    2.0/mlflow/runs/log-batch
write     POST    2.0/mlflow/runs/log-model
write     POST    2.0/mlflow/runs/log-inputs
write     POST    2.0/mlflow/runs/outputs
write     POST    2.0/mlflow/logged-models
write     PATCH   2.0/mlflow/logged-models/<id>
write     PATCH   2.0/mlflow/logged-models/<id>/tags
write     POST    2.0/mlflow/logged-models/<id>/params
write     POST    2.0/mlflow/upload-artifact
write     PUT     2.0/mlflow-artifacts/artifacts/<path>
write     POST    3.0/mlflow/datasets/create
write     POST    3.0/mlflow/datasets/<id>/records
write     PATCH   3.0/mlflow/datasets/<id>/tags
write     POST    3.0/mlflow/datasets/<id>/add-experiments
write     POST    2.0/mlflow/registered-models/create           create model
write     PATCH   2.0/mlflow/registered-models/update           describe model
write     POST    2.0/mlflow/model-versions/create              create version
write     PATCH   2.0/mlflow/model-versions/update              describe version

promote   POST    2.0/mlflow/registered-models/alias            set alias
promote   DELETE  2.0/mlflow/registered-models/alias            delete alias
promote   POST    2.0/mlflow/registered-models/set-tag          tag model
promote   POST    2.0/mlflow/model-versions/transition-stage    set stage

delete    POST    2.0/mlflow/experiments/delete                 delete experiment
delete    POST    2.0/mlflow/experiments/restore                restore experiment
delete    POST    2.0/mlflow/experiments/update                 rename experiment
delete    POST    2.0/mlflow/experiments/delete-experiment-tag  delete tag
delete    POST    2.0/mlflow/runs/delete                        delete run
delete    POST    2.0/mlflow/runs/restore                       restore run
delete    POST    2.0/mlflow/runs/delete-tag                    delete tag
delete    DELETE  2.0/mlflow/logged-models/<id>                 delete logged model
delete    DELETE  2.0/mlflow/logged-models/<id>/tags/<key>      delete tag
delete    DELETE  2.0/mlflow-artifacts/artifacts/<path>         delete artifact
delete    DELETE  3.0/mlflow/datasets/<id>                      delete dataset
delete    DELETE  3.0/mlflow/datasets/<id>/records              delete records
delete    DELETE  3.0/mlflow/datasets/<id>/tags/<key>           delete tag
delete    POST    3.0/mlflow/datasets/<id>/remove-experiments   delete dataset
delete    POST    2.0/mlflow/registered-models/rename           rename model
delete    DELETE  2.0/mlflow/registered-models/delete           delete model
delete    DELETE  2.0/mlflow/registered-models/delete-tag       delete tag
delete    DELETE  2.0/mlflow/model-versions/delete              delete version
delete    DELETE  2.0/mlflow/model-versions/delete-tag          delete tag

manage    POST    2.0/mlflow/users/create                       create login
manage    GET     2.0/mlflow/users/get
manage    GET     2.0/mlflow/users/list
manage    PATCH   2.0/mlflow/users/update-password              change password
manage    PATCH   2.0/mlflow/users/update-admin                 change login
manage    DELETE  2.0/mlflow/users/delete                       delete login
manage    GET     3.0/mlflow/users/permissions/list
manage    GET     3.0/mlflow/users/permissions/get
manage    POST    3.0/mlflow/users/permissions/grant            grant permission
manage    POST    3.0/mlflow/users/permissions/revoke           revoke permission
manage    GET     3.0/mlflow/users/roles/list
manage    GET     3.0/mlflow/roles/list
manage    GET     3.0/mlflow/roles/get
manage    GET     3.0/mlflow/roles/users/list
manage    GET     3.0/mlflow/roles/permissions/list
manage    POST    3.0/mlflow/roles/assign                       assign role
manage    DELETE  3.0/mlflow/roles/unassign                     unassign role
"""
"""Right, method, path, and the event if it is one. A path that starts with a version is below
`/api/`, as MLflow's client asks, and below `/ajax-api/`, as its UI does."""

_PLACEHOLDERS = {"<path>": ".+", "<id>": "[^/]+", "<key>": "[^/]+"}


def _parse(lines: Iterable[str]) -> Iterable[Route]:
    for line in filter(None, lines):
        right, method, path, *event = line.split(maxsplit=3)
        yield Route(Right(right), method, _pattern(path), *event)


def _pattern(path: str) -> re.Pattern[str]:
    pattern = re.escape(path)
    for placeholder, matches in _PLACEHOLDERS.items():
        pattern = pattern.replace(re.escape(placeholder), f"({matches})")
    return re.compile(pattern if path.startswith("/") else f"/(?:ajax-)?api/{pattern}")


ROUTES = tuple(_parse(_TABLE.splitlines()))
"""Every route that is served."""


def find(method: str, path: str, routes: Iterable[Route] = ROUTES) -> Route | None:
    """Return the route of a request; None if it is denied to everybody.

    Args:
        path: as the server has decoded it. Its matches are whole, and exact to the last slash.
    """
    wanted = "GET" if method == "HEAD" else method
    return next((r for r in routes if r.method == wanted and r.path.fullmatch(path)), None)


RIGHTS: Mapping[str, frozenset[Right]] = {
    "training": frozenset({Right.CHECK, Right.DOWNLOAD, Right.READ, Right.TAG, Right.WRITE}),
    "promoting": frozenset({Right.CHECK, Right.DOWNLOAD, Right.READ, Right.PROMOTE}),
    "serving": frozenset({Right.CHECK, Right.DOWNLOAD, Right.TAG}),
    "health": frozenset({Right.CHECK}),
}
"""What the logins that have a role may do. An administrator may do everything that is served."""
