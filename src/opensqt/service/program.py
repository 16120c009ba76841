"""Start and end of every console script: event loop, signals, exit codes, and one sentence on failure."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from types import FrameType
from typing import Any

from opensqt.model.errors import (
    AccessError,
    BackOff,
    ConfigError,
    ConnectorUnavailable,
    ExchangeError,
    Unreachable,
    UnsupportedAccount,
)
from opensqt.telemetry import logging

EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_CREDENTIALS = 3
EXIT_UNREACHABLE = 4
EXIT_REPLACED = 5

_YOUNG_OBJECTS = 2_000
"""New objects between two looks for cycles. A look at 20,000 stops every order for 10 ms or more, and one at 2,000 for
1 ms."""
_LOOKS = (10, 100)
"""Looks at the new objects between two at those that outlived one, and of these between two at all: the last ones cost
up to 30 ms."""
_DESCRIPTORS = 65_536
"""Far beyond what any of the programs uses; some systems have no hard limit."""

ServiceMain = Callable[[asyncio.Event], Coroutine[Any, Any, int | None]]


def run(
    service: ServiceMain, *, within: AbstractContextManager[None] | None = None, end_within_s: float | None = None
) -> int:
    """Run *service* to its end and return the exit code.

    The service gets an event that SIGTERM and SIGINT set; it then has to stop. A second signal ends the process at
    once.

    Args:
        service: A coroutine function that returns the exit code; None means 0.
        within: Entered before the loop starts and left after it ended.
        end_within_s: Seconds from the first signal after which the process ends with code 1, whatever hangs.
    """
    _raise_descriptor_limit()
    limit = _StopLimit(end_within_s)
    try:
        with limit, within or nullcontext(), asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_until_stopped(service, limit)) or EXIT_OK
    except Exception as error:  # noqa: BLE001 - the last line of defence: every failure becomes one sentence and a code
        return report_failure(error)


def spare_the_collector() -> None:
    """Take what was loaded so far out of the garbage collector's sight, and have it look less often.

    What was loaded stays until the end, and to look through its 240,000 objects again stops every order for 70 ms each
    time. What a call makes is freed when it ends, by its count of references: to look for cycles after each 700 new
    objects, and each 70,000 at all, as Python does, finds next to nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, *_LOOKS)


def report_failure(error: BaseException) -> int:
    """Print the failure in one line, secrets removed, and return its exit code."""
    code, advice = _exit_code(error)
    text = logging.redact(str(error) or type(error).__name__)
    print(f"error: {' '.join(text.split())}{advice}", file=sys.stderr)  # noqa: T201 - the user's terminal
    if code == EXIT_FAILURE and logging.configured():
        logging.get_logger("entry").debug("unexpected failure", exc_info=error)
    return code


def _exit_code(error: BaseException) -> tuple[int, str]:
    if isinstance(error, ConfigError | UnsupportedAccount):
        return EXIT_USAGE, ""
    if isinstance(error, AccessError):
        return EXIT_CREDENTIALS, ""
    if isinstance(error, ConnectorUnavailable | Unreachable | BackOff):
        return EXIT_UNREACHABLE, ""
    if isinstance(error, ExchangeError):
        return EXIT_FAILURE, ""
    return EXIT_FAILURE, f" ({type(error).__name__}); set LOG_LEVEL=DEBUG for the trace"


class _StopLimit(AbstractContextManager[None]):
    """The last resort of a stop: a thread that ends the process when the stop takes too long."""

    def __init__(self, within_s: float | None) -> None:
        self._within_s = within_s
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """Start the limit; a signal was received."""
        if self._within_s is not None and self._timer is None:
            self._timer = threading.Timer(self._within_s, self._end)
            self._timer.daemon = True
            self._timer.start()

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _end(self) -> None:
        text = "error: the stop took too long and was cut off: orders may be open; the next start takes them up"
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - the user's terminal
        os._exit(EXIT_FAILURE)


async def _until_stopped(service: ServiceMain, limit: _StopLimit) -> int | None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = 0

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal signals
        signals += 1
        if signals > 1:
            os._exit(EXIT_FAILURE)
        limit.begin()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
        # The loop learns of a signal by a descriptor, which it reads between two callbacks. This handler runs within a
        # callback, too: one that never returns must not keep the process from its end.
        signal.signal(number, interrupt)
        signal.siginterrupt(number, False)
    return await service(stop)


def _raise_descriptor_limit() -> None:
    """Raise the soft limit of open descriptors to the hard one, as far as that is of use.

    The soft limit is 1,024 on most systems, for programs that use select(). None of ours does.
    """
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    if sys.platform == "win32":
        return asyncio.new_event_loop
    import uvloop

    return uvloop.new_event_loop
