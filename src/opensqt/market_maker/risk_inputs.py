"""The inputs of the risk controls: account, positions, and the candles of the watched symbols, posted as events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from opensqt.market_maker.orders.events import (
    AccountUpdate,
    CandlesUpdate,
    Event,
    MonitorSymbolMissing,
    PositionUpdate,
)
from opensqt.market_maker.risk.settings import MonitorSettings
from opensqt.model.clock import now_ms
from opensqt.model.errors import (
    AccessError,
    ConnectorUnavailable,
    ExchangeError,
    InvalidRequest,
    UnknownSymbol,
    Unsupported,
)
from opensqt.model.exchange import Exchange
from opensqt.model.venue import ExchangeInfo
from opensqt.service.backoff import Backoff
from opensqt.telemetry.logging import get_logger

_log = get_logger("market_maker.risk")

_FOR_GOOD = (UnknownSymbol, Unsupported, InvalidRequest, AccessError)
"""With these a symbol is left out: asking again changes nothing."""


class RiskInputs:
    """Reads what the risk controls need. A failure of one stream ends nothing: it is read again after a back-off.

    Args:
        exchange: Started.
        info: Of the exchange; a watched symbol that it does not list is left out.
        monitor: What is watched.
        post: Called with each event.
    """

    def __init__(
        self, exchange: Exchange, info: ExchangeInfo, monitor: MonitorSettings, post: Callable[[Event], None]
    ) -> None:
        self._exchange = exchange
        self._info = info
        self._monitor = monitor
        self._post = post
        self._other = asyncio.Event()
        """Set when other candles have to be read."""

    def readers(self) -> list[Coroutine[Any, Any, None]]:
        """Return the loops to run, each without an end of its own."""
        return [
            self._again("account", self._read_account),
            self._again("positions", self._read_positions),
            self._watch_all(),
        ]

    def watch(self, monitor: MonitorSettings) -> None:
        """Watch other symbols, or their candles of another length, from now on."""
        if monitor.candles != self._monitor.candles:
            self._other.set()
        self._monitor = monitor

    async def _watch_all(self) -> None:
        while True:
            self._other.clear()
            async with asyncio.TaskGroup() as group:
                watching = []
                for symbol in self._monitor.symbols:
                    if self._info.rules(symbol) is None:
                        self._post(MonitorSymbolMissing(symbol, f"not traded at {self._info.name}"))
                    else:
                        watching.append(group.create_task(self._watch(symbol), name=f"candles of {symbol}"))
                await self._other.wait()
                for task in watching:
                    task.cancel()

    async def _again(self, name: str, read: Callable[[], Coroutine[Any, Any, None]]) -> None:
        backoff = Backoff(1, 60)
        while True:
            try:
                await read()
                backoff.reset()
            except ConnectorUnavailable:
                raise
            except ExchangeError as error:
                # The comparisons with the venue query the same, so that nothing is missed for long.
                _log.warning("stream of the risk controls lost", stream=name, reason=error.reason)
            await asyncio.sleep(backoff.next_s(at_least_s=1))

    async def _read_account(self) -> None:
        stream = self._exchange.subscribe_account()
        try:
            async for batch in stream:
                if batch.updates:
                    self._post(AccountUpdate(batch.updates[-1], now_ms()))
        finally:
            await stream.aclose()

    async def _read_positions(self) -> None:
        stream = self._exchange.subscribe_positions()
        try:
            async for batch in stream:
                for position in batch.updates:
                    self._post(PositionUpdate(position))
        finally:
            await stream.aclose()

    async def _watch(self, symbol: str) -> None:
        backoff = Backoff(1, 60)
        while True:
            try:
                await self._read_candles(symbol)
                backoff.reset()
            except ConnectorUnavailable:
                raise
            except _FOR_GOOD as error:
                self._post(MonitorSymbolMissing(symbol, f"{error.reason}: {error.message}"))
                return
            except ExchangeError as error:
                _log.warning("candles lost; read again", symbol=symbol, reason=error.reason)
            await asyncio.sleep(backoff.next_s(at_least_s=1))

    async def _read_candles(self, symbol: str) -> None:
        """Read the past and then the present; a gap between them is closed by reading the past again."""
        interval, window = self._monitor.interval, self._monitor.average_window
        stream = self._exchange.subscribe_klines(symbol, interval)
        try:
            past = True
            async for batch in stream:
                if past or batch.gap:
                    candles = await self._exchange.get_historical_klines(symbol, interval, limit=window + 1)
                    self._post(CandlesUpdate(tuple(candles)))
                    past = False
                if batch.updates:
                    self._post(CandlesUpdate(tuple(batch.updates)))
        finally:
            await stream.aclose()
