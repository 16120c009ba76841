"""Retries a step of a start: after the delay that the exchange requests, and after a few lost responses.

A process that exited instead would be restarted, and would send all requests of the start again. A supervisor that
counts the restarts would give it up while the exchange is only overloaded, and what it holds would stay alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from opensqt.model.errors import BackOff, Unreachable
from opensqt.service.backoff import Backoff
from opensqt.telemetry.logging import get_logger, redact

T = TypeVar("T")

_BACKOFF_S = 0.5, 15.0
_TIMEOUT_S = 180.0
_MAX_LOST_RESPONSES = 3
"""Lost responses in all after which the exchange counts as unreachable."""


async def retry_start(
    step: Callable[[], Awaitable[T]],
    *,
    logger: str,
    timeout_s: float = _TIMEOUT_S,
    clock_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """Run a step of the start, and run it again after each delay that the exchange requests or a lost response.

    Args:
        step: The step; it can run again after it failed.
        logger: Name of the logger that each delay is logged by.
        timeout_s: Time limit in all. A delay that would end later is not begun.
        clock_s: Monotonic seconds.
        sleep: Waits.

    Raises:
        BackOff: The exchange requests a delay beyond the time limit.
        Unreachable: The exchange did not respond to the last attempt either.
        ExchangeError: Any other failure of the step.
    """
    deadline_s = clock_s() + timeout_s
    # Without jitter: three short delays would give up an exchange that is only restarting.
    backoff = Backoff(*_BACKOFF_S, jitter=None)
    lost_responses = 0
    while True:
        try:
            return await step()
        except (BackOff, Unreachable) as error:
            lost_responses += isinstance(error, Unreachable)
            delay_s = backoff.next_s(at_least_s=error.retry_after_s)
            if lost_responses == _MAX_LOST_RESPONSES or clock_s() + delay_s > deadline_s:
                raise
            event = "the venue requests a delay" if isinstance(error, BackOff) else "the venue did not respond"
            get_logger(logger).warning(
                f"retrying the start: {event}", delay_s=round(delay_s, 1), reason=redact(str(error))
            )
        await sleep(delay_s)
