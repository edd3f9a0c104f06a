"""Phase 2, explore: one page that says what is in a table, before a model is trained on it."""

from terna.training.exploration import report
from terna.training.job import Job
from terna.training.session import Session


def run(session: Session) -> None:
    """Keep the report of the training rows in the workspace and in the MLflow run.

    Raises:
        PhaseMissing: `acquire` has not run.
    """
    job = Job.read(session.workspace)
    table = session.workspace.read_table("train.parquet", "acquire")
    source = f"{job.source}, training rows"
    with session.reporter.step(f"exploring {session.name}"):
        page = report.render(session.name, source, table, job.target).encode()
        session.workspace.write_bytes("explore.html", page)
        session.runs.log_file(job.run_id, "explore/explore.html", page)
    session.reporter.say(f"explored   {session.workspace.folder / 'explore.html'}")
