"""Executors: a few calls wait, more are rejected, and a slow one times out."""

import asyncio
from collections.abc import Iterator
from threading import Event

import pytest

from terna.errors import Overloaded, TimedOut
from terna.serving.http.executors import Executor


@pytest.fixture
def go_on() -> Iterator[Event]:
    event = Event()
    yield event
    event.set()


def wait_for(event: Event) -> str:
    assert event.wait(10)
    return "done"


def test_call_over_the_queue_limit_is_rejected_and_the_rest_is_done(go_on: Event) -> None:
    executor = Executor(threads=1, max_queue=2, timeout=10)

    async def ask() -> list[str]:
        taken = [asyncio.create_task(executor.run(wait_for, go_on)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await executor.run(wait_for, go_on)
        go_on.set()
        done = await asyncio.gather(*taken)
        return [*done, await executor.run(wait_for, go_on)]

    assert asyncio.run(ask()) == ["done"] * 4


def test_call_over_the_timeout_takes_up_its_thread_until_it_ends(go_on: Event) -> None:
    executor = Executor(threads=1, max_queue=0, timeout=0.05)

    async def ask() -> str:
        with pytest.raises(TimedOut):
            await executor.run(wait_for, go_on)
        with pytest.raises(Overloaded):
            await executor.run(wait_for, go_on)
        go_on.set()
        while True:  # until its thread has left
            try:
                return await executor.run(wait_for, go_on)
            except Overloaded:
                await asyncio.sleep(0.001)

    assert asyncio.run(asyncio.wait_for(ask(), 10)) == "done"


def test_call_that_timed_out_in_the_queue_never_begins(go_on: Event) -> None:
    executor, begun = Executor(threads=1, max_queue=1, timeout=0.05), Event()

    async def ask() -> None:
        first = asyncio.create_task(executor.run(wait_for, go_on))
        second = asyncio.create_task(executor.run(begun.set))
        for late in (first, second):
            with pytest.raises(TimedOut):
                await late

    async def pass_the_queue() -> int:
        while True:
            try:
                return await executor.run(int)
            except (Overloaded, TimedOut):
                await asyncio.sleep(0.001)

    asyncio.run(ask())
    go_on.set()
    asyncio.run(asyncio.wait_for(pass_the_queue(), 10))  # its one thread has passed what waited
    assert not begun.is_set()


def test_failed_call_raises_its_error_and_frees_its_thread() -> None:
    executor = Executor(threads=1, max_queue=0, timeout=10)

    def fail() -> None:
        raise TimeoutError("of the model's own")

    async def ask() -> None:
        for _ in range(3):
            with pytest.raises(TimeoutError, match="own"):
                await executor.run(fail)
            await asyncio.sleep(0.01)

    asyncio.run(ask())
