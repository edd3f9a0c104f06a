"""The six phases in their order: what `terna train` runs."""

from terna.training import acquire, evaluate, explore, prepare, publish, tune
from terna.training.job import TrainingRequest
from terna.training.publish import Published
from terna.training.session import Session


def train(session: Session, request: TrainingRequest, trials: int) -> Published:
    """From a table of customers to a registered version, promoted unless it is worse.

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
