"""An event loop in a background thread, for blocking code and for code inside another loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from opensqt.model.errors import Unreachable

T = TypeVar("T")
_CLOSE_S = 5.0
"""Maximum time that the end of a process waits for the loop to close."""


class LoopThread:
    """Runs coroutines for any thread except its own. Starts at once; `close` ends it."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        # A daemon: a program that ends without closing the loop must not hang on it.
        self._thread = threading.Thread(target=self._main, name="opensqt", daemon=True)
        self._thread.start()
        self._ready.wait()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for *work* and return its result or raise its error.

        An interrupt (Ctrl-C) cancels it. A request that was sent by then may have been executed.

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
        """Start *work* without waiting, from any thread; nothing happens when the loop was closed."""
        try:
            self._begin(work)
        except Unreachable:
            # The resources that it would have released ended with the loop.
            return

    def close(self, last: Coroutine[Any, Any, object]) -> None:
        """Run *last*, then end the loop and its thread. Idempotent."""
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
            runner.run(self._run_until_closed())

    async def _run_until_closed(self) -> None:
        self._stopped = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        await self._stopped.wait()

    async def _end(self, last: Coroutine[Any, Any, object]) -> None:
        try:
            await last
        finally:
            self._stopped.set()
