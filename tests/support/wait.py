"""Waiting for a condition instead of sleeping."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

WITHIN_S = 120.0
"""How long a test waits for what must come. Far more than it takes on a busy machine: no test asserts a time."""

strict = False
"""Whether the times that the requirements name are kept: with --large, on a machine that does nothing else."""


def required(seconds: float) -> float:
    """Return how long to wait for what a requirement gives so many seconds."""
    return seconds if strict else max(seconds, WITHIN_S)


async def eventually(
    condition: Callable[[], T | Awaitable[T]], *, within_s: float = WITHIN_S, every_s: float = 0.05, what: str = ""
) -> T:
    """Answer the first true value of *condition*; fail when none came in time, telling the last one.

    It is asked soon at first, then every *every_s*: some conditions cost more than the wait.
    """
    deadline = time.monotonic() + within_s
    pause_s = min(0.002, every_s)
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or 'condition'} not met within {within_s} s; last value: {value!r}")
        await asyncio.sleep(pause_s)
        pause_s = min(1.5 * pause_s, every_s)
