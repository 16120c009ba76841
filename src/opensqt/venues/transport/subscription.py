"""One subscription at a venue, kept up: subscribed again with a back-off each time that it ends."""

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
"""Errors after which a subscription is tried again."""
QUERY_ERRORS = (*RETRYABLE_ERRORS, *PARSE_ERRORS)
"""Errors after which a query to the venue is tried again: a response that can't be parsed counts as none."""


class VenueSubscription:
    """One subscription that is kept up for as long as `run` runs.

    Args:
        name: What is subscribed to, for the log.
        watch: Subscribes; ends when the connection does.
        on_lost: Called each time that the subscription ended, with the reason.
        catch_up: Queries the venue for updates that the stream may have missed; called at each start.
        on_socket: Called with the socket that each attempt uses.
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
        self.on_lost = on_lost
        self._catch_up = catch_up
        self._on_socket = on_socket
        self._backoff = Backoff(*_BACKOFF_S)

    def reset_backoff(self) -> None:
        """Begin the back-off anew, because data arrived."""
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
            self.on_lost(self._reason(watching))
            await asyncio.sleep(self._backoff.next_s())

    async def _subscribe(self) -> None:
        if self._on_socket is not None:
            report_socket_to(self._on_socket)
        await self._watch()

    async def _try_to_catch_up(self, catch_up: Callable[[], Awaitable[None]]) -> None:
        try:
            await catch_up()
        except QUERY_ERRORS as error:
            _log.warning("catch-up query failed", subscription=self.name, error=redact(repr(error)))

    def _reason(self, watching: asyncio.Future[Any]) -> str:
        if watching.cancelled():
            return "connection closed"
        error = watching.exception()
        if error is None:
            return "subscription ended"
        if not isinstance(error, RETRYABLE_ERRORS):
            raise error
        return redact(str(error)) or type(error).__name__
