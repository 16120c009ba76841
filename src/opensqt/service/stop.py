"""Work that ends with a stop of the process: it is cancelled when the signal comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Stopped(Exception):
    """The process has to stop before the work was done."""


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of *work*, or cancel it when *stop* is set first.

    The work has ended when this returns or raises.

    Args:
        stop: Set when the process has to end; SIGTERM and SIGINT set the one that `program.run` gives.
        work: The coroutine to run.

    Raises:
        Stopped: *stop* was set first.
        Exception: What the work failed with, also while it was being cancelled.
    """
    task = asyncio.create_task(work)
    stopped = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    if task.cancelled() and stop.is_set():
        raise Stopped
    return task.result()
