"""A data scientist's journey: train, see it answer over HTTPS, retrain, see the new version.

Each test brings about the versions that it needs, so that it passes alone too; in this order
nothing is trained twice.
"""

import mlflow
import mlflow.pyfunc
import pandas as pd
import pytest

from terna.errors import ServingUnreachable
from terna.training.job import CHURN_FEATURES
from tests.e2e.customers import holdout_rows
from tests.e2e.stacks.stack import Stack

MODEL = "journey"


@pytest.fixture
def untrained(stack: Stack) -> Stack:
    """Serving answers for a model that nobody has trained."""
    stack.serve("untrained")
    return stack


@pytest.fixture
def journey(stack: Stack) -> Stack:
    """Serving answers for this journey's model."""
    stack.serve(MODEL)
    return stack


def test_serving_without_a_version_in_production_answers_503(untrained: Stack) -> None:
    def refusal() -> str:
        with untrained.labels() as labels, pytest.raises(ServingUnreachable) as refused:
            labels.predict(holdout_rows(1))
        return str(refused.value)

    # The reverse proxy looks new containers up within a second or two; until then it is 502.
    untrained.wait_until(lambda: "503" in refusal())


def test_trained_model_answers_over_https_with_the_registered_models_own_labels(
    journey: Stack,
) -> None:
    journey.ensure_serving(version=1)

    customers = holdout_rows(200)
    with journey.labels() as labels:
        answer = labels.predict(customers)

    mlflow.set_tracking_uri(journey.settings.tracking.uri)
    journey.registry()  # MLflow takes the CA from the environment, which this sets
    registered = mlflow.pyfunc.load_model(f"models:/{MODEL}/1")
    frame = pd.DataFrame(customers, columns=list(CHURN_FEATURES)).infer_objects()
    assert answer.labels == registered.predict(frame).tolist()
    assert set(answer.labels) == {"yes", "no"}
    assert (answer.model, answer.version) == (MODEL, 1)


def test_run_has_its_trials_plots_and_metrics_in_mlflow(journey: Stack) -> None:
    journey.ensure_versions(1)
    client = journey.registry()
    run = client.get_run(str(client.get_model_version(MODEL, "1").run_id))
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


def test_retraining_promotes_alias_and_stage_and_the_new_version_answers(journey: Stack) -> None:
    journey.ensure_serving(version=1)
    printed = journey.train()
    promoted = journey.in_production()
    assert promoted is not None
    assert promoted > 1
    assert f"{MODEL} version {promoted} is in production" in printed
    client = journey.registry()
    assert client.get_model_version_by_alias(MODEL, "production").version == str(promoted)
    assert client.get_model_version(MODEL, str(promoted)).current_stage == "Production"
    assert client.get_model_version(MODEL, "1").current_stage == "Archived"
    journey.wait_for_version(promoted)


def test_promotion_by_command_line_is_served(journey: Stack) -> None:
    journey.ensure_serving(version=2)
    journey.promote(1)
    journey.wait_for_version(1)


def test_promotion_of_the_alias_alone_is_served_and_completed(journey: Stack) -> None:
    """As MLflow's UI does it."""
    journey.ensure_versions(2)
    journey.ensure_serving(version=1)
    journey.registry().set_registered_model_alias(MODEL, "production", "2")
    journey.wait_for_version(2)
    journey.wait_until(
        lambda: journey.registry().get_model_version(MODEL, "2").current_stage == "Production"
    )


@pytest.mark.filterwarnings("ignore:.*transition_model_version_stage:FutureWarning")
def test_promotion_of_the_stage_alone_is_served_and_completed(journey: Stack) -> None:
    """As clients from before aliases do it."""
    journey.ensure_serving(version=2)
    journey.registry().transition_model_version_stage(
        MODEL, "1", "Production", archive_existing_versions=True
    )
    journey.wait_for_version(1)
    journey.wait_until(lambda: journey.in_production() == 1)


def test_no_request_fails_while_versions_are_swapped(journey: Stack) -> None:
    journey.ensure_versions(2)
    journey.ensure_serving(version=1)
    customers = holdout_rows(20)
    with journey.labels() as labels:
        expected = {1: labels.predict(customers).labels}
        for number in (2, 1, 2):
            journey.promote(number)
            seen = 0
            while seen < 20:
                answer = labels.predict(customers)
                assert answer.labels == expected.setdefault(answer.version, answer.labels)
                seen += answer.version == number
