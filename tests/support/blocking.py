"""Calls that block, each in a thread of its own that nobody waits for longer than is said.

`asyncio.to_thread` has no deadline, and the event loop joins its threads when it closes: a client library that never
answers holds up the whole run. Here the thread is a daemon, and so is every thread that is started in it.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

WITHIN_S = 30.0


async def in_thread(call: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Return what a blocking call returns; after half a minute fail, and show where it is."""
    return await in_thread_for(WITHIN_S, call, *arguments, **options)


async def in_thread_for(within_s: float, call: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Return what a blocking call returns; after *within_s* seconds fail, and show where it is."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[tuple[T | None, BaseException | None]] = loop.create_future()

    def work() -> None:
        outcome: tuple[T | None, BaseException | None]
        try:
            outcome = call(*arguments, **options), None
        except BaseException as error:  # noqa: BLE001 - it is raised where the call is waited for
            outcome = None, error
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, ended, outcome)

    thread = threading.Thread(target=work, name=f"in_thread {call!r}", daemon=True)
    thread.start()
    await asyncio.wait({ended}, timeout=within_s)
    if not ended.done():
        raise AssertionError(f"{call!r} has not returned within {within_s:g} s; it is here:\n{_stack(thread)}")
    answer, error = ended.result()
    if error is not None:
        raise error
    return answer  # type: ignore[return-value]


def next_of(stream: Iterator[T]) -> T:
    """Return what a stream brings next, however often its own timeout ends before; after half a minute fail."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        try:
            return next(stream)
        except TimeoutError:
            if time.monotonic() > deadline:
                raise


def _settle(ended: asyncio.Future[Any], outcome: Any) -> None:
    if not ended.done():
        ended.set_result(outcome)


def _stack(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - documented
    return "".join(traceback.format_stack(frame)) if frame is not None else "ended"
