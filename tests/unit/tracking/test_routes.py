"""The table of routes, and what the roles may do by it."""

import pytest

from terna.tracking.logins import GRANTS
from terna.tracking.routes import RIGHTS, ROUTES, Right, find


@pytest.mark.parametrize("prefix", ["/api", "/ajax-api"])
def test_route_is_found_for_mlflows_client_and_for_its_ui(prefix: str) -> None:
    found = find("GET", f"{prefix}/2.0/mlflow/runs/get")
    assert found
    assert found.right is Right.READ


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/ajax-api/3.0/mlflow/assistant/config"),
        ("GET", "/ajax-api/3.0/mlflow/gateway/supported-models"),
        ("POST", "/ajax-api/3.0/jobs"),
        ("POST", "/api/3.0/mlflow/scorers/register"),
        ("POST", "/ajax-api/3.0/mlflow/demo/generate"),
        ("POST", "/ajax-api/2.0/mlflow/runs/create-promptlab-run"),
        ("POST", "/v1/traces"),
        ("GET", "/api/2.0/mlflow/runs/get/"),
        ("GET", "//api/2.0/mlflow/runs/get"),
        ("GET", "/x/api/2.0/mlflow/runs/get"),
        ("GET", "/api/2.0/mlflow/runs/../runs/get"),
        ("OPTIONS", "/api/2.0/mlflow/runs/get"),
        ("DELETE", "/api/2.0/mlflow/runs/get"),
    ],
)
def test_what_is_not_in_the_table_is_denied(method: str, path: str) -> None:
    assert find(method, path) is None


def test_head_is_allowed_where_get_is() -> None:
    assert find("HEAD", "/") == find("GET", "/")


def test_every_role_with_permissions_in_mlflow_has_rights_here() -> None:
    assert RIGHTS.keys() == GRANTS.keys()


def test_every_route_that_changes_what_others_rely_on_is_recorded() -> None:
    changing = {Right.TAG, Right.PROMOTE, Right.DELETE}
    assert all(route.event for route in ROUTES if route.right in changing)
