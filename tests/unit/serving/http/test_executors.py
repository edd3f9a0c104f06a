"""Executors: a few calls wait, more are rejected, and a slow one times out."""

import asyncio
import gc
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from threading import Event

import pytest

from terna.errors import BadRequest, Overloaded, TimedOut
from terna.serving.http.executors import Executor, Executors
from terna.settings import Serving


@pytest.fixture
def go_on() -> Iterator[Event]:
    event = Event()
    yield event
    event.set()


def late() -> float:
    """Return a deadline that no test reaches."""
    return time.monotonic() + 10


def soon() -> float:
    return time.monotonic() + 0.05


def wait_for(event: Event) -> str:
    assert event.wait(10)
    return "done"


def test_call_over_the_queue_limit_is_rejected_and_the_rest_is_done(go_on: Event) -> None:
    executor = Executor(threads=1, max_queue=2)

    async def ask() -> list[str]:
        calls = [executor.run(late(), wait_for, go_on) for _ in range(3)]
        taken = [asyncio.create_task(call) for call in calls]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await executor.run(late(), wait_for, go_on)
        go_on.set()
        done = await asyncio.gather(*taken)
        return [*done, await executor.run(late(), wait_for, go_on)]

    assert asyncio.run(ask()) == ["done"] * 4


def test_call_over_its_deadline_takes_up_its_thread_until_it_ends(go_on: Event) -> None:
    executor = Executor(threads=1, max_queue=0)

    async def ask() -> str:
        with pytest.raises(TimedOut):
            await executor.run(soon(), wait_for, go_on)
        with pytest.raises(Overloaded):
            await executor.run(soon(), wait_for, go_on)
        go_on.set()
        while True:  # until its thread has left
            try:
                return await executor.run(late(), wait_for, go_on)
            except Overloaded:
                await asyncio.sleep(0.001)

    assert asyncio.run(asyncio.wait_for(ask(), 10)) == "done"


class Document:
    """What a body decodes to."""


@pytest.fixture
def _without_garbage_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_without_garbage_collection")
def test_call_that_failed_leaves_nothing_to_the_garbage_collector() -> None:
    executor = Executor(threads=1, max_queue=0)
    decoded: list[weakref.ref[Document]] = []

    def fail() -> None:
        document = Document()
        decoded.append(weakref.ref(document))
        raise BadRequest("wrong")

    async def ask() -> None:
        with suppress(BadRequest):
            await executor.run(late(), fail)
        await executor.run(late(), len, "")  # its thread has left the first

    asyncio.run(ask())
    assert decoded[0]() is None


def test_call_that_timed_out_in_the_queue_never_begins(go_on: Event) -> None:
    executor, begun = Executor(threads=1, max_queue=1), Event()

    async def ask() -> None:
        calls = executor.run(soon(), wait_for, go_on), executor.run(soon(), begun.set)
        for call in [asyncio.create_task(call) for call in calls]:
            with pytest.raises(TimedOut):
                await call

    async def pass_the_queue() -> int:
        while True:
            try:
                return await executor.run(soon(), int)
            except (Overloaded, TimedOut):
                await asyncio.sleep(0.001)

    asyncio.run(ask())
    go_on.set()
    asyncio.run(asyncio.wait_for(pass_the_queue(), 10))  # its one thread has passed what waited
    assert not begun.is_set()


def test_failed_call_raises_its_error_and_frees_its_thread() -> None:
    executor = Executor(threads=1, max_queue=0)

    def fail() -> None:
        raise TimeoutError("of the model's own")

    async def ask() -> None:
        for _ in range(3):
            with pytest.raises(TimeoutError, match="own"):
                await executor.run(late(), fail)
            await asyncio.sleep(0.01)

    asyncio.run(ask())


@pytest.mark.parametrize(("seconds", "limit"), [(None, 20), (5, 5), (1000, 20)])
def test_request_sets_itself_a_shorter_time_limit_only(seconds: float | None, limit: float) -> None:
    executors = Executors(Serving(timeout_seconds=20))

    deadline = asyncio.run(executors.run(float, seconds=seconds))  # what work is given

    assert deadline - time.monotonic() == pytest.approx(limit, abs=1)
    executors.close()
