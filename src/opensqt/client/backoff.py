"""Reconnection to a connector: attempts are counted, logged, and shared by all streams that lost the connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from opensqt.model.errors import ExchangeError, Unreachable
from opensqt.service.backoff import exponential_s
from opensqt.telemetry.logging import get_logger

_BACKOFF_S = 1.0, 60.0
_STABLE_AFTER_S = 5.0
"""A connection that lasts less than this does not end an outage; a connector that restarts each minute does, each
time."""

log = get_logger("remote")


class NotReady(Exception):
    """The connector can't be used yet; a retry may help."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Number of attempts, and the delays between them."""

    attempts: int = 10
    scale: float = 1.0
    """Factor of the delays."""

    def delay_s(self, attempt: int) -> float:
        """Return the delay after a failed attempt: 1, 2, 4, 8, 16, 32, 60, 60, 60 s, times the scale."""
        return exponential_s(attempt, *_BACKOFF_S) * self.scale

    def describe_failure(self, attempt: int, action: str, error: ExchangeError) -> str:
        """Return the log line of a failed attempt: the error, and when the next attempt follows."""
        then = "giving up" if attempt >= self.attempts else f"next in {self.delay_s(attempt):g} s"
        return f"attempt {attempt} of {self.attempts} to {action} failed: {error}; {then}"


def was_stable(since: float) -> bool:
    """Return whether a connection made at *since* (monotonic) lasted long enough to start a new count of failures."""
    return time.monotonic() - since > _STABLE_AFTER_S


class Reconnect:
    """Reconnects one connection; all streams that wait for it share the attempts.

    Args:
        address: Address of the connector, for the log.
        retry_policy: Number of attempts and their delays.
        connect: Makes one attempt; raises `NotReady` when it failed.
    """

    def __init__(self, address: str, retry_policy: RetryPolicy, connect: Callable[[], Awaitable[None]]) -> None:
        self._address = address
        self._retry_policy = retry_policy
        self._connect = connect
        self._failures = 0
        self._connected_at = time.monotonic()
        self._task: asyncio.Task[str] | None = None

    async def wait(self, error: ExchangeError) -> str:
        """Wait until the connector is reached again; start the attempts because of *error* if none are running.

        Returns:
            Empty when the connector responds again, else the reason why the last attempt failed.
        """
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._attempt(error), name="reconnect")
        return await asyncio.shield(self._task)

    async def close(self) -> None:
        """Cancel running attempts; the streams that wait for them are cancelled too."""
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait({task})

    async def _attempt(self, error: ExchangeError) -> str:
        if was_stable(self._connected_at):
            self._failures = 0
        while True:
            self._failures += 1
            text = self._retry_policy.describe_failure(self._failures, f"reach the connector at {self._address}", error)
            log.warning(text, attempt=self._failures, attempts=self._retry_policy.attempts)
            if self._failures >= self._retry_policy.attempts:
                self._failures = 0
                return str(error)
            await asyncio.sleep(self._retry_policy.delay_s(self._failures))
            try:
                await self._connect()
            except NotReady as again:
                error = Unreachable(str(again))
            else:
                self._connected_at = time.monotonic()
                log.info("the connector responds again", address=self._address)
                return ""
