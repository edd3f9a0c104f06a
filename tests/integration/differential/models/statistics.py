"""statsmodels: a linear model of arrays, and a generalized one of a formula."""

from pathlib import Path

import mlflow.statsmodels
import statsmodels.api as sm
import statsmodels.formula.api as smf

from tests.integration.differential.models.model import Model, columns, options
from tests.integration.differential.models.tables import SAMPLE, counts, numbers, target

TABLE = numbers()


def least_squares(folder: Path) -> None:
    """A linear regression."""
    model = sm.OLS(target(TABLE), TABLE).fit()
    mlflow.statsmodels.save_model(model, **options(folder, columns(TABLE)))


def formula(folder: Path) -> None:
    """A regression of counts, which names its columns in a formula."""
    data = TABLE.assign(visits=counts(TABLE))
    family = sm.families.Poisson()
    model = smf.glm("visits ~ income + age + C(children)", data, family=family).fit()
    mlflow.statsmodels.save_model(model, **options(folder, columns(TABLE)))


MODELS = {
    "least_squares": Model(least_squares, TABLE[:SAMPLE]),
    "formula": Model(formula, TABLE[:SAMPLE]),
}
