"""MLflow's scoring server for several models in one process: below `/NAME` as `/` is served.

It takes seconds to start one. The application is MLflow's own, one for each model; only the
beginning of the path is taken off before it is asked.
"""

import json
import os
from typing import Any

from mlflow.pyfunc import scoring_server

FOLDERS = "SCORING_APP_FOLDERS"
"""The environment variable with the models' folders by name, as JSON."""


def create_app() -> Any:
    """Return the ASGI application; `uvicorn --factory` calls it."""
    apps = {
        name: scoring_server.init(scoring_server.load_model_with_mlflow_config(folder))
        for name, folder in json.loads(os.environ[FOLDERS]).items()
    }

    async def app(scope: Any, receive: Any, send: Any) -> None:
        _, name, path = scope["path"].split("/", 2)
        scope = {**scope, "path": f"/{path}", "raw_path": f"/{path}".encode()}
        await apps[name](scope, receive, send)

    return app
