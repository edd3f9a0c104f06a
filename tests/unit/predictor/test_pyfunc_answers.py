"""The verification asks the pyfunc model as clients do."""

import mlflow.pyfunc
import numpy as np

from terna.predictor.pyfunc_answers import PyfuncAnswers
from tests.unit.workshop import Workshop


def test_predictions_and_scores_are_those_of_the_model(workshop: Workshop) -> None:
    model = mlflow.pyfunc.load_model(str(workshop.folder / "model"))
    pyfunc = PyfuncAnswers(model)

    scores = pyfunc.scores(workshop.rows())

    assert pyfunc.predict_rows(workshop.rows()) == model.predict(workshop.customers).tolist()
    expected = model.get_raw_model().predict_proba(workshop.customers)
    assert np.array_equal(scores, expected)
