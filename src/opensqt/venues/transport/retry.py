"""Patience at the start: waits when the venue asks for it, and asks again when one answer was lost.

A process that ended instead would be started again, and ask all of it again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from opensqt.model.errors import BackOff, ExchangeError, Unreachable
from opensqt.service.backoff import Backoff
from opensqt.telemetry.logging import get_logger, redact
from opensqt.venues.ratelimit.limiter import in_lane
from opensqt.venues.ratelimit.window import Lane

_log = get_logger("venue")
_BACKOFF_S = 0.5, 15.0
_AT_MOST_S = 180.0
_UNANSWERED = 3
"""A venue that did not answer so many times in all is not there."""


async def retry_start_step(
    step: Callable[[], Awaitable[None]],
    *,
    at_most_s: float = _AT_MOST_S,
    clock_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Take a step of the start, again after each wait that the venue asks for, and after the first lost answers.

    Args:
        step: What is to be done; it can be done again after it failed.
        at_most_s: How long it may take in all. A longer wait is not begun.
        clock_s: Monotonic seconds.
        sleep: Waits.

    Raises:
        BackOff: The venue asks for a wait that would be over too late.
        Unreachable: It did not answer the last attempt either.
        ExchangeError: Any other failure of the step.
    """
    deadline_s = clock_s() + at_most_s
    # Without jitter: three short delays would give up a venue that is only restarting.
    backoff = Backoff(*_BACKOFF_S, jitter=None)
    unanswered = 0
    while True:
        try:
            # Every cancel waits for the start, so it may use what is kept for cancels when others used up the rest.
            with in_lane(Lane.CANCEL):
                return await step()
        except (BackOff, Unreachable) as error:
            unanswered += isinstance(error, Unreachable)
            pause_s = backoff.next_s(at_least_s=error.retry_after_s)
            if unanswered == _UNANSWERED or clock_s() + pause_s > deadline_s:
                raise
            _tell(error, pause_s)
        await sleep(pause_s)


def _tell(error: ExchangeError, pause_s: float) -> None:
    what = "the venue asks for a wait" if isinstance(error, BackOff) else "the venue did not answer"
    _log.warning(f"the start goes on later: {what}", wait_s=round(pause_s, 1), reason=redact(str(error)))
