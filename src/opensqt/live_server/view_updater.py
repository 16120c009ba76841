"""Reads the exchange for the page: one task per stream, one per query, and one that publishes at an interval.

Streams resume after a restart of the connector; history and account are queried again after a gap. What can't be
read is shown as stale, never guessed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from opensqt.live_server.broadcast import Broadcaster
from opensqt.live_server.messages import PageMessage
from opensqt.live_server.metrics import LiveServerMetrics
from opensqt.live_server.read_only_exchange import ReadOnlyExchange
from opensqt.live_server.view import View
from opensqt.model.account import Account, Position
from opensqt.model.errors import AccessError, ConnectorUnavailable, ExchangeError
from opensqt.model.market import Candle
from opensqt.model.order import OrderUpdate
from opensqt.model.stream import Batch, Stream
from opensqt.service.backoff import Backoff
from opensqt.telemetry.logging import get_logger

T = TypeVar("T")
log = get_logger("live_server.view_updater")


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """Seconds between repeated actions."""

    publish: float = 0.1
    """Between two messages of the newest price, forming candle and position."""
    status: float = 1
    """Between two queries of the exchange's health; also the page's heartbeat."""
    status_timeout: float = 2
    """A query of the health that takes longer has failed."""
    refresh: float = 15
    """Between two queries of the balance, the positions and the newest fills."""
    longest_wait: float = 30
    """Between two attempts after failures, at most; after the first failure at most a 32nd of it."""


class ViewUpdater:
    """Keeps a view up to date and broadcasts its changes.

    Args:
        exchange: Started.
        view: The state to keep.
        broadcaster: Sends each change to the clients.
        metrics: Counts the updates.
        intervals: Seconds between repeated actions.
    """

    def __init__(
        self,
        exchange: ReadOnlyExchange,
        view: View,
        broadcaster: Broadcaster,
        metrics: LiveServerMetrics,
        *,
        intervals: Intervals | None = None,
    ) -> None:
        self._exchange = exchange
        self._view = view
        self._broadcaster = broadcaster
        self._metrics = metrics
        self._intervals = intervals or Intervals()
        self._reload_history = asyncio.Event()
        self._reload_account = asyncio.Event()
        self._update_counts = {"account": 0, "positions": 0}
        self._to_load: set[str] = set()
        self.loaded = asyncio.Event()
        """Set when history and account were loaded once."""

    async def run(self) -> None:
        """Read until cancelled.

        Raises:
            ConnectorUnavailable: The connector did not come back in time.
            AccessError: It refuses this client.
        """
        exchange, symbol = self._exchange, self._view.watched.symbol
        interval = self._view.watched.interval
        private = self._view.watched.info.capabilities.trading
        self._to_load = {"history", "account"} if private else {"history"}
        try:
            async with asyncio.TaskGroup() as tasks:
                start = tasks.create_task
                start(self._read_stream("price", lambda: exchange.subscribe_price(symbol), self._view.on_price))
                start(
                    self._read_stream("klines", lambda: exchange.subscribe_klines(symbol, interval), self._on_candles)
                )
                start(self._reload_loop("history", self._load_history, self._reload_history, None))
                start(self._poll_status())
                start(self._publish_loop())
                if private:
                    start(self._read_stream("orders", lambda: exchange.subscribe_orders(symbol), self._on_orders))
                    start(self._read_stream("account", exchange.subscribe_account, self._on_account))
                    start(
                        self._read_stream("positions", lambda: exchange.subscribe_positions(symbol), self._on_positions)
                    )
                    start(
                        self._reload_loop("account", self._load_account, self._reload_account, self._intervals.refresh)
                    )
        except BaseExceptionGroup as group:
            # The first failure cancelled the others: it is the reason.
            raise group.exceptions[0] from None

    async def _read_stream(
        self, name: str, subscribe: Callable[[], Stream[T]], take: Callable[[Batch[T]], Sequence[PageMessage]]
    ) -> None:
        backoff = self._backoff()
        while True:
            stream = subscribe()
            try:
                async for batch in stream:
                    backoff.reset()
                    self._metrics.streamed(name, len(batch.updates))
                    self._broadcaster.publish(take(batch))
                reason = "it ended"
            except (AccessError, ConnectorUnavailable):
                raise
            except ExchangeError as error:
                reason = str(error)
            finally:
                self._metrics.disconnected(name)
                await stream.aclose()
            delay_s = backoff.next_s()
            log.warning("stream lost", stream=name, reason=reason, next_try_s=round(delay_s, 3))
            await asyncio.sleep(delay_s)

    async def _reload_loop(
        self, name: str, load: Callable[[], Awaitable[None]], wanted: asyncio.Event, every_s: float | None
    ) -> None:
        """Load at once, whenever *wanted* is set, and every *every_s* seconds."""
        backoff = self._backoff()
        while True:
            wanted.clear()
            delay_s = every_s
            try:
                await load()
            except (AccessError, ConnectorUnavailable):
                raise
            except ExchangeError as error:
                delay_s = backoff.next_s(at_least_s=error.retry_after_s)
                log.warning("could not read", what=name, reason=str(error), next_try_s=round(delay_s, 3))
            else:
                backoff.reset()
                self._to_load.discard(name)
                if not self._to_load:
                    self.loaded.set()
            try:
                async with asyncio.timeout(delay_s):
                    await wanted.wait()
            except TimeoutError:
                continue

    async def _poll_status(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._intervals.status_timeout):
                    status = await self._exchange.get_status()
            except TimeoutError:
                new_messages = self._view.on_status(
                    None, f"the connector did not respond within {self._intervals.status_timeout:g} s"
                )
            except ExchangeError as error:
                new_messages = self._view.on_status(None, str(error))
            else:
                new_messages = self._view.on_status(status)
            self._broadcaster.publish(new_messages)
            await asyncio.sleep(self._intervals.status)

    async def _publish_loop(self) -> None:
        while True:
            self._broadcaster.publish(self._view.take_pending())
            await asyncio.sleep(self._intervals.publish)

    async def _load_history(self) -> None:
        watched = self._view.watched
        self._view.expect_history()
        candles = await self._exchange.get_historical_klines(watched.symbol, watched.interval, limit=watched.candles)
        self._broadcaster.publish(self._view.set_history(candles))

    async def _load_account(self) -> None:
        symbol, before = self._view.watched.symbol, dict(self._update_counts)
        account, positions = await self._exchange.get_account(), await self._exchange.get_positions(symbol)
        self._view.on_all_positions(await self._exchange.get_positions())
        # An update that was streamed meanwhile is newer than the response.
        if self._update_counts["account"] == before["account"]:
            self._broadcaster.publish(self._view.on_account(_as_batch([account])))
        if self._update_counts["positions"] == before["positions"]:
            self._broadcaster.publish(self._view.on_positions(_as_batch(positions)))
        fills = self._view.fills
        # A second time when the first list showed that the counted fills are those of another account.
        for _ in range(2):
            listed = await self._exchange.list_fills(symbol, since_ms=fills.list_from_ms)
            self._broadcaster.publish(self._view.on_fills(listed, listed=True))
            if fills.complete:
                return

    def _on_candles(self, batch: Batch[Candle]) -> Sequence[PageMessage]:
        if self._view.needs_history(batch):
            self._reload_history.set()
        return self._view.on_candles(batch)

    def _on_orders(self, batch: Batch[OrderUpdate]) -> Sequence[PageMessage]:
        if batch.snapshot or batch.gap:
            self._reload_account.set()
        return self._view.on_orders(batch)

    def _on_account(self, batch: Batch[Account]) -> Sequence[PageMessage]:
        self._update_counts["account"] += 1
        return self._view.on_account(batch)

    def _on_positions(self, batch: Batch[Position]) -> Sequence[PageMessage]:
        self._update_counts["positions"] += 1
        return self._view.on_positions(batch)

    def _backoff(self) -> Backoff:
        return Backoff(self._intervals.longest_wait / 32, self._intervals.longest_wait)


def _as_batch(updates: Sequence[Any]) -> Batch[Any]:
    return Batch(updates=tuple(updates), epoch="", sequence=0)
