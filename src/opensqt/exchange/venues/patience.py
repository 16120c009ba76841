"""Waits at the start when the venue asks for it: a process that ended instead would be started again, and ask again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from opensqt.model.errors import BackOff
from opensqt.telemetry.logging import get_logger, redact

_log = get_logger("venue")
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 15.0
_AT_MOST_S = 180.0


async def patiently(
    step: Callable[[], Awaitable[None]],
    *,
    at_most_s: float = _AT_MOST_S,
    clock_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Take a step of the start, again after each wait that the venue asks for.

    Args:
        step: What is to be done; it can be done again after it failed.
        at_most_s: How long it may take in all. A longer wait is not begun.
        clock_s: Monotonic seconds.
        sleep: Waits.

    Raises:
        BackOff: The venue asks for a wait that would be over too late.
        ExchangeError: Any other failure of the step.
    """
    deadline_s = clock_s() + at_most_s
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            return await step()
        except BackOff as error:
            pause_s = max(wait_s, error.retry_after_s or 0)
            if clock_s() + pause_s > deadline_s:
                raise
            _log.warning("the start waits as the venue asks", wait_s=round(pause_s, 1), reason=redact(str(error)))
        await sleep(pause_s)
        wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
