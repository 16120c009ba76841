"""One thread for work that must not stop the event loop, with as little between the two as there can be.

An executor makes two futures and a lock for each piece of work, which is felt at the rate of orders.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

R = TypeVar("R")
Done = Callable[[Any, BaseException | None], None]
Work = tuple[Callable[[], Any], Done, asyncio.AbstractEventLoop]


class Worker:
    """Runs what it is given, one piece after the other.

    Args:
        name: Of the thread. It is a daemon: a disk that hangs must not keep the process from ending.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, work: Callable[[], Any], done: Done) -> None:
        """Have *work* run in the thread; then *done* in the event loop, with its result or its error."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._queue.put((work, done, asyncio.get_running_loop()))

    async def run(self, work: Callable[[], R]) -> R:
        """Run *work* in the thread and return its result."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()

        def done(result: Any, error: BaseException | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.submit(work, done)
        return await future

    def stop(self) -> None:
        """End the thread after what it was given. Idempotent."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread = None

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            work, done, loop = item
            result, failed = None, None
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - it is handed to the one that waits for the work
                failed = error
            try:
                loop.call_soon_threadsafe(done, result, failed)
            except RuntimeError:
                return  # the event loop is closed, so nobody waits
