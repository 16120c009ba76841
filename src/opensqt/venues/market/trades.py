"""Public trades of one symbol: each published once, and a hole filled by a query or reported as a gap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opensqt.model.market import PublicTrade
from opensqt.streams.conflation import TRADES_KEPT
from opensqt.streams.feed import Feed
from opensqt.venues.market.topic import MarketTopic

_TRADES_REMEMBERED = 4 * TRADES_KEPT
"""Ids of trades by which a repeated one is known."""


class TradeTopic(MarketTopic[PublicTrade]):
    """Public trades of one symbol: each is published once.

    Args:
        ids_are_consecutive: Whether each trade has the id after the last one's, so that a hole shows.
        on_gap: Called when trades are missing on the stream; it starts `catch_up`.
    """

    def __init__(
        self,
        name: str,
        feed: Feed[PublicTrade],
        *,
        ids_are_consecutive: bool,
        on_gap: Callable[[], None],
        **rest: Any,
    ) -> None:
        super().__init__(name, feed, **rest)
        self._ids_are_consecutive = ids_are_consecutive
        self._on_gap = on_gap
        self._seen: dict[str, None] = {}

    def handle(self, update: PublicTrade, socket: Any) -> None:
        """Publish a streamed trade, and check whether those before it were published."""
        before = self.last
        super().handle(update, socket)
        if (
            self._ids_are_consecutive
            and before is not None
            and self._is_number(before, update)
            and int(update.trade_id) > int(before.trade_id) + 1
        ):
            self._on_gap()

    async def catch_up(self) -> None:
        """Query the latest trades and publish the missing ones; as a gap, if they do not reach back to the last one."""
        known = self.last
        found = await self._query()
        missing = [trade for trade in found if trade.trade_id not in self._seen]
        reaches_back = known is None or not missing or len(missing) < len(found)
        if not reaches_back:
            for trade in missing:
                self._remember(trade)
            self.feed.replace((*self.feed.snapshot, *missing), gap=True)
        else:
            for trade in missing:
                self._publish(trade)
        if known is None and not found:
            # A market without trades has a snapshot, too: none.
            self.feed.replace((), gap=False)
        if not self._stalled_reason:
            self.mark_fresh()

    def _is_newer(self, update: PublicTrade) -> bool:
        return update.trade_id not in self._seen

    def _publish(self, update: PublicTrade) -> None:
        self._remember(update)
        self.feed.publish((update,))

    def _remember(self, trade: PublicTrade) -> None:
        self._seen[trade.trade_id] = None
        if len(self._seen) > _TRADES_REMEMBERED:
            del self._seen[next(iter(self._seen))]
        if self.last is None or trade.event_time_ms >= self.last.event_time_ms:
            self.last = trade

    @staticmethod
    def _is_number(*trades: PublicTrade) -> bool:
        return all(trade.trade_id.isdecimal() for trade in trades)
