"""Threads for work that would keep other requests waiting."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any, ParamSpec, TypeVar

from terna.errors import Overloaded, TimedOut

P = ParamSpec("P")
T = TypeVar("T")


class Executor:
    """A few threads, and a queue of bounded length before them."""

    def __init__(self, threads: int, waiting: int, timeout: float) -> None:
        """
        Args:
            threads: how much is done at a time.
            waiting: how much more may wait for that.
            timeout: seconds after which nobody waits for an answer any more.
        """
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="predict")
        self._places = BoundedSemaphore(threads + waiting)
        self._timeout = timeout

    async def run(self, work: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """What the work returns.

        Raises:
            Overloaded: the queue is full; nothing was begun.
            TimedOut: it takes too long. What has begun goes on, and keeps its place to its end.
        """
        if not self._places.acquire(blocking=False):
            raise Overloaded("Too much is waiting already: ask again in a second.")
        done: Future[T] = self._threads.submit(work, *args, **more)
        done.add_done_callback(self._leave)
        future = asyncio.wrap_future(done)
        await asyncio.wait([future], timeout=self._timeout)
        if not future.done():
            future.cancel()
            raise TimedOut("Request processing time exceeded limit")  # MLflow's words
        return future.result()

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _leave(self, _done: Future[Any]) -> None:
        self._places.release()
