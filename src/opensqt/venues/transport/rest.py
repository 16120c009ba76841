"""Sends one request: at the venue's time, silent after a rate limit, with errors of ours."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
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
"""So many make an outage; one lost answer among good ones is none."""
_RESPONSE_DEADLINE_S = 12.0
"""The venue is asked something every few seconds."""


class Rest:
    """The request side of one venue connection.

    Args:
        client: The tapped ccxt client.
        codes: The venue's error codes.
        health: Where `venue`, `clock` and `credentials` are told.
        budget: Told of each rate limit and ban, so that nothing leaves until it is over.
        recv_window_ms: The width of the venue's window for signed timestamps.
        clock_interval_s: How often the venue's clock is measured.
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
        """When the venue last said, monotonic, that this key may not change anything."""
        health.add_probe("venue", self._unreachable_reason)

    @property
    def idle_s(self) -> float:
        """Seconds since the venue last answered anything."""
        return time.monotonic() - self._last_response_s

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
        afresh, made once more. So does a refused key, where another has taken its place meanwhile.
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
            answer = await request()
        except (ccxt.BaseError, aiohttp.ClientError, OSError) as error:
            ours = translate(reply_of(error), self._codes, changes=changes, symbol=symbol)
            # ccxt writes the address into its text, signature and all.
            error.args = tuple(redact(str(arg)) for arg in error.args)
            self._client.venue_metrics.errors[ours.reason] += 1
            if not isinstance(ours, CredentialsRefused) or self._client.apiKey == key:
                # What is said of a key that is out of use by now says nothing of ours.
                self._record_failure(ours, changes=changes)
            raise ours from error
        self._on_response()
        return answer

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
            # A refusal is an answer.
            self._on_response()

    def _unreachable_reason(self) -> str:
        if self.idle_s <= _RESPONSE_DEADLINE_S:
            return ""
        paused_s = self._rate_limiter.snapshot().paused_s
        why = f"; it asked for silence, {paused_s:.0f} s of it are left" if paused_s else ""
        return f"has not answered for {self.idle_s:.0f} s{why}"
