"""The market data that the grid reads: the newest of each kind, so that a burst of updates is one event."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from opensqt.market_maker.strategy.inputs import MarkUpdate, OrderBookUpdate, PriceInput, PriceUpdate, TradeUpdate
from opensqt.market_maker.strategy.price_inputs import InputName
from opensqt.model.exchange import Exchange
from opensqt.model.market import DEFAULT_DEPTH
from opensqt.model.stream import Batch
from opensqt.model.venue import Capabilities

Subscribe = Callable[[], Any]
Resubscribing = Callable[[Subscribe], AsyncIterator[Batch[Any]]]
MakeEvent = Callable[[Any, float], PriceInput]


def price_inputs(capabilities: Capabilities) -> frozenset[InputName]:
    """Return the inputs of the reference price that a venue has. The best bid and ask are always there."""
    names = {InputName.BOOK}
    if capabilities.public_trades:
        names.add(InputName.TRADE)
    if capabilities.mark_price:
        names.add(InputName.MARK)
    return frozenset(names)


class PriceStreams:
    """Reads best bid and ask, and of order book, trades and mark price what the venue has.

    Args:
        exchange: Started.
        symbol: Canonical.
        capabilities: Of the exchange.
        own_levels: Levels of the book that may be ours alone on one side.
        wake: Called when there is something new.
    """

    def __init__(
        self,
        exchange: Exchange,
        symbol: str,
        capabilities: Capabilities,
        *,
        own_levels: int,
        wake: Callable[[], None],
    ) -> None:
        self._exchange = exchange
        self._symbol = symbol
        self._capabilities = capabilities
        self._depth = min(capabilities.order_book_depth, DEFAULT_DEPTH + own_levels)
        self._wake = wake
        self._newest: dict[MakeEvent, PriceInput] = {}

    def take(self) -> list[PriceInput]:
        """Return the newest event of each kind since the last call, at most one a kind."""
        events = list(self._newest.values())
        self._newest.clear()
        return events

    def readers(self, resubscribing: Resubscribing) -> list[Coroutine[Any, Any, None]]:
        """Return the coroutines that read the streams without end.

        Args:
            resubscribing: Reads a stream, and subscribes again when it fails.
        """
        exchange, symbol, has = self._exchange, self._symbol, self._capabilities
        readers = [self._read(resubscribing(lambda: exchange.subscribe_price(symbol)), PriceUpdate)]
        if self._depth:
            book = resubscribing(lambda: exchange.subscribe_order_book(symbol, self._depth))
            readers.append(self._read(book, OrderBookUpdate))
        if has.public_trades:
            readers.append(self._read(resubscribing(lambda: exchange.subscribe_trades(symbol)), TradeUpdate))
        if has.mark_price:
            readers.append(self._read(resubscribing(lambda: exchange.subscribe_mark_price(symbol)), MarkUpdate))
        return readers

    async def _read(self, batches: AsyncIterator[Batch[Any]], event: MakeEvent) -> None:
        async for batch in batches:
            if batch.updates:
                # A later one of a kind takes the place of one that was not handled yet.
                self._newest[event] = event(batch.updates[-1], batch.age_s)
                self._wake()
