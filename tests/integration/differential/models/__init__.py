"""Models of many flavors and signatures, saved as MLflow saves them."""

import warnings
from pathlib import Path

from tests.integration.differential.models import (
    boosters,
    code,
    customers,
    graphs,
    numbers,
    statistics,
)
from tests.integration.differential.models.model import Model

MODELS: dict[str, Model] = {
    name: model
    for family in (customers, numbers, boosters, statistics, graphs, code)
    for name, model in family.MODELS.items()
}


def save(folder: Path) -> dict[str, Path]:
    """Save every model, and return their folders by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about signatures and type hints
        for name, model in MODELS.items():
            model.save(folder / name)
    return {name: folder / name for name in MODELS}
