"""Tests that share something expensive share a process."""

import pytest

from tests.groups import group_of, rank_of

COMPOSE = "tests/e2e/test_journey.py::test_x[compose]"
LOCAL = "tests/e2e/test_unhappy.py::test_x[local-one of the keys]"


@pytest.mark.parametrize(
    ("test", "group"),
    [
        (COMPOSE, "compose"),
        (LOCAL, "local"),
        ("tests/e2e/test_replica.py::test_x[serving]", "compose"),
        ("tests/e2e/test_erp_clients.py::test_x", "local"),
        ("tests/e2e/test_demo.py::test_x[2]", "tests/e2e/test_demo.py"),
        ("tests/integration/test_soak.py::test_x", "load"),
        ("tests/unit/serving/http/test_fuzz.py::test_x", "tests/unit/serving/http/test_fuzz.py"),
    ],
)
def test_group_is_what_a_test_shares(test: str, group: str) -> None:
    assert group_of(test) == group


def test_tests_on_containers_begin_and_unit_tests_come_last() -> None:
    tests = ["tests/unit/test_a.py::test_x", "tests/integration/test_b.py::test_x", LOCAL, COMPOSE]
    assert sorted(tests, key=rank_of) == tests[::-1]
