"""What is soaked: running serving, and two versions of a model that can be told apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.stage import PARAMS, Model, Stage
from soak.clients import Question, Target
from terna.errors import TernaError
from terna.training.families import FOREST
from terna.training.job import CHURN_REQUEST
from terna.training.tune import TuningResult

NAME = "soak"
WINNERS = (
    TuningResult(FOREST.name, {**PARAMS, "n_estimators": 50}, threshold=0.4, f1=0),
    TuningResult(FOREST.name, {**PARAMS, "n_estimators": 80}, threshold=0.05, f1=0),
)
"""The second finds far more customers who leave."""
BATCH = 50
"""Rows of one question in `EVERY`: more than serving answers in its event loop."""
EVERY = 10
FEWEST, MOST = 20, 200
"""Customers asked about: those that the versions differ on."""


@dataclass(frozen=True)
class Server:
    """Running serving, with the versions that can be promoted."""

    stack: str
    reverse_proxy: str
    """What stands between the clients and serving."""
    target: Target
    models: Sequence[Model]
    promote: Callable[[int], None]
    process: int
    """The id of the process that started the workers and the agent."""
    address: tuple[str, int]
    """Where serving itself listens, under the name `serving` of its certificate."""

    def questions(self) -> list[Question]:
        """Return questions on customers whom every version labels otherwise, single and in batches.

        What each version says of them its own pyfunc model was asked, here.

        Raises:
            TernaError: the versions agree on too many.
        """
        first, second = self.models
        differ = [
            number
            for number, labels in enumerate(zip(first.labels, second.labels, strict=True))
            if len(set(labels)) == 2
        ]
        if len(differ) < FEWEST:
            raise TernaError(f"the versions differ on {len(differ)} customers only.")
        differ = differ[:MOST]
        singles = [[number] for number in differ]
        batches = [(differ[first:] + differ)[:BATCH] for first in range(0, len(differ), EVERY)]
        return [
            self._question(numbers)
            for place, batch in zip(range(0, len(singles), EVERY), batches, strict=True)
            for numbers in (*singles[place : place + EVERY], batch)
        ]

    def _question(self, numbers: Sequence[int]) -> Question:
        """Return the question about the customers of these numbers."""
        model = self.models[0]
        return Question(
            model.body([model.customers[number] for number in numbers]),
            {str(each.number): [each.labels[number] for number in numbers] for each in self.models},
        )


def published(stage: Stage) -> list[Model]:
    """Publish a version of each winner, the first of them in production."""
    return [stage.publish(NAME, CHURN_REQUEST, winner) for winner in WINNERS]
