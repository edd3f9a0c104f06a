"""Attacks: who asks as he should does not notice them, and serving is afterwards as before.

How late answers are meanwhile depends on the machine: `scripts/attack` measures it.
"""

import pytest

from tests.adversarial.attacks import ATTACKS, ATTACKS_ON_CODE, Attack
from tests.adversarial.beside import Served, attacked
from tests.adversarial.served import serving_a_model_of_code, serving_a_trained_model
from tests.e2e.stacks.stack import Stack

SECONDS = 1
SOON = {"timeout_seconds": 6, "body_timeout_seconds": 4, "idle_timeout_seconds": 4}
"""Deadlines of serving, so that attacks which these end are over soon."""


@pytest.fixture(scope="module")
def served(stack: Stack) -> Served:
    return serving_a_trained_model(stack, **SOON)


@pytest.fixture(scope="module")
def served_code(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Served:
    return serving_a_model_of_code(stack, tmp_path_factory.mktemp("code"), **SOON)


def assert_unnoticed(stack: Stack, served: Served, attack: Attack) -> None:
    """Fail if somebody else noticed the attack, or it was answered by what is not documented."""
    found = attacked(served, stack.listeners[0], attack, SECONDS)
    assert found.requests > 20
    assert found.findings == []
    assert '"status":500' not in stack.log("serving")


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attack_is_not_noticed_by_others(stack: Stack, served: Served, attack: Attack) -> None:
    assert_unnoticed(stack, served, attack)


@pytest.mark.parametrize("attack", ATTACKS_ON_CODE, ids=lambda attack: attack.name)
def test_row_that_a_model_cannot_end_is_not_noticed_by_others(
    stack: Stack, served_code: Served, attack: Attack
) -> None:
    assert_unnoticed(stack, served_code, attack)
