"""A data scientist's journey: train, see it answer over HTTPS, retrain, see the new version."""

import mlflow
import mlflow.pyfunc
import pandas as pd
import pytest

from terna.errors import ServingUnreachable
from terna.training.job import CHURN_FEATURES
from tests.e2e.customers import holdout_rows
from tests.e2e.stacks.stack import Stack


def test_before_the_first_training_serving_says_that_nothing_is_in_production(
    stack: Stack,
) -> None:
    with stack.labels() as labels, pytest.raises(ServingUnreachable, match="503"):
        labels.predict(holdout_rows(1))


def test_a_trained_model_answers_over_https_with_the_registered_models_own_labels(
    stack: Stack,
) -> None:
    printed = stack.train()
    assert "rfc_tune version 1 is in production" in printed
    stack.wait_for_version(1)

    customers = holdout_rows(200)
    with stack.labels() as labels:
        answer = labels.predict(customers)

    mlflow.set_tracking_uri(stack.settings.tracking.uri)
    stack.registry()  # MLflow takes the CA from the environment, which this sets
    registered = mlflow.pyfunc.load_model("models:/rfc_tune/1")
    frame = pd.DataFrame(customers, columns=list(CHURN_FEATURES)).infer_objects()
    assert answer.labels == registered.predict(frame).tolist()
    assert set(answer.labels) == {"yes", "no"}
    assert (answer.model, answer.version) == ("rfc_tune", 1)


def test_the_run_shows_its_trials_plots_and_figures_in_mlflow(stack: Stack) -> None:
    client = stack.registry()
    run = client.get_run(str(client.get_model_version("rfc_tune", "1").run_id))
    trials = client.search_runs(
        [run.info.experiment_id], f"tags.mlflow.parentRunId = '{run.info.run_id}'"
    )
    plots = {file.path for file in client.list_artifacts(run.info.run_id, "evaluate")}
    assert run.info.status == "FINISHED"
    assert len(trials) == 3
    assert {
        "evaluate/calibration.png",
        "evaluate/confusion_matrix.png",
        "evaluate/precision_recall.png",
    } <= plots
    assert run.data.metrics["holdout.f1"] > 0.8


def test_after_retraining_the_new_version_answers(stack: Stack) -> None:
    printed = stack.train()
    assert "rfc_tune version 2 is in production" in printed
    stack.wait_for_version(2)


def test_alias_and_stage_are_promoted_together(stack: Stack) -> None:
    client = stack.registry()
    assert client.get_model_version_by_alias("rfc_tune", "production").version == "2"
    assert client.get_model_version("rfc_tune", "2").current_stage == "Production"
    assert client.get_model_version("rfc_tune", "1").current_stage == "Archived"


def test_a_promotion_by_command_line_is_served(stack: Stack) -> None:
    assert stack.terna("promote", "1").returncode == 0
    stack.wait_for_version(1)


def test_a_promotion_of_the_alias_alone_is_served_and_completed(stack: Stack) -> None:
    """As MLflow's UI does it."""
    stack.registry().set_registered_model_alias("rfc_tune", "production", "2")
    stack.wait_for_version(2)
    stack.wait_until(
        lambda: stack.registry().get_model_version("rfc_tune", "2").current_stage == "Production"
    )


@pytest.mark.filterwarnings("ignore:.*transition_model_version_stage:FutureWarning")
def test_a_promotion_of_the_stage_alone_is_served_and_completed(stack: Stack) -> None:
    """As clients from before aliases do it."""
    stack.registry().transition_model_version_stage(
        "rfc_tune", "1", "Production", archive_existing_versions=True
    )
    stack.wait_for_version(1)
    stack.wait_until(
        lambda: stack.registry().get_registered_model("rfc_tune").aliases == {"production": "1"}
    )


def test_no_request_fails_while_versions_are_swapped(stack: Stack) -> None:
    customers = holdout_rows(20)
    with stack.labels() as labels:
        expected = {1: labels.predict(customers).labels}
        for number in (2, 1, 2):
            assert stack.terna("promote", str(number)).returncode == 0
            seen = 0
            while seen < 20:
                answer = labels.predict(customers)
                assert answer.labels == expected.setdefault(answer.version, answer.labels)
                seen += answer.version == number
