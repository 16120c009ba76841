"""The attempts to reach a connector: counted, told one by one, and shared by all who lost the same connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from opensqt.model.errors import ExchangeError, Unreachable
from opensqt.service.backoff import exponential_s
from opensqt.telemetry.logging import get_logger

_BACKOFF_S = 1.0, 60.0
_LASTING_S = 5.0
"""A connector that is there for less between two failures is not back; one that restarts every minute is, each time."""

log = get_logger("remote")


class NotReady(Exception):
    """The connector can't be used yet; trying again may help."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often something is tried, and how long the waits between are."""

    attempts: int = 10
    scale: float = 1.0
    """Multiplies the waits."""

    def wait_s(self, attempt: int) -> float:
        """Answer how long to wait after a failed attempt: 1, 2, 4, 8, 16, 32, 60, 60, 60 s."""
        return exponential_s(attempt, *_BACKOFF_S) * self.scale

    def told(self, attempt: int, what: str, error: ExchangeError) -> str:
        """Say in one line that an attempt failed, and what comes next."""
        then = "giving up" if attempt >= self.attempts else f"next in {self.wait_s(attempt):g} s"
        return f"attempt {attempt} of {self.attempts} to {what} failed: {error}; {then}"


def lasted(since: float) -> bool:
    """Say whether what was reached at *since* (monotonic) has lasted, so that a failure now begins a new count."""
    return time.monotonic() - since > _LASTING_S


class Recovery:
    """One series of attempts for one connection, however many wait for it.

    Args:
        address: The connector's, for the log.
        patience: How many attempts, how far apart.
        reach: One attempt; raises `NotReady` when it failed.
    """

    def __init__(self, address: str, patience: Patience, reach: Callable[[], Awaitable[None]]) -> None:
        self._address = address
        self._patience = patience
        self._reach = reach
        self._failures = 0
        self._reached = time.monotonic()
        self._series: asyncio.Task[str] | None = None

    async def wait(self, error: ExchangeError) -> str:
        """Wait for the connector in the series under way, or begin one because of *error*.

        Returns:
            Empty when the connector answers again, else why the last attempt failed.
        """
        if self._series is None or self._series.done():
            self._series = asyncio.create_task(self._attempt(error), name="reconnect")
        return await asyncio.shield(self._series)

    async def close(self) -> None:
        """End a series under way; who waits for it is cancelled."""
        series, self._series = self._series, None
        if series is not None and not series.done():
            series.cancel()
            await asyncio.wait({series})

    async def _attempt(self, error: ExchangeError) -> str:
        if lasted(self._reached):
            self._failures = 0
        while True:
            self._failures += 1
            text = self._patience.told(self._failures, f"reach the connector at {self._address}", error)
            log.warning(text, attempt=self._failures, attempts=self._patience.attempts)
            if self._failures >= self._patience.attempts:
                self._failures = 0
                return str(error)
            await asyncio.sleep(self._patience.wait_s(self._failures))
            try:
                await self._reach()
            except NotReady as again:
                error = Unreachable(str(again))
            else:
                self._reached = time.monotonic()
                log.info("the connector answers again", address=self._address)
                return ""
