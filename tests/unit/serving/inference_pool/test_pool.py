"""The inference pool: who gets a child, and what becomes of those that end. No processes here."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import Event, Semaphore

import pytest

from terna.errors import BadRequest, InternalError, TernaError, TimedOut
from terna.predictor.compiled_predictor import Prediction
from terna.serving.inference_pool.calls import Call, Predict
from terna.serving.inference_pool.pool import InferencePool

CALL = Predict("application/json", b"{}")


class FakeProcess:
    """A child that answers when it is told to."""

    def __init__(self) -> None:
        self.is_usable = True
        self.asked, self.go_on = Semaphore(0), Semaphore(0)
        self.error: Exception | None = None

    def call(self, _call: Call, _deadline: float) -> Prediction:
        self.asked.release()
        assert self.go_on.acquire(timeout=10)
        if self.error:
            raise self.error
        return Prediction(b"", "pyfunc", 1)

    def close(self) -> None:
        self.is_usable = False


class Children:
    """Starts fake children, and keeps them."""

    def __init__(self) -> None:
        self.started: list[FakeProcess] = []
        self.failures = 0
        self.may_start = Event()
        self.may_start.set()

    def start(self) -> FakeProcess:
        assert self.may_start.wait(10)
        if self.failures:
            self.failures -= 1
            raise InternalError("no such model")
        self.started.append(FakeProcess())
        return self.started[-1]

    def wait_for(self, count: int) -> list[FakeProcess]:
        wait_until(lambda: len(self.started) >= count)
        return self.started


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def children() -> Children:
    return Children()


def pool_of(children: Children, size: int = 2) -> InferencePool:
    return InferencePool(children.start, size, "churn version 1")


def ask(pool: InferencePool, seconds: float = 10) -> Prediction:
    return pool.call(CALL, time.monotonic() + seconds)


def test_first_child_is_started_before_any_call(children: Children) -> None:
    pool = pool_of(children)

    wait_until(lambda: pool.is_ready)

    assert len(children.started) == 1


@pytest.mark.parametrize("failures", [0, 1])
def test_waiting_ends_when_the_first_child_has_loaded_or_cannot(
    children: Children, failures: int
) -> None:
    children.failures = failures
    children.may_start.clear()
    pool = pool_of(children)
    with ThreadPoolExecutor(1) as waiting:
        waited = waiting.submit(pool.wait_until_loaded)
        with pytest.raises(TimeoutError):
            waited.result(0.05)
        children.may_start.set()
        waited.result(10)

    assert pool.is_ready == (failures == 0)


def test_idle_child_takes_call_after_call(children: Children) -> None:
    pool = pool_of(children)
    (child,) = children.wait_for(1)
    child.go_on.release(3)

    answers = [ask(pool).body for _ in range(3)]

    assert (answers, len(children.started)) == ([b""] * 3, 1)


def test_more_children_are_started_while_calls_wait_up_to_the_limit(children: Children) -> None:
    pool = pool_of(children, size=2)
    with ThreadPoolExecutor(3) as callers:
        calls: list[Future[Prediction]] = [callers.submit(ask, pool) for _ in range(3)]
        for child in children.wait_for(2):
            assert child.asked.acquire(timeout=10)
        time.sleep(0.05)
        assert len(children.started) == 2
        for child in children.started:
            child.go_on.release(2)
        assert [call.result(10).rows for call in calls] == [1, 1, 1]


def test_call_that_no_child_takes_before_its_deadline_times_out(children: Children) -> None:
    children.may_start.clear()
    pool = pool_of(children)

    with pytest.raises(TimedOut):
        ask(pool, seconds=0.05)
    children.may_start.set()

    assert not pool.is_ready or len(children.started) == 1


@pytest.mark.parametrize("error", [TimedOut("late"), InternalError("it has ended")])
def test_child_that_ended_with_its_call_is_replaced(children: Children, error: TernaError) -> None:
    pool = pool_of(children)
    wait_until(lambda: pool.is_ready)
    (child,) = children.started
    child.error, child.is_usable = error, False
    child.go_on.release()
    with pytest.raises(type(error)):
        ask(pool)

    second = children.wait_for(2)[1]
    second.go_on.release()

    assert ask(pool).rows == 1
    assert pool.is_ready


def test_child_that_ended_is_replaced_while_another_is_idle(children: Children) -> None:
    pool = pool_of(children)
    with ThreadPoolExecutor(2) as callers:
        calls = [callers.submit(ask, pool) for _ in range(2)]
        for child in children.wait_for(2):
            assert child.asked.acquire(timeout=10)
        first, second = children.started
        first.is_usable = False
        for child in (first, second):
            child.go_on.release()
        assert [call.result(10).rows for call in calls] == [1, 1]

    children.wait_for(3)  # nobody asks any more


def test_child_whose_call_was_answered_by_an_error_goes_on(children: Children) -> None:
    pool = pool_of(children)
    (child,) = children.wait_for(1)
    child.error = BadRequest("no such row")
    child.go_on.release()
    with pytest.raises(BadRequest):
        ask(pool)

    child.error = None
    child.go_on.release()

    assert (ask(pool).rows, len(children.started)) == (1, 1)


def test_call_is_answered_at_once_when_no_child_can_be_started(
    children: Children, caplog: pytest.LogCaptureFixture
) -> None:
    children.failures = 2
    pool = pool_of(children)
    wait_until(lambda: children.failures == 1)

    with pytest.raises(InternalError, match="cannot be loaded"):
        ask(pool)

    assert not pool.is_ready
    assert "churn version 1 does not start: no such model" in caplog.text


def test_call_after_a_failed_start_starts_another_child(children: Children) -> None:
    children.failures = 1
    pool = pool_of(children)

    def ask_again() -> Prediction:
        while True:
            with suppress(InternalError):
                return ask(pool)

    with ThreadPoolExecutor(1) as caller:
        call = caller.submit(ask_again)
        children.wait_for(1)[0].go_on.release()
        assert call.result(10).rows == 1


def test_closing_ends_idle_children_now_and_busy_ones_with_their_call(children: Children) -> None:
    pool = pool_of(children)
    with ThreadPoolExecutor(1) as caller:
        busy = caller.submit(ask, pool)
        (child,) = children.wait_for(1)
        assert child.asked.acquire(timeout=10)
        pool.close()
        assert child.is_usable
        child.go_on.release()
        assert busy.result(10).rows == 1
    wait_until(lambda: not child.is_usable)

    idle = pool_of(children)
    wait_until(lambda: idle.is_ready)
    idle.close()
    assert not children.started[-1].is_usable
