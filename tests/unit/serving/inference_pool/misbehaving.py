"""A model that does what a text tells it to: code that MLflow loads."""

import os
import sys
import time
import warnings
from pathlib import Path

import mlflow.models
import mlflow.pyfunc


class Misbehaving(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined,misc]
    def predict(self, context, model_input):  # type: ignore[no-untyped-def] # noqa: ARG002
        return [self.act(text) for text in model_input["text"]]

    def act(self, text: str) -> str:
        action, _, detail = text.partition(" ")
        match action:
            case "hang":
                time.sleep(60)
            case "exit":
                os._exit(3)
            case "SystemExit":
                sys.exit(f"no label for {detail}")
            case "raise":
                raise ValueError(f"no label for {detail}")
            case "grow":
                return str(len(b"x" * int(detail)))
            case "read":
                return Path(detail).read_text()
            case "print":
                sys.stdout.write(f"a customer: {detail}\n")
                os.write(2, f"a customer: {detail}".encode())
            case "warn":
                warnings.warn(f"odd customer: {detail}", UserWarning, stacklevel=1)
        return "done"


mlflow.models.set_model(Misbehaving())
