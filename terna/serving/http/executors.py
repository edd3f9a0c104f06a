"""Threads for work that would keep other requests waiting."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any, TypeVar, TypeVarTuple, Unpack

from terna.errors import Overloaded, TimedOut
from terna.settings import Serving

LARGE_BODY = 65_536
"""Bytes from which on a body has a thread of its own, so that it keeps no small one waiting."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Executor:
    """A few threads, and a queue of bounded length before them."""

    def __init__(self, threads: int, max_queue: int) -> None:
        """
        Args:
            threads: how many calls run at a time.
            max_queue: how many more may wait for a thread.
        """
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="predict")
        self._capacity = BoundedSemaphore(threads + max_queue)

    async def run(self, deadline: float, work: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        """Run work in a thread and return what it returns.

        Args:
            deadline: the time of `time.monotonic` after which nobody waits for it any more.

        Raises:
            Overloaded: the queue is full; nothing was begun.
            TimedOut: it takes too long; what has begun must end by itself.
        """
        if not self._capacity.acquire(blocking=False):
            raise Overloaded("Too much is waiting already: ask again in a second.")
        done: Future[T] = self._threads.submit(work, *args)
        done.add_done_callback(self._release)
        future = asyncio.wrap_future(done)
        await asyncio.wait([future], timeout=deadline - time.monotonic())
        if not future.done():
            future.cancel()
            raise TimedOut
        try:
            return future.result()
        finally:
            # An error holds this frame by its traceback, and with it the request, which can be
            # 100s of MB of objects: until the next full garbage collection, if they held it too.
            del done, future

    def close(self) -> None:
        """Stop: what has begun goes on, what waits never begins."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _release(self, _done: Future[Any]) -> None:
        self._capacity.release()


class Executors:
    """One executor for usual bodies, and one for large ones."""

    def __init__(self, serving: Serving) -> None:
        self._timeout = serving.timeout_seconds
        self._usual = Executor(serving.threads, serving.max_queue)
        self._large = Executor(1, serving.max_queue)

    async def run(
        self,
        work: Callable[[Unpack[Ts], float], T],
        *args: *Ts,
        size: int = 0,
        seconds: float | None = None,
    ) -> T:
        """Run work in a thread and return what it returns.

        Args:
            work: takes the arguments, and at last the time of `time.monotonic` to end by.
            size: of the request's body, in bytes.
            seconds: the request's own time limit, if it has one.

        Raises:
            Overloaded, TimedOut: as `Executor.run` does.
        """
        limit = self._timeout if seconds is None else min(seconds, self._timeout)
        deadline = time.monotonic() + limit
        executor = self._large if size >= LARGE_BODY else self._usual
        return await executor.run(deadline, work, *args, deadline)

    def close(self) -> None:
        """Stop: what has begun goes on, what waits never begins."""
        self._usual.close()
        self._large.close()
