"""Holds one subscription at the venue: starts it, sees it end, waits, starts it again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import ccxt

from opensqt.model.errors import ExchangeError
from opensqt.service.backoff import Backoff
from opensqt.telemetry.logging import get_logger, redact
from opensqt.venues.transport.ccxt_client import cancel_and_wait, report_socket_to
from opensqt.venues.transport.errors import PARSE_ERRORS

_log = get_logger("venue")
_BACKOFF_S = 0.05, 15.0
RETRYABLE_ERRORS = (ccxt.BaseError, ExchangeError, aiohttp.ClientError, OSError)
"""What an upstream may fail with and be tried again."""
QUERY_ERRORS = (*RETRYABLE_ERRORS, *PARSE_ERRORS)
"""What a question to the venue may fail with and be asked again: an answer that can't be read is none."""


class Subscription:
    """One subscription that is kept up for as long as `run` runs.

    Args:
        name: What is subscribed to, for the log.
        watch: Subscribes and ends with the connection.
        lost: Told each time it ended, with the reason.
        catch_up: Asks the venue for what the stream may have missed; called at each start.
        dials: Told which socket each attempt uses.
    """

    def __init__(
        self,
        name: str,
        watch: Callable[[], Awaitable[Any]],
        *,
        on_lost: Callable[[str], None],
        catch_up: Callable[[], Awaitable[None]] | None = None,
        on_socket: Callable[[Any], None] | None = None,
    ) -> None:
        self.name = name
        self._watch = watch
        self._on_lost = on_lost
        self._catch_up = catch_up
        self._on_socket = on_socket
        self._backoff = Backoff(*_BACKOFF_S)

    def reset_backoff(self) -> None:
        """Say that data came: the next failure is met with a short wait again."""
        self._backoff.reset()

    async def run(self) -> None:
        """Keep the subscription up until cancelled."""
        while True:
            watching = asyncio.create_task(self._subscribe())
            try:
                if self._catch_up is not None:
                    await self._try_to_catch_up(self._catch_up)
                await asyncio.wait([watching])
            finally:
                await cancel_and_wait(watching)
            self._on_lost(self._reason(watching))
            await asyncio.sleep(self._backoff.next_s())

    async def _subscribe(self) -> None:
        if self._on_socket is not None:
            report_socket_to(self._on_socket)
        await self._watch()

    async def _try_to_catch_up(self, catch_up: Callable[[], Awaitable[None]]) -> None:
        try:
            await catch_up()
        except QUERY_ERRORS as error:
            _log.warning("could not catch up", upstream=self.name, error=redact(repr(error)))

    def _reason(self, watching: asyncio.Future[Any]) -> str:
        if watching.cancelled():
            return "connection closed"
        error = watching.exception()
        if error is None:
            return "subscription ended"
        if not isinstance(error, RETRYABLE_ERRORS):
            raise error
        return redact(str(error)) or type(error).__name__
