"""The demo's summary, from a result made by hand."""

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from terna.contracts.scoring import Table, decode, parse
from terna.contracts.version import Version
from terna.erp.client import Predictions
from terna.local.demo import DemoResult
from terna.local.summary import curl, print_summary, summary_json
from terna.settings import Audit, Erp, Serving, Settings, Tracking, Training
from terna.training.job import CHURN_REQUEST, TrainingRequest
from terna.training.publish import PublishResult

ENDPOINT = "https://localhost:8200/invocations"
CUSTOMERS = [[float(i), *[1] * 6, "no", *[2] * 4] for i in range(5)]

EXAMPLE = [100, *[3] * 6, "no", *[4] * 4]


def settings(root: Path) -> Settings:
    ca = root / "my certs/ca.crt"
    return Settings(
        Tracking(uri="https://localhost:5001", ca=ca),
        Training(workspace_dir=root / "training"),
        Serving(port=8200),
        Erp(
            endpoint=ENDPOINT,
            ca=ca,
            certificate=root / "my certs/erp.crt",
            key=root / "secrets/erp.key",
            api_key_file=root / "secrets/it's a key",
        ),
        Audit(),
    )


def a_result(
    labels: list[str], promoted: bool = True, request: TrainingRequest = CHURN_REQUEST
) -> DemoResult:
    before = Version("rfc_tune", 3, "memory:/m-3", "run3")
    return DemoResult(
        request=request,
        published=PublishResult(Version("rfc_tune", 4, "", ""), 0.84, before, 0.83, promoted),
        metrics={"f1": 0.84, "precision": 0.95, "recall": 0.75},
        columns=[f"feature_{number}" for number in range(12)],
        customers=CUSTOMERS,
        example=EXAMPLE,
        actual=["no", "yes", "no", "yes", "yes"],
        predictions=Predictions(labels, "rfc_tune", 4 if promoted else 3),
        seconds={"training": 60.5, "labels": 0.25, "total": 70},
    )


LABELS = ["no", "no", "yes", "yes", "yes"]


def printed(root: Path, labels: list[str]) -> str:
    console = Console(file=io.StringIO(), width=100)
    print_summary(a_result(labels), settings(root), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_json_has_the_answers_and_where_they_came_from(tmp_path: Path) -> None:
    document = json.loads(json.dumps(summary_json(a_result(LABELS), settings(tmp_path))))

    assert document == {
        "holdout": {"f1": 0.84, "precision": 0.95, "recall": 0.75},
        "model": {"name": "rfc_tune", "version": 4, "registered": 4, "promoted": True},
        "endpoint": ENDPOINT,
        "ca": str(tmp_path / "my certs/ca.crt"),
        "tracking": "https://localhost:5001",
        "predictions": LABELS,
        "seconds": {"training": 60.5, "labels": 0.25, "total": 70},
    }


def test_json_has_both_versions_when_the_new_one_was_not_promoted(
    tmp_path: Path,
) -> None:
    model = summary_json(a_result(LABELS, promoted=False), settings(tmp_path))["model"]

    assert model == {"name": "rfc_tune", "version": 3, "registered": 4, "promoted": False}


def test_text_has_metrics_beside_the_reference_and_where_to_look(tmp_path: Path) -> None:
    text = printed(tmp_path, LABELS)

    assert [line.split() for line in text.splitlines() if "0.840" in line] == [
        ["│", "version", "4", "│", "0.840", "│", "0.950", "│", "0.750", "│"]
    ]
    assert [line.split() for line in text.splitlines() if "0.788" in line] == [
        ["│", "published", "reference", "│", "0.788", "│", "0.971", "│", "0.660", "│"]
    ]
    assert "rfc_tune version 4 labelled 5 customers over HTTPS in 0.2 s" in text
    assert f"EDA report  {tmp_path}/training/rfc_tune/explore.html" in text
    assert "MLflow UI   https://localhost:5001" in text
    assert "as promoting, with the password in " in text


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        (LABELS, [("3334", "no", "no"), ("3335", "no", "yes"), ("3336", "yes", "no")]),
        (
            ["a", "b", "b", "c", "d"],
            [("3334", "a", "no"), ("3335", "b", "yes"), ("3337", "c", "yes")],
        ),
        (["no"] * 5, [("3334", "no", "no"), ("3335", "no", "yes"), ("3336", "no", "no")]),
    ],
)
def test_text_shows_customers_with_different_labels_and_the_actual_ones(
    tmp_path: Path, labels: list[str], shown: list[tuple[str, str, str]]
) -> None:
    rows = [line.replace("│", " ").split() for line in printed(tmp_path, labels).splitlines()]

    assert [tuple(row) for row in rows if row and row[0].startswith("33")] == shown


def test_text_ends_with_a_curl_line_for_a_customer_whom_nobody_knows(tmp_path: Path) -> None:
    line = printed(tmp_path, LABELS).partition("curl ")[2]

    (row,) = parse(decode(_arguments(f"curl {line}")[-1].encode())).values
    assert row == EXAMPLE


@pytest.mark.parametrize("name", ["plain", "O'Brien", 'a "quoted" $HOME `name`', "客"])
def test_curl_line_survives_the_shell(tmp_path: Path, name: str) -> None:
    customer: list[Any] = [1.5, name, None]

    Path(tmp_path, "secrets").mkdir()
    Path(tmp_path, "secrets/it's a key").write_text("erp.secret")

    line = curl(settings(tmp_path), customer)

    arguments = _arguments(line)
    assert parse(decode(arguments.pop().encode())) == Table([customer])
    assert arguments == [
        *("--cacert", str(tmp_path / "my certs/ca.crt")),
        *("--cert", str(tmp_path / "my certs/erp.crt"), "--key", str(tmp_path / "secrets/erp.key")),
        *("-H", "authorization: Bearer erp.secret", ENDPOINT),
        *("-H", "content-type: application/json", "-d"),
    ]


def _arguments(line: str) -> list[str]:
    """What a shell hands to curl."""
    script = f"""curl() {{ for each; do printf '%s\\0' "$each"; done; }}\n{line}"""
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert line.startswith("curl ")
    return done.stdout.split("\0")[:-1]


def test_paths_below_the_working_directory_are_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert "--cacert 'my certs/ca.crt' " in curl(settings(tmp_path), [1])
