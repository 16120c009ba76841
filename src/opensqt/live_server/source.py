"""Reads the exchange for the page: one task per stream, one per thing that is asked for, and the page's own pace.

Streams come back by themselves after a connector's restart; whatever may have been missed meanwhile is asked for
again. What can't be read is shown as stale, never guessed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from opensqt.live_server.broadcast import Hub
from opensqt.live_server.messages import Message
from opensqt.live_server.metrics import Metrics
from opensqt.live_server.readable import Readable
from opensqt.live_server.view import View
from opensqt.model.account import Account, Position
from opensqt.model.errors import AccessError, ConnectorUnavailable, ExchangeError
from opensqt.model.market import Candle
from opensqt.model.order import OrderUpdate
from opensqt.model.stream import Batch, Stream
from opensqt.service.backoff import Backoff
from opensqt.telemetry.logging import get_logger

T = TypeVar("T")
log = get_logger("live_server.source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often things are done, in seconds."""

    publish: float = 0.1
    """Between two tellings of the newest price, forming candle and position."""
    status: float = 1
    """Between two questions for the exchange's health; also the page's heartbeat."""
    status_timeout: float = 2
    """An answer that takes longer counts as none."""
    refresh: float = 15
    """Between two questions for the balance, the positions and the newest fills."""
    longest_wait: float = 30
    """Between two tries after failures; the first wait is a 32nd of it."""


class Source:
    """Keeps a view true and its hub told.

    Args:
        exchange: Started.
        view: Takes what is read.
        hub: Is told what changed.
        metrics: Counts it.
        pace: How often.
    """

    def __init__(self, exchange: Readable, view: View, hub: Hub, metrics: Metrics, *, pace: Pace | None = None) -> None:
        self._exchange = exchange
        self._view = view
        self._hub = hub
        self._metrics = metrics
        self._pace = pace or Pace()
        self._want_history = asyncio.Event()
        self._want_account = asyncio.Event()
        self._told = {"account": 0, "positions": 0}
        self._to_load: set[str] = set()
        self.loaded = asyncio.Event()
        """Set when everything was read once."""

    async def run(self) -> None:
        """Read until cancelled.

        Raises:
            ConnectorUnavailable: The connector did not come back in time.
            AccessError: It does not let us in.
        """
        exchange, symbol = self._exchange, self._view.subject.symbol
        interval = self._view.subject.interval
        private = self._view.subject.info.capabilities.trading
        self._to_load = {"history", "account"} if private else {"history"}
        try:
            async with asyncio.TaskGroup() as tasks:
                start = tasks.create_task
                start(self._follow("price", lambda: exchange.subscribe_price(symbol), self._view.on_price))
                start(self._follow("klines", lambda: exchange.subscribe_klines(symbol, interval), self._on_candles))
                start(self._keep("history", self._load_history, self._want_history, None))
                start(self._watch_status())
                start(self._publish_at_own_pace())
                if private:
                    start(self._follow("orders", lambda: exchange.subscribe_orders(symbol), self._on_orders))
                    start(self._follow("account", exchange.subscribe_account, self._on_account))
                    start(self._follow("positions", lambda: exchange.subscribe_positions(symbol), self._on_positions))
                    start(self._keep("account", self._load_account, self._want_account, self._pace.refresh))
        except BaseExceptionGroup as group:
            # The first failure cancelled the others: it is the reason.
            raise group.exceptions[0] from None

    async def _follow(
        self, name: str, subscribe: Callable[[], Stream[T]], take: Callable[[Batch[T]], Sequence[Message]]
    ) -> None:
        backoff = self._backoff()
        while True:
            stream = subscribe()
            try:
                async for batch in stream:
                    backoff.reset()
                    self._metrics.streamed(name, len(batch.updates))
                    self._hub.publish(take(batch))
                reason = "it ended"
            except (AccessError, ConnectorUnavailable):
                raise
            except ExchangeError as error:
                reason = str(error)
            finally:
                self._metrics.disconnected(name)
                await stream.aclose()
            wait_s = backoff.next_s()
            log.warning("stream lost", stream=name, reason=reason, next_try_s=round(wait_s, 3))
            await asyncio.sleep(wait_s)

    async def _keep(
        self, name: str, load: Callable[[], Awaitable[None]], wanted: asyncio.Event, every_s: float | None
    ) -> None:
        """Load at once, whenever *wanted*, and every so often."""
        backoff = self._backoff()
        while True:
            wanted.clear()
            wait_s = every_s
            try:
                await load()
            except (AccessError, ConnectorUnavailable):
                raise
            except ExchangeError as error:
                wait_s = backoff.next_s(at_least_s=error.retry_after_s)
                log.warning("could not read", what=name, reason=str(error), next_try_s=round(wait_s, 3))
            else:
                backoff.reset()
                self._to_load.discard(name)
                if not self._to_load:
                    self.loaded.set()
            try:
                async with asyncio.timeout(wait_s):
                    await wanted.wait()
            except TimeoutError:
                continue

    async def _watch_status(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._pace.status_timeout):
                    status = await self._exchange.get_status()
            except TimeoutError:
                told = self._view.on_status(
                    None, f"the connector did not answer within {self._pace.status_timeout:g} s"
                )
            except ExchangeError as error:
                told = self._view.on_status(None, str(error))
            else:
                told = self._view.on_status(status)
            self._hub.publish(told)
            await asyncio.sleep(self._pace.status)

    async def _publish_at_own_pace(self) -> None:
        while True:
            self._hub.publish(self._view.drain())
            await asyncio.sleep(self._pace.publish)

    async def _load_history(self) -> None:
        subject = self._view.subject
        self._view.expect_history()
        candles = await self._exchange.get_historical_klines(subject.symbol, subject.interval, limit=subject.candles)
        self._hub.publish(self._view.set_history(candles))

    async def _load_account(self) -> None:
        symbol, before = self._view.subject.symbol, dict(self._told)
        account, positions = await self._exchange.get_account(), await self._exchange.get_positions(symbol)
        self._view.on_all_positions(await self._exchange.get_positions())
        # An update that was streamed meanwhile is newer than the answer.
        if self._told["account"] == before["account"]:
            self._hub.publish(self._view.on_account(_as_batch([account])))
        if self._told["positions"] == before["positions"]:
            self._hub.publish(self._view.on_positions(_as_batch(positions)))
        fills = self._view.fills
        # A second time when the first showed that what was counted before is another account's.
        for _ in range(2):
            listed = await self._exchange.list_fills(symbol, since_ms=fills.list_from_ms)
            self._hub.publish(self._view.on_fills(listed, listed=True))
            if fills.complete:
                return

    def _on_candles(self, batch: Batch[Candle]) -> Sequence[Message]:
        if self._view.lacks_candle(batch):
            self._want_history.set()
        return self._view.on_candles(batch)

    def _on_orders(self, batch: Batch[OrderUpdate]) -> Sequence[Message]:
        if batch.snapshot or batch.gap:
            self._want_account.set()
        return self._view.on_orders(batch)

    def _on_account(self, batch: Batch[Account]) -> Sequence[Message]:
        self._told["account"] += 1
        return self._view.on_account(batch)

    def _on_positions(self, batch: Batch[Position]) -> Sequence[Message]:
        self._told["positions"] += 1
        return self._view.on_positions(batch)

    def _backoff(self) -> Backoff:
        return Backoff(self._pace.longest_wait / 32, self._pace.longest_wait)


def _as_batch(updates: Sequence[Any]) -> Batch[Any]:
    return Batch(updates=tuple(updates), epoch="", sequence=0)
