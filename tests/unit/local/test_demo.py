"""The demo waits for a promotion, asks in batches and takes the time."""

from typing import Any

import pytest

from terna.contracts.version import Version
from terna.erp.client import Predictions
from terna.errors import ServingUnreachable
from terna.local import demo
from terna.local.demo import Timings
from terna.progress import Silent


def test_timings_hold_the_seconds_of_each_part() -> None:
    timings = Timings()

    with timings.measure("total"), timings.measure("training"):
        pass

    assert list(timings.seconds) == ["training", "total"]
    assert 0 <= timings.seconds["training"] <= timings.seconds["total"] < 1


class FakeClient:
    """An ERP's client whose endpoint labels each customer with its first value."""

    def __init__(self, versions: list[int | None]) -> None:
        self._versions = iter(versions)
        self.sizes: list[int] = []

    def version(self) -> int | None:
        return next(self._versions)

    def predict(self, customers: list[list[Any]]) -> Predictions:
        self.sizes.append(len(customers))
        return Predictions([customer[0] for customer in customers], "rfc_tune", 4)


def test_customers_are_asked_for_in_batches_and_in_order() -> None:
    client: Any = FakeClient([])
    customers = [[i] for i in range(demo.BATCH * 2 + 1)]

    answer = demo.predict_in_batches(client, customers)

    assert answer == Predictions(list(range(demo.BATCH * 2 + 1)), "rfc_tune", 4)
    assert client.sizes == [demo.BATCH, demo.BATCH, 1]


class FakeServers:
    """Local servers that answer."""

    def wait(self, name: str) -> None:
        assert name == "serving"


def test_waiting_ends_when_serving_follows() -> None:
    client: Any = FakeClient([None, 3, 4])
    servers: Any = FakeServers()

    demo.wait_for(client, Version("rfc_tune", 4, ""), servers, Silent())

    with pytest.raises(StopIteration):
        client.version()


def test_waiting_gives_up_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "PROMOTION_SECONDS", 0)
    client: Any = FakeClient([3] * 5)
    servers: Any = FakeServers()

    with pytest.raises(ServingUnreachable, match="did not follow to rfc_tune version 4"):
        demo.wait_for(client, Version("rfc_tune", 4, ""), servers, Silent())
