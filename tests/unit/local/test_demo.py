"""The demo waits for a promotion, asks in batches and takes the time."""

from collections.abc import Iterator
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

    def version(self) -> int | None:
        return next(self._versions)

    def predict_in_batches(self, customers: list[list[Any]]) -> Iterator[Predictions]:
        for version, (first, *_) in zip(self._versions, customers, strict=True):
            yield Predictions([first], "rfc_tune", version or 0)


def test_labels_are_in_order_and_of_the_version_that_answered_last() -> None:
    client: Any = FakeClient([3, 4])
    assert demo.labels_of(client, [["no"], ["yes"]]) == Predictions(["no", "yes"], "rfc_tune", 4)


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
