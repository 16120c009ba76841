"""Sends single requests: signed with the venue's time, paused after a rate limit, with OpenSQT errors."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from copy import copy
from math import inf
from typing import Any

import aiohttp
import ccxt

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
from opensqt.telemetry.logging import redact
from opensqt.venues.health import Health
from opensqt.venues.ratelimit.limiter import RateLimiter
from opensqt.venues.transport.ccxt_client import reply_of
from opensqt.venues.transport.clock import VenueClock
from opensqt.venues.transport.errors import Codes, translate

_FAILURES_IN_A_ROW = 3
"""Consecutive failures that make an outage. A single lost response among good ones is no outage."""
RESPONSE_DEADLINE_S = 12.0
"""Seconds without any response after which the venue is unhealthy. A request is sent every few seconds."""


class Rest:
    """The request side of one venue connection.

    Args:
        client: The ccxt client.
        codes: The venue's error codes.
        health: Receives the checks `venue`, `clock` and `credentials`.
        rate_limiter: Paused after each rate limit and ban, so that nothing is sent until it is over.
        recv_window_ms: The width of the venue's window for signed timestamps.
        clock_interval_s: Seconds between measurements of the venue's clock.
    """

    def __init__(
        self,
        client: Any,
        codes: Codes,
        health: Health,
        rate_limiter: RateLimiter,
        *,
        recv_window_ms: int,
        clock_interval_s: float,
    ) -> None:
        self._client = client
        self._codes = codes
        self._health = health
        self._rate_limiter = rate_limiter
        self.clock = VenueClock(self._query_time, client, health, window_ms=recv_window_ms, interval_s=clock_interval_s)
        self._failures = 0
        self._last_response_s = time.monotonic()
        self.change_refused_s = -inf
        """Monotonic time at which the venue last refused this key the right to change something."""
        health.add_probe("venue", self._unreachable_reason)

    @property
    def idle_s(self) -> float:
        """Seconds since the venue's last response."""
        return time.monotonic() - self._last_response_s

    async def send(
        self,
        endpoint: str,
        params: dict[str, Any] | list[dict[str, Any]] | None = None,
        *,
        changes: bool = False,
        symbol: str = "",
    ) -> Any:
        """Send one request by the name of ccxt's method, and return the decoded JSON.

        Args:
            endpoint: E.g. `fapiPrivatePostOrder`.
            params: The request's parameters, all text; a list where the body of the request is one.
            changes: Whether it can change something at the venue, so that a lost response means OutcomeUnknown.
            symbol: For the error's `symbol`.

        Raises:
            ExchangeError: The request failed, or its response could not be parsed.
        """
        method = getattr(self._client, endpoint)
        # A copy for each attempt: ccxt modifies its argument.
        response = await self.call(lambda: method(copy(params or {})), changes=changes, symbol=symbol)
        if isinstance(response, dict | list):
            return response
        text = "the venue's response could not be parsed"
        raise OutcomeUnknown(text, symbol=symbol) if changes else Unreachable(text, symbol=symbol)

    async def call(self, request: Callable[[], Awaitable[Any]], *, changes: bool = False, symbol: str = "") -> Any:
        """Make one request of ccxt and raise OpenSQT errors.

        A refused timestamp proves that nothing happened: the clock is measured again, and the request is signed and
        sent once more. The same holds for a refused key that another key has replaced in the meantime.
        """
        key = self._client.apiKey
        try:
            return await self._once(request, changes=changes, symbol=symbol)
        except CredentialsRefused:
            if self._client.apiKey == key:
                raise
            return await self._once(request, changes=changes, symbol=symbol)
        except ClockSkew:
            await self.clock.measure()
            return await self._once(request, changes=changes, symbol=symbol)

    async def _query_time(self) -> int:
        return int(await self._once(self._client.fetch_time, changes=False, symbol=""))

    async def _once(self, request: Callable[[], Awaitable[Any]], *, changes: bool, symbol: str) -> Any:
        key = self._client.apiKey
        try:
            response = await request()
        except (ccxt.BaseError, aiohttp.ClientError, OSError) as error:
            translated = translate(reply_of(error), self._codes, changes=changes, symbol=symbol)
            # ccxt writes the address into its text, including the signature.
            error.args = tuple(redact(str(arg)) for arg in error.args)
            self._client.venue_metrics.errors[translated.reason] += 1
            if not isinstance(translated, CredentialsRefused) or self._client.apiKey == key:
                # The refusal of a key that is no longer in use says nothing about the current one.
                self._record_failure(translated, changes=changes)
            raise translated from error
        self._on_response()
        return response

    def _on_response(self) -> None:
        self._failures = 0
        self._last_response_s = time.monotonic()
        self._health.set("venue", True)

    def _record_failure(self, error: ExchangeError, *, changes: bool) -> None:
        if isinstance(error, RateLimited | Banned):
            self._rate_limiter.pause(error.retry_after_s or 0)
        if isinstance(error, CredentialsRefused | PermissionDenied):
            self._health.set("credentials", False, str(error))
            if changes:
                self.change_refused_s = time.monotonic()
        if isinstance(error, ClockSkew):
            self._health.set("clock", False, str(error))
        if isinstance(error, Maintenance | Banned):
            self._health.set("venue", False, str(error))
        elif isinstance(error, Unreachable | OutcomeUnknown):
            self._failures += 1
            if self._failures >= _FAILURES_IN_A_ROW:
                self._health.set("venue", False, str(error))
        elif not isinstance(error, RateLimited):
            # A refusal is a response, too.
            self._on_response()

    def _unreachable_reason(self) -> str:
        if self.idle_s <= RESPONSE_DEADLINE_S:
            return ""
        paused_s = self._rate_limiter.snapshot().paused_s
        pause = f"; it requested a pause, {paused_s:.0f} s of it are left" if paused_s else ""
        return f"has not responded for {self.idle_s:.0f} s{pause}"
