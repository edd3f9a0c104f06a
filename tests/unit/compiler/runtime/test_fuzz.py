"""Whatever is changed in a compiled model's file, it is refused or reads nothing out of bounds.

`scripts/fuzz` runs this with more cases.
"""

from collections import Counter
from collections.abc import Callable
from itertools import islice

import pytest
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression

from terna.compiler.compile import compile_model
from tests.fuzzing.compiled_models import ACCEPTED, REFUSED, mutations, outcomes
from tests.unit.compiler.models import as_loaded, customers, fitted, rows_of, with_threshold

NAMES = ("a", "b", "c")
FOREST = RandomForestClassifier(9, max_depth=5, random_state=0)
MODELS: dict[str, Callable[[], BaseEstimator]] = {
    "forest": lambda: with_threshold(0.4, fitted(FOREST)),
    "scaled forest of three classes": lambda: fitted(FOREST, scaled=True, names=NAMES),
    "histogram boosting": lambda: fitted(HistGradientBoostingClassifier(max_iter=9)),
    "boosting of three classes": lambda: fitted(
        GradientBoostingClassifier(n_estimators=3), scaled=True, names=NAMES
    ),
    "calibrated forest": lambda: fitted(CalibratedClassifierCV(FOREST, method="isotonic", cv=2)),
    "linear": lambda: fitted(LogisticRegression(max_iter=1000), scaled=True),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore")  # an encoder says which categories it does not know
def test_changed_compiled_model_is_refused_or_stays_in_its_arrays(
    name: str, request: pytest.FixtureRequest
) -> None:
    option = request.config.option
    count = -(-option.compiled_model_cases // len(MODELS))
    content = compile_model(as_loaded(MODELS[name](), customers()), "m1").encode()
    seed = getattr(option, "hypothesis_seed", None)

    changed = islice(mutations(content, seed=int(seed or 0)), count)
    counts = Counter(outcomes(changed, rows_of(customers(missing=False))[:20]))

    assert counts[ACCEPTED] > 0 < counts[REFUSED]
    assert set(counts) == {ACCEPTED, REFUSED}, dict(counts)
