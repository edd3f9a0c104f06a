"""The six phases in their order, as `terna train` runs them."""

from terna.training import acquire, evaluate, explore, prepare, publish, tune
from terna.training.job import TrainingRequest
from terna.training.publish import PublishResult
from terna.training.session import Session


def train(session: Session, request: TrainingRequest, trials: int) -> PublishResult:
    """Train on a table, and register a version that is promoted unless it is worse.

    Raises:
        DataError, TrackingUnreachable, TrackingRefused: the MLflow run, if it was opened, is closed
            as failed, and nothing is registered.
    """
    job = acquire.run(session, request)
    try:
        explore.run(session)
        prepare.run(session)
        tune.run(session, trials)
        evaluate.run(session)
        return publish.run(session)
    except BaseException:
        session.close_as_failed(job.run_id)
        raise
