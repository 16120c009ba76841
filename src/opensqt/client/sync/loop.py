"""An event loop in a thread of its own, so that blocking code, and code inside another loop, can wait for ours."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from opensqt.model.errors import Unreachable

T = TypeVar("T")
_CLOSE_S = 5.0
"""What the end of a process waits for us at most."""


class LoopThread:
    """Runs coroutines for any thread but its own. Begins at once; `close` ends it."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        # A daemon: a program that ends without closing us must not hang on it.
        self._thread = threading.Thread(target=self._main, name="opensqt", daemon=True)
        self._thread.start()
        self._ready.wait()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for *work* and answer what it answers; its error is raised here.

        An interrupt (Ctrl-C) cancels it. What it had sent by then may have happened.

        Raises:
            Unreachable: The loop was closed.
        """
        future = self._begin(work)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise Unreachable("the exchange was closed") from None
        except BaseException:
            future.cancel()
            raise

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Begin *work* without waiting, from any thread; nothing happens when the loop was closed."""
        try:
            self._begin(work)
        except Unreachable:
            # What it would have released went with the loop.
            return

    def close(self, last: Coroutine[Any, Any, object]) -> None:
        """Do *last*, then end the loop and its thread. Idempotent."""
        loop, self._loop = self._loop, None
        if loop is None:
            last.close()
            return
        asyncio.run_coroutine_threadsafe(self._end(last), loop)
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSE_S)

    def _begin(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        loop = self._loop
        if loop is None or threading.current_thread() is self._thread:
            work.close()
            raise Unreachable("the exchange was closed" if loop is None else "its own thread can't wait for itself")
        return asyncio.run_coroutine_threadsafe(work, loop)

    def _main(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        self._stopped = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        await self._stopped.wait()

    async def _end(self, last: Coroutine[Any, Any, object]) -> None:
        try:
            await last
        finally:
            self._stopped.set()
