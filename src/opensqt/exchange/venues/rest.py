"""Sends one request: at the venue's time, silent after a rate limit, with errors of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import ccxt

from opensqt.exchange.venues.budget import Budget
from opensqt.exchange.venues.client import reply_of
from opensqt.exchange.venues.errors import Codes, translate
from opensqt.exchange.venues.health import Health
from opensqt.model.clock import now_ms
from opensqt.model.errors import (
    Banned,
    ClockSkew,
    CredentialsRefused,
    ExchangeError,
    Maintenance,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    Unreachable,
)
from opensqt.telemetry.logging import get_logger, redact

_log = get_logger("venue")
_CLOCK_SAMPLES = 3
_CLOCK_NEWS_MS = 250


class Rest:
    """The request side of one venue connection.

    Args:
        client: The tapped ccxt client.
        codes: The venue's error codes.
        health: Where `venue`, `clock` and `credentials` are told.
        budget: Told of each rate limit and ban, so that nothing leaves until it is over.
        recv_window_ms: The width of the venue's window for signed timestamps.
    """

    def __init__(self, client: Any, codes: Codes, health: Health, budget: Budget, *, recv_window_ms: int) -> None:
        self._client = client
        self._codes = codes
        self._health = health
        self._budget = budget
        self._recv_window_ms = recv_window_ms
        self._measuring = asyncio.Lock()

    async def send(
        self, endpoint: str, params: dict[str, Any] | None = None, *, changes: bool = False, symbol: str = ""
    ) -> Any:
        """Send one request by the name of ccxt's method, and answer the decoded JSON.

        Args:
            endpoint: E.g. `fapiPrivatePostOrder`.
            params: The request's parameters, all text.
            changes: Whether it can change something at the venue, so that a lost answer means OutcomeUnknown.
            symbol: For the error's own field.
        """
        method = getattr(self._client, endpoint)
        # A copy each time: ccxt writes into what it is given.
        answer = await self.call(lambda: method(dict(params or {})), changes=changes, symbol=symbol)
        if isinstance(answer, dict | list):
            return answer
        text = "the venue's answer could not be read"
        raise OutcomeUnknown(text, symbol=symbol) if changes else Unreachable(text, symbol=symbol)

    async def call(self, request: Callable[[], Awaitable[Any]], *, changes: bool = False, symbol: str = "") -> Any:
        """Make one request of ccxt with errors of ours.

        A refused timestamp proves that nothing happened: the clock is measured again and the request, signed
        afresh, made once more.
        """
        try:
            return await self._once(request, changes=changes, symbol=symbol)
        except ClockSkew:
            await self.measure_clock()
            return await self._once(request, changes=changes, symbol=symbol)

    async def measure_clock(self) -> None:
        """Measure how far the venue's clock is from ours, going by the quickest of a few answers."""
        async with self._measuring:
            samples = [await self._sample() for _ in range(_CLOCK_SAMPLES)]
        took_ms, offset_ms = min(samples)
        was_ms = self._client.clock_offset_ms
        if abs(offset_ms - was_ms) > _CLOCK_NEWS_MS:
            _log.info("the venue's clock moved against ours", offset_ms=offset_ms, was_ms=was_ms)
        self._client.clock_offset_ms = offset_ms
        if took_ms < self._recv_window_ms:
            self._health.set("clock", True)
        else:
            self._health.set("clock", False, f"the venue took {took_ms} ms to tell its time: {offset_ms} ms from ours")

    async def _sample(self) -> tuple[int, int]:
        """Answer how long the venue took to tell its time, and the offset that follows."""
        sent_ms = now_ms()
        try:
            venue_ms = int(await self._once(self._client.fetch_time, changes=False, symbol=""))
        except ExchangeError as error:
            self._health.set("clock", False, f"the venue's clock could not be asked: {error}")
            raise
        took_ms = now_ms() - sent_ms
        return took_ms, venue_ms - sent_ms - took_ms // 2

    async def _once(self, request: Callable[[], Awaitable[Any]], *, changes: bool, symbol: str) -> Any:
        try:
            answer = await request()
        except (ccxt.BaseError, aiohttp.ClientError, OSError) as error:
            ours = translate(reply_of(error), self._codes, changes=changes, symbol=symbol)
            # ccxt writes the address into its text, signature and all.
            error.args = tuple(redact(str(arg)) for arg in error.args)
            self._note(ours)
            raise ours from error
        self._health.set("venue", True)
        return answer

    def _note(self, error: ExchangeError) -> None:
        if isinstance(error, RateLimited | Banned):
            self._budget.silence(error.retry_after_s or 0)
        if isinstance(error, CredentialsRefused | PermissionDenied):
            self._health.set("credentials", False, str(error))
        if isinstance(error, ClockSkew):
            self._health.set("clock", False, str(error))
        if isinstance(error, Unreachable | OutcomeUnknown | Maintenance | Banned):
            self._health.set("venue", False, str(error))
        elif not isinstance(error, RateLimited):
            # A refusal is an answer.
            self._health.set("venue", True)
