"""Runs a coroutine of ccxt in a thread, while its requests are sent by the event loop that started it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any, TypeVar

_sender: ContextVar[_ThreadRequests | None] = ContextVar("sender", default=None)
T = TypeVar("T")


async def run_in_thread(work: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine in a thread with an event loop of its own, so that what it computes does not hold this loop.

    What it passes to `send_from_first_loop` runs on this loop. When this call is canceled those requests are, too, and
    the thread ends.

    Args:
        work: Makes the coroutine.
    """
    sender = _ThreadRequests(asyncio.get_running_loop())

    async def run() -> T:
        _sender.set(sender)
        return await work()

    try:
        return await asyncio.to_thread(lambda: asyncio.run(run()))
    finally:
        sender.end()


def in_thread() -> bool:
    """Return whether this is the thread of `run_in_thread`."""
    return _sender.get() is not None


async def send_from_first_loop(request: Callable[[], Awaitable[T]]) -> T:
    """Run a request on the event loop that called `run_in_thread`, and return its result to the thread.

    Args:
        request: Makes the coroutine.

    Raises:
        RuntimeError: This is not the thread of `run_in_thread`.
    """
    sender = _sender.get()
    if sender is None:
        raise RuntimeError("send_from_first_loop: expected a thread of run_in_thread")
    return await sender.send(request)


class _ThreadRequests:
    """The requests of one thread.

    Args:
        loop: Sends them.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pending: set[Future[Any]] = set()
        self._ended = False

    async def send(self, request: Callable[[], Awaitable[T]]) -> T:
        if self._ended:
            raise asyncio.CancelledError

        async def on_loop() -> T:
            # This task has a copy of the thread's context.
            _sender.set(None)
            return await request()

        future = asyncio.run_coroutine_threadsafe(on_loop(), self._loop)
        self._pending.add(future)
        if self._ended:
            # `end` may have looked just before the line above.
            future.cancel()
        try:
            return await asyncio.wrap_future(future)
        finally:
            self._pending.discard(future)

    def end(self) -> None:
        """Cancel what is in flight, and send nothing more."""
        self._ended = True
        for future in list(self._pending):
            future.cancel()
