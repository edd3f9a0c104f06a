"""Threads for work that would keep other requests waiting."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any, ParamSpec, TypeVar

from terna.errors import Overloaded, TimedOut
from terna.settings import Serving

LARGE_BODY = 65_536
"""Bytes from which on a body has a thread of its own, so that it keeps no small one waiting."""

P = ParamSpec("P")
T = TypeVar("T")


class Executor:
    """A few threads, and a queue of bounded length before them."""

    def __init__(self, threads: int, max_queue: int, timeout: float) -> None:
        """
        Args:
            threads: how many calls run at a time.
            max_queue: how many more may wait for a thread.
            timeout: seconds after which nobody waits for a result any more.
        """
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="predict")
        self._capacity = BoundedSemaphore(threads + max_queue)
        self._timeout = timeout

    async def run(self, work: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """Run work in a thread and return what it returns.

        Raises:
            Overloaded: the queue is full; nothing was begun.
            TimedOut: it takes too long; what has begun goes on, and takes up a thread to its end.
        """
        if not self._capacity.acquire(blocking=False):
            raise Overloaded("Too much is waiting already: ask again in a second.")
        done: Future[T] = self._threads.submit(work, *args, **more)
        done.add_done_callback(self._release)
        future = asyncio.wrap_future(done)
        await asyncio.wait([future], timeout=self._timeout)
        if not future.done():
            future.cancel()
            raise TimedOut("Request processing time exceeded limit")  # MLflow's message
        return future.result()

    def close(self) -> None:
        """Stop: what has begun goes on, what waits never begins."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _release(self, _done: Future[Any]) -> None:
        self._capacity.release()


class Executors:
    """One executor for usual bodies, and one for large ones."""

    def __init__(self, serving: Serving) -> None:
        max_queue, timeout = serving.max_queue, serving.timeout_seconds
        self._usual = Executor(serving.threads, max_queue, timeout)
        self._large = Executor(1, max_queue, timeout)

    async def run(self, size: int, work: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """Run work in a thread and return what it returns.

        Args:
            size: of the request's body, in bytes.

        Raises:
            Overloaded, TimedOut: as `Executor.run` does.
        """
        executor = self._large if size >= LARGE_BODY else self._usual
        return await executor.run(work, *args, **more)

    def close(self) -> None:
        """Stop: what has begun goes on, what waits never begins."""
        self._usual.close()
        self._large.close()
