"""What a process keeps that runs a model's code."""

import os

import pytest

from terna.serving.confinement import forget_secrets


def test_process_that_forgets_secrets_keeps_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {
        "TERNA_TRACKING_PASSWORD": "secret",
        "MLFLOW_TRACKING_PASSWORD": "secret",
        "OMP_NUM_THREADS": "1",
    }
    monkeypatch.setattr(os, "environ", variables)

    forget_secrets()

    assert variables == {"OMP_NUM_THREADS": "1"}
